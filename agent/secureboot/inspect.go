package secureboot

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"debug/pe"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foxboron/go-uefi/authenticode"

	"pxeagent/agent/efi"
)

// Program is what an EFI program's headers, signatures and SBAT section say.
type Program struct {
	Machine    efi.Machine
	Signatures []Signature
	SBAT       []Component // none where it has no such section
}

// Signature is one of a program's.
type Signature struct {
	Signer    string // common name of the certificate
	Authority string // common name of the certificate's issuer; Signer's own where it signed itself
	By        Authority
	// Fault is why the signature is not this program's; "": it verifies.
	Fault string
	cert  *x509.Certificate
}

// Authority is who vouches for a signature. The set is closed.
type Authority string

const (
	Microsoft2011 Authority = "microsoft-2011" // Microsoft Corporation UEFI CA 2011: what firmware has had since 2012
	Microsoft2023 Authority = "microsoft-2023" // Microsoft UEFI CA 2023: what newer firmware has, and signatures of today
	Windows       Authority = "windows"        // Microsoft's CAs for Windows itself
	Distribution  Authority = "distribution"   // a distribution's own, which its shim knows and firmware does not
	Other         Authority = "other"          // a site's own, if any
)

// Component is a line of SBAT: a part of a program, and how many holes in it were closed that made older ones revoked.
type Component struct {
	Name       string
	Generation int
	Vendor     string
}

const (
	maxSignatures = 16
	maxSBAT       = 64 << 10 // bytes
)

// Inspect reads a program. Its error is that of efi.ParseHeader, ErrNotEFI or ErrDamaged.
func Inspect(program []byte) (Program, error) {
	h, err := checkProgram(program)
	if err != nil {
		return Program{}, err
	}
	p := Program{Machine: h.Machine}
	err = safely(func() error {
		f, err := pe.NewFile(bytes.NewReader(program))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		defer f.Close()
		if p.SBAT, err = readSBAT(f); err != nil {
			return err
		}
		found, err := signatures(f, program)
		if err != nil || len(found) == 0 {
			return err
		}
		parsed, err := authenticode.Parse(bytes.NewReader(program))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		digest := parsed.Hash(crypto.SHA256)
		for _, der := range found {
			p.Signatures = append(p.Signatures, readSignature(der, digest))
		}
		return nil
	})
	return p, err
}

// signatures are the PKCS #7 entries of the certificate table, which is the fifth of the data directories. Its address
// is an offset in the file.
func signatures(f *pe.File, program []byte) ([][]byte, error) {
	var at pe.DataDirectory
	switch h := f.OptionalHeader.(type) {
	case *pe.OptionalHeader32:
		at = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY]
	case *pe.OptionalHeader64:
		at = h.DataDirectory[pe.IMAGE_DIRECTORY_ENTRY_SECURITY]
	}
	if at.Size == 0 {
		return nil, nil
	}
	if int64(at.VirtualAddress)+int64(at.Size) > int64(len(program)) {
		return nil, fmt.Errorf("%w: the certificate table lies behind its end", ErrDamaged)
	}
	table := program[at.VirtualAddress : at.VirtualAddress+at.Size]
	var all [][]byte
	for len(table) >= entryHeader && len(all) < maxSignatures {
		length := int(binary.LittleEndian.Uint32(table))
		if length < entryHeader || length > len(table) {
			return nil, fmt.Errorf("%w: an entry of the certificate table", ErrDamaged)
		}
		if binary.LittleEndian.Uint16(table[6:]) == entryPKCS7 {
			all = append(all, table[entryHeader:length])
		}
		table = table[min((length+7)&^7, len(table)):]
	}
	return all, nil
}

// An entry has its length, a revision and its kind before what it holds.
const (
	entryHeader = 8
	entryPKCS7  = 2
)

// readSignature says whose a signature is, and whether it is of the program with that digest. The chain above the
// signer's certificate is not verified: what firmware has is not known here.
func readSignature(der, digest []byte) Signature {
	signed, err := parseSigned(der)
	if err != nil {
		return Signature{By: Other, Fault: "it cannot be read: " + err.Error()}
	}
	cert := signed.signer()
	if cert == nil {
		return Signature{By: Other, Fault: "it is without the signer's certificate"}
	}
	s := Signature{Signer: cert.Subject.CommonName, Authority: cert.Issuer.CommonName, By: authorityOf(cert), cert: cert}
	switch {
	case !bytes.Equal(signed.digest(), digest):
		s.Fault = "the program was changed after it was signed"
	case !signed.madeBy(cert):
		s.Fault = "the key of its certificate did not make it"
	}
	return s
}

func authorityOf(cert *x509.Certificate) Authority {
	issuer := cert.Issuer.CommonName
	switch {
	case issuer == "Microsoft Corporation UEFI CA 2011":
		return Microsoft2011
	case issuer == "Microsoft UEFI CA 2023":
		return Microsoft2023
	case strings.HasPrefix(issuer, "Microsoft Windows Production PCA") || strings.HasPrefix(issuer, "Windows UEFI CA"):
		return Windows
	}
	for _, d := range []string{"Debian", "Canonical", "Fedora", "Red Hat", "SUSE", "openSUSE", "Rocky", "AlmaLinux",
		"Oracle", "CentOS"} {
		if strings.HasPrefix(issuer, d+" ") {
			return Distribution
		}
	}
	return Other
}

// SignedBy reports whether a signature of p that verifies is that certificate's.
func (p Program) SignedBy(cert *x509.Certificate) bool {
	return slices.ContainsFunc(p.Signatures, func(s Signature) bool {
		return s.Fault == "" && s.cert != nil && s.cert.Equal(cert)
	})
}

// By reports whether a signature of p that verifies is that authority's.
func (p Program) By(a Authority) bool {
	return slices.ContainsFunc(p.Signatures, func(s Signature) bool { return s.Fault == "" && s.By == a })
}

// Component is that of the name.
func (p Program) Component(name string) (Component, bool) {
	i := slices.IndexFunc(p.SBAT, func(c Component) bool { return c.Name == name })
	if i < 0 {
		return Component{}, false
	}
	return p.SBAT[i], true
}

// readSBAT reads the section .sbat: lines of name, generation, vendor, and more.
func readSBAT(f *pe.File) ([]Component, error) {
	section := f.Section(".sbat")
	if section == nil || section.Size > maxSBAT {
		return nil, nil
	}
	text, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("%w: section .sbat: %w", ErrDamaged, err)
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	records, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%w: section .sbat: %w", ErrDamaged, err)
	}
	var all []Component
	for _, fields := range records {
		if len(fields) < 3 {
			continue
		}
		if n, err := strconv.Atoi(fields[1]); err == nil {
			all = append(all, Component{fields[0], n, fields[2]})
		}
	}
	return all, nil
}
