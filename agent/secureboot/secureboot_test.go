package secureboot

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/efi"
	"pxeagent/deploy/lab"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// makeKeys makes a set of keys and reads it.
func makeKeys(t *testing.T) (string, Keys) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := MakeKeys(dir, "a site", now, DB); err != nil {
		t.Fatal(err)
	}
	k, err := ReadKeys(dir, DB, now)
	if err != nil {
		t.Fatal(err)
	}
	return dir, k
}

// Debian's own tools agree with what is signed here, and with what is exported to be enrolled.
func TestSignedAsSbverifyHasIt(t *testing.T) {
	lab.Need(t, "sbverify", "sbsiglist")
	dir, k := makeKeys(t)
	for name, program := range map[string][]byte{"ipxe.efi": binary.IpxeEFI, "snp-arm64.efi": binary.SNP} {
		signed, err := k.Sign(program)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, signed, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sbverify", "--cert", filepath.Join(dir, "db.crt"), file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Signature verification OK") {
			t.Errorf("%s: sbverify: %v\n%s", name, err, out)
		}
		_, other := makeKeys(t)
		twice, err := other.Sign(signed)
		if err != nil {
			t.Fatalf("%s, a second signature: %v", name, err)
		}
		if p, err := Inspect(twice); err != nil || !p.SignedBy(k.Cert) || !p.SignedBy(other.Cert) {
			t.Errorf("%s has not both signatures: %+v, %v", name, p, err)
		}
		if again, err := k.Sign(signed); err != nil || !bytes.Equal(again, signed) {
			t.Errorf("%s: signing what is signed changed it (%v)", name, err)
		}
		signed[len(program)/2] ^= 1
		if p, err := Inspect(signed); err != nil || p.SignedBy(k.Cert) ||
			!strings.Contains(p.Signatures[0].Fault, "changed") {
			t.Errorf("%s, changed after it was signed: %+v, %v", name, p, err)
		}
	}
	// The list is what sbsigntool makes of the same certificate, but for the owner's GUID.
	list := filepath.Join(dir, "theirs.esl")
	if out, err := exec.Command("sbsiglist", "--type", "x509", "--owner", "00000000-0000-0000-0000-000000000000",
		"--output", list, filepath.Join(dir, "db.der")).CombinedOutput(); err != nil {
		t.Fatalf("sbsiglist: %v\n%s", err, out)
	}
	theirs, mine := read(t, list), read(t, filepath.Join(dir, "db.esl"))
	const owner = 28 // offset
	if len(mine) != len(theirs) || !bytes.Equal(mine[:owner], theirs[:owner]) ||
		!bytes.Equal(mine[owner+16:], theirs[owner+16:]) || bytes.Equal(mine[owner:owner+16], make([]byte, 16)) {
		t.Errorf("the signature list is\n%x, and sbsiglist makes\n%x", mine[:64], theirs[:64])
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeysAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	made, err := MakeKeys(dir, "a site", now, DB, PK, KEK)
	if err != nil || len(made) != 12 {
		t.Fatalf("%v, %v", made, err)
	}
	for _, file := range made {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", file, info.Mode(), err)
		}
	}
	before := read(t, filepath.Join(dir, "db.key"))
	if _, err := MakeKeys(dir, "a site", now, DB); !errors.Is(err, ErrKeysKept) {
		t.Errorf("a second time: %v", err)
	}
	if !bytes.Equal(before, read(t, filepath.Join(dir, "db.key"))) {
		t.Error("the key was replaced")
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	otherDir, _ := makeKeys(t)
	for name, c := range map[string]struct {
		spoil func(dir string) error
		at    time.Time
		want  error
		text  string
	}{
		"none": {func(dir string) error { return os.Remove(dir + "/db.key") }, now, ErrNoKeys, "db.key"},
		"no certificate": {func(dir string) error {
			return os.Remove(dir + "/db.crt")
		}, now, ErrKeys, "without its certificate"},
		"read by others": {func(dir string) error { return os.Chmod(dir+"/db.key", 0o640) }, now, ErrExposed, "mode 0640"},
		"ended":          {nil, now.Add(11 * 365 * 24 * time.Hour), ErrExpired, "ended at 2036"},
		"not begun":      {nil, now.Add(-24 * time.Hour), ErrExpired, "begins at 2026"},
		"not PEM": {func(dir string) error {
			return os.WriteFile(dir+"/db.key", []byte("x"), 0o600)
		}, now, ErrKeys, "PEM"},
		"of another key": {func(dir string) error {
			return os.Rename(otherDir+"/db.crt", dir+"/db.crt")
		}, now, ErrKeys, "not the"},
		"with a password": {encrypted, now, ErrKeys, "without a password"},
		"not a key at all": {func(dir string) error {
			return os.Rename(dir+"/db.crt", dir+"/db.key")
		}, now, ErrKeys, "no private key"},
	} {
		dir, _ := makeKeys(t)
		if c.spoil != nil {
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ReadKeys(dir, DB, c.at); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func encrypted(dir string) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret words")})
	return os.WriteFile(dir+"/db.key", text, 0o600)
}

func TestWhatCannotBeSigned(t *testing.T) {
	_, k := makeKeys(t)
	windows := bytes.Clone(binary.IpxeEFI)
	windows[int(windows[60])+int(windows[61])<<8+24+68] = 2 // the subsystem: Windows with windows
	for name, c := range map[string]struct {
		program []byte
		want    error
	}{
		"a text":             {[]byte("#!ipxe\n"), efi.ErrNotPE},
		"a BIOS program":     {binary.Undionly, efi.ErrNotPE},
		"a Windows program":  {windows, ErrNotEFI},
		"its beginning only": {binary.IpxeEFI[:2048], ErrDamaged},
	} {
		if _, err := k.Sign(c.program); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is installed here is what Debian signed.
func TestDebiansPrograms(t *testing.T) {
	for file, c := range map[string]struct {
		by        Authority
		component string
	}{
		"/usr/lib/shim/shimx64.efi.signed":                      {Microsoft2011, "shim"},
		"/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed": {Distribution, "grub"},
		"/usr/lib/shim/fbx64.efi.signed":                        {Distribution, "shim"},
		"/usr/lib/shim/shimx64.efi":                             {"", "shim"},
	} {
		lab.NeedFile(t, file)
		p, err := Inspect(read(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		got, found := p.Component(c.component)
		if p.Machine != efi.X64 || !found || got.Generation < 1 || c.by != "" && !p.By(c.by) ||
			c.by == "" && len(p.Signatures) > 0 {
			t.Errorf("%s: %+v", file, p)
		}
	}
}

// FuzzInspect: no file, however made, ends the program; and no signature is found in what has none.
func FuzzInspect(f *testing.F) {
	dir := f.TempDir()
	if _, err := MakeKeys(dir, "a site", now, DB); err != nil {
		f.Fatal(err)
	}
	k, err := ReadKeys(dir, DB, now)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := k.Sign(binary.SNP)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, uint32(0), byte(0))
	f.Add(signed[:1024], uint32(300), byte(7))
	other := &x509.Certificate{Raw: []byte("another")}
	f.Fuzz(func(t *testing.T, program []byte, at uint32, with byte) {
		program = bytes.Clone(program)
		if len(program) > 0 {
			program[int(at)%len(program)] ^= with
		}
		p, err := Inspect(program)
		if err == nil && p.SignedBy(other) {
			t.Errorf("signed by a certificate that signed nothing: %+v", p)
		}
		if len(p.Signatures) > maxSignatures {
			t.Errorf("%d signatures", len(p.Signatures))
		}
	})
}
