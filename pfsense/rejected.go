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
)

// memory keeps which credentials a firewall refused, across runs: pfSense counts failed logins and shuts the whole address out, web page and
// SSH with it. One file for each user of each firewall, in the state folder's folder refused.
type memory struct {
	dir   string // the state folder; "" for none: nothing is remembered
	url   string
	retry bool // --retry-auth: what is remembered does not count
}

// refusal is one credential that was refused. The secret itself is not in it, and cannot be found from it but by guessing slowly.
type refusal struct {
	URL  string    `json:"url"`
	User string    `json:"user"` // "" for an API key
	Salt []byte    `json:"salt"`
	Hash []byte    `json:"hash"` // PBKDF2 of the secret, by SHA-256
	At   time.Time `json:"at"`
}

// hashRounds makes each guess at a secret from the file cost about as much as a login does.
const hashRounds = 50_000

func (r refusal) hash(s secret) ([]byte, error) {
	return pbkdf2.Key(sha256.New, s.reveal(), r.Salt, hashRounds, sha256.Size)
}

func (m memory) path(cred credential) string {
	name := sha256.Sum256([]byte(m.url + "\x00" + cred.user))
	return filepath.Join(m.dir, "refused", hex.EncodeToString(name[:8])+".json")
}

// allows returns ErrNotSent for a credential that was refused before.
func (m memory) allows(cred credential) error {
	if m.dir == "" || m.retry {
		return nil
	}
	text, err := os.ReadFile(m.path(cred))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which logins were refused: %w", err)
	}
	var r refusal
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%w: %s cannot be understood: %w", ErrNotSent, m.path(cred), err)
	}
	hash, err := r.hash(cred.secret)
	if err != nil {
		return fmt.Errorf("comparing with the refused login: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, r.Hash) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s refused %s at %s, and nothing has changed since", ErrNotSent, m.url, cred, r.At.Format(time.RFC3339))
}

// add remembers cred as refused.
func (m memory) add(cred credential) error {
	if m.dir == "" {
		return nil
	}
	r := refusal{URL: m.url, User: cred.user, Salt: make([]byte, 16), At: time.Now().UTC().Truncate(time.Second)}
	rand.Read(r.Salt)
	var err error
	if r.Hash, err = r.hash(cred.secret); err != nil {
		return fmt.Errorf("remembering the refused login: %w", err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("remembering the refused login: %w", err)
	}
	path := m.path(cred)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("remembering the refused login: %w", err)
	}
	if err := renameio.WriteFile(path, append(text, '\n'), 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("remembering the refused login: %w", err)
	}
	return nil
}

// forget is for a credential that was taken: what was refused for this user before was another.
func (m memory) forget(cred credential) error {
	if m.dir == "" {
		return nil
	}
	if err := os.Remove(m.path(cred)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the refused login: %w", err)
	}
	return nil
}
