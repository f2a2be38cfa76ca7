package pfsense

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"pxeagent/agent/dhcp"
)

// rejectedLogins records which credentials a firewall rejected, across runs: pfSense counts failed logins and blocks
// the whole address, for the web interface and SSH as well. One file for each user of each firewall, in the folder
// refused of the state folder.
type rejectedLogins struct {
	dir   string // the state folder; "" for none: nothing is remembered
	url   string
	retry bool // --retry-auth: ignore what is recorded
}

// rejectedLogin is one credential that was rejected. It does not hold the secret, which can only be found from it by
// slow guessing.
type rejectedLogin struct {
	URL  string    `json:"url"`
	User string    `json:"user"` // "" for an API key
	Salt []byte    `json:"salt"`
	Hash []byte    `json:"hash"` // PBKDF2 of the secret, by SHA-256
	At   time.Time `json:"at"`
}

// hashRounds makes guessing a secret from the file about as slow as trying to log in.
const hashRounds = 50_000

func (r rejectedLogin) hash(s dhcp.Secret) ([]byte, error) {
	return pbkdf2.Key(sha256.New, s.Reveal(), r.Salt, hashRounds, sha256.Size)
}

func (m rejectedLogins) path(cred credential) string {
	name := sha256.Sum256([]byte(m.url + "\x00" + cred.user))
	return filepath.Join(m.dir, "refused", hex.EncodeToString(name[:8])+".json")
}

// allows returns ErrNotSent for a credential that was rejected before.
func (m rejectedLogins) allows(cred credential) error {
	if m.dir == "" || m.retry {
		return nil
	}
	text, err := os.ReadFile(m.path(cred))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the rejected logins: %w", err)
	}
	var r rejectedLogin
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%w: parsing %s: %w", ErrNotSent, m.path(cred), err)
	}
	hash, err := r.hash(cred.secret)
	if err != nil {
		return fmt.Errorf("comparing with the rejected login: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, r.Hash) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s rejected %s at %s, and it has not changed since", ErrNotSent, m.url, cred,
		r.At.Format(time.RFC3339))
}

// add records cred as rejected.
func (m rejectedLogins) add(cred credential) error {
	if m.dir == "" {
		return nil
	}
	r := rejectedLogin{URL: m.url, User: cred.user, Salt: make([]byte, 16), At: time.Now().UTC().Truncate(time.Second)}
	rand.Read(r.Salt)
	var err error
	if r.Hash, err = r.hash(cred.secret); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	path := m.path(cred)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	if err := renameio.WriteFile(path, append(text, '\n'), 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	return nil
}

// forget is for a credential that was accepted: the one that was rejected for this user was another.
func (m rejectedLogins) forget(cred credential) error {
	if m.dir == "" {
		return nil
	}
	if err := os.Remove(m.path(cred)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the rejected login: %w", err)
	}
	return nil
}
