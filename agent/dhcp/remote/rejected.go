package remote

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

// rejected records which logins a server rejected, across runs: firewalls count failed logins and block the whole
// address, for the web interface and SSH as well. One file for each user of each server, in the folder refused of the
// state folder.
type rejected struct {
	dir   string // the state folder; "" for none: nothing is remembered
	url   string
	retry bool // --retry-auth: ignore what is recorded
}

// rejectedRecord is one login that was rejected. It does not hold the secret, which can only be found from it by
// slow guessing.
type rejectedRecord struct {
	URL  string    `json:"url"`
	User string    `json:"user"` // "" for an API key
	Salt []byte    `json:"salt"`
	Hash []byte    `json:"hash"` // PBKDF2 of the secret, by SHA-256
	At   time.Time `json:"at"`
}

// hashRounds makes guessing a secret from the file about as slow as trying to log in.
const hashRounds = 50_000

func (r rejectedRecord) hash(s dhcp.Secret) ([]byte, error) {
	return pbkdf2.Key(sha256.New, s.Reveal(), r.Salt, hashRounds, sha256.Size)
}

func (m rejected) path(l Login) string {
	name := sha256.Sum256([]byte(m.url + "\x00" + l.User))
	return filepath.Join(m.dir, "refused", hex.EncodeToString(name[:8])+".json")
}

// allows returns ErrNotSent for a login that was rejected before.
func (m rejected) allows(l Login) error {
	if m.dir == "" || m.retry {
		return nil
	}
	text, err := os.ReadFile(m.path(l))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the rejected logins: %w", err)
	}
	var r rejectedRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%w: parsing %s: %w", ErrNotSent, m.path(l), err)
	}
	hash, err := r.hash(l.Secret)
	if err != nil {
		return fmt.Errorf("comparing with the rejected login: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, r.Hash) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s rejected %s at %s, and it has not changed since", ErrNotSent, m.url, l,
		r.At.Format(time.RFC3339))
}

// add records l as rejected.
func (m rejected) add(l Login) error {
	if m.dir == "" {
		return nil
	}
	r := rejectedRecord{URL: m.url, User: l.User, Salt: make([]byte, 16), At: time.Now().UTC().Truncate(time.Second)}
	rand.Read(r.Salt)
	var err error
	if r.Hash, err = r.hash(l.Secret); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	path := m.path(l)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	if err := renameio.WriteFile(path, append(text, '\n'), 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("recording the rejected login: %w", err)
	}
	return nil
}

// forget is for a login that was accepted: the one that was rejected for this user was another.
func (m rejected) forget(l Login) error {
	if m.dir == "" {
		return nil
	}
	if err := os.Remove(m.path(l)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the rejected login: %w", err)
	}
	return nil
}
