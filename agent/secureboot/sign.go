package secureboot

import (
	"bytes"
	"fmt"

	"github.com/foxboron/go-uefi/authenticode"
)

// Sign is program with a signature of k, besides those that it has. One that has it already is returned as it is.
func (k Keys) Sign(program []byte) ([]byte, error) {
	p, err := Inspect(program)
	if err != nil {
		return nil, err
	}
	if p.SignedBy(k.Cert) {
		return program, nil
	}
	var signed []byte
	err = safely(func() error {
		binary, err := authenticode.Parse(bytes.NewReader(program))
		if err != nil {
			return err
		}
		if _, err := binary.Sign(k.signer, k.Cert); err != nil {
			return err
		}
		signed = binary.Bytes()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	// What cannot be verified here would be refused by firmware without a word.
	if p, err = Inspect(signed); err != nil || !p.SignedBy(k.Cert) {
		return nil, fmt.Errorf("signing: the signature does not verify (%w)", ErrDamaged)
	}
	return signed, nil
}

// safely turns a panic of a library over a hostile file into an error.
func safely(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = ErrDamaged
		}
	}()
	return do()
}
