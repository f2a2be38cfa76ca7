package secureboot

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
)

// signedData is PKCS #7's (RFC 2315 section 9.1), as far as Authenticode uses it.
type signedData struct {
	Version    int
	DigestAlgs asn1.RawValue
	Content    struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	Certs   asn1.RawValue `asn1:"optional,tag:0"`
	CRLs    asn1.RawValue `asn1:"optional,tag:1"`
	Signers []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version int
	Cert    struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	DigestAlg  pkix.AlgorithmIdentifier
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
	SigAlg     pkix.AlgorithmIdentifier
	Signature  []byte
	Others     asn1.RawValue `asn1:"optional,tag:1"`
}

// indirectData is what Authenticode signs: the digest of the program.
type indirectData struct {
	Data   asn1.RawValue
	Digest struct {
		Alg    pkix.AlgorithmIdentifier
		Digest []byte
	}
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue `asn1:"set"`
}

var oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}

var errNotSignedData = errors.New("not PKCS #7 signed data")

// parseSigned reads a signature; its padding may follow.
func parseSigned(der []byte) (signedData, error) {
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	var s signedData
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return s, errNotSignedData
	}
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &s); err != nil || len(s.Signers) == 0 {
		return s, errNotSignedData
	}
	return s, nil
}

// signer is the certificate of the first signature, of those that came with it.
func (s signedData) signer() *x509.Certificate {
	certs, err := x509.ParseCertificates(s.Certs.Bytes)
	if err != nil {
		return nil
	}
	for _, c := range certs {
		by := s.Signers[0].Cert
		if bytes.Equal(c.RawIssuer, by.Issuer.FullBytes) && by.Serial != nil && c.SerialNumber.Cmp(by.Serial) == 0 {
			return c
		}
	}
	return nil
}

// digest is that of the program which was signed; nil where there is none.
func (s signedData) digest() []byte {
	var d indirectData
	if _, err := asn1.Unmarshal(s.Content.Content.Bytes, &d); err != nil {
		return nil
	}
	return d.Digest.Digest
}

// madeBy reports whether the certificate's key made the signature of this content, with SHA-256 and RSA.
func (s signedData) madeBy(cert *x509.Certificate) bool {
	by := s.Signers[0]
	// What is signed is the attributes as a SET, and they have the digest of the content without its header.
	attributes := bytes.Clone(by.Attributes.FullBytes)
	if len(attributes) == 0 {
		return false
	}
	attributes[0] = asn1.TagSet | 0x20
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(s.Content.Content.Bytes, &inner); err != nil {
		return false
	}
	content := sha256.Sum256(inner.Bytes)
	return bytes.Equal(by.messageDigest(), content[:]) &&
		cert.CheckSignature(x509.SHA256WithRSA, attributes, by.Signature) == nil
}

func (by signerInfo) messageDigest() []byte {
	for rest := by.Attributes.Bytes; len(rest) > 0; {
		var a attribute
		var err error
		if rest, err = asn1.Unmarshal(rest, &a); err != nil {
			return nil
		}
		if a.Type.Equal(oidMessageDigest) {
			var digest []byte
			if _, err := asn1.Unmarshal(a.Values.Bytes, &digest); err != nil {
				return nil
			}
			return digest
		}
	}
	return nil
}
