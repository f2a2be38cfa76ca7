package pfsense

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guarded is a firewall that accepts one password.
func guarded(password string) http.HandlerFunc {
	refuses := func(w http.ResponseWriter) {
		w.WriteHeader(401)
		fmt.Fprint(
			w, `{"code":401,"status":"unauthorized","response_id":"AUTH_AUTHENTICATION_FAILED","message":"Authentication `+
				`failed.","data":[]}`)
	}
	return bothTransports(func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != password && r.Header.Get("X-API-Key") != password {
			refuses(w)
			return
		}
		restAnswers(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != password {
			fmt.Fprint(
				w, `<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>`+
					`-1</int></value></member><member><name>faultString</name><value><string>no</string></value></member>`+
					`</struct></value></fault></methodResponse>`)
			return
		}
		xmlrpcAnswers(w, r)
	})
}

func TestRejectedIsRecorded(t *testing.T) {
	for _, transport := range []string{"auto", "rest", "xmlrpc"} {
		b := newRecorder(t, guarded("right"))
		c := b.withStateDir(t, transport)
		try := func(change func(*Config)) (requests int, err error) {
			next := c
			if change != nil {
				change(&next)
			}
			before := len(b.requests())
			_, err = mustDial(t, next).run(t.Context(), read)
			return len(b.requests()) - before, err
		}
		if n, err := try(nil); !errors.Is(err, ErrCredential) || n != 1 {
			t.Fatalf("%s: %v, %d requests", transport, err, n)
		}
		files, err := filepath.Glob(filepath.Join(c.StateDir, "refused", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: files %q, %v", transport, files, err)
		}
		kept, err := os.ReadFile(files[0])
		if info, _ := os.Stat(files[0]); err != nil || info.Mode() != 0o600 || leaks(string(kept)) ||
			!strings.Contains(string(kept), testUser) {
			t.Errorf("%s: mode %v, %s, %v", transport, info.Mode(), kept, err)
		}

		// Neither way sends it again, in no process.
		for _, other := range []string{"auto", "rest", "xmlrpc"} {
			n, err := try(func(c *Config) { c.Transport = other })
			if !errors.Is(err, ErrNotSent) || n != 0 || !strings.Contains(err.Error(), `user "pxeagent"`) || leaks(err.Error()) {
				t.Errorf("%s after %s: %v, %d requests", other, transport, err, n)
			}
		}
		// Another user, another firewall and another state folder are another matter.
		if n, err := try(func(c *Config) { c.User = "other" }); !errors.Is(err, ErrCredential) || n != 1 {
			t.Errorf("%s, another user: %v, %d requests", transport, err, n)
		}
		if n, err := try(func(c *Config) { c.StateDir = t.TempDir() }); !errors.Is(err, ErrCredential) || n != 1 {
			t.Errorf("%s, another folder: %v, %d requests", transport, err, n)
		}
		if n, err := try(func(c *Config) { c.RetryAuth = true }); !errors.Is(err, ErrCredential) || n != 1 {
			t.Errorf("%s, --retry-auth: %v, %d requests", transport, err, n)
		}
		if n, err := try(nil); !errors.Is(err, ErrNotSent) || n != 0 {
			t.Errorf("%s after --retry-auth: %v, %d requests", transport, err, n)
		}
		// A changed one is sent, and once accepted the rejected one is removed.
		if n, err := try(func(c *Config) { c.Password = text("wrong as well") }); !errors.Is(err, ErrCredential) || n != 1 {
			t.Errorf("%s, changed: %v, %d requests", transport, err, n)
		}
		if _, err := try(func(c *Config) { c.Password = text("right") }); err != nil {
			t.Errorf("%s, right: %v", transport, err)
		}
		if _, err := os.Stat(files[0]); !os.IsNotExist(err) {
			t.Errorf("%s: still remembered: %v", transport, err)
		}
	}
}

// A missing privilege is not a wrong password: once it was given, the same login works.
func TestMissingPrivilegeIsNotRecorded(t *testing.T) {
	for _, transport := range []string{"rest", "xmlrpc"} {
		lacks := transcript(t, map[string]string{"rest": "err-403-nopriv", "xmlrpc": "xmlrpc-nopriv"}[transport])
		given := false
		b := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
			if given {
				guarded(testPassword)(w, r)
				return
			}
			lacks(w, r)
		})
		c := b.withStateDir(t, transport)
		if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrPrivilege) {
			t.Errorf("%s: %v, want %v", transport, err, ErrPrivilege)
		}
		given = true
		if _, err := mustDial(t, c).run(t.Context(), read); err != nil {
			t.Errorf("%s, after it was given: %v", transport, err)
		}
	}
}

// The same within one process.
func TestRejectedOnce(t *testing.T) {
	b := newRecorder(t, guarded("right"))
	r := mustDial(t, b.withStateDir(t, "auto"))
	for range 3 {
		r.run(t.Context(), read)
	}
	if n := len(b.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRejectedKey(t *testing.T) {
	b := newRecorder(t, guarded("right"))
	c := b.withStateDir(t, "auto")
	c.APIKey = text(testKey)
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrCredential) || leaks(err.Error()) {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrNotSent) ||
		!strings.Contains(err.Error(), "the API key") {
		t.Error(err)
	}
	if n := len(b.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A login that cannot be recorded is part of the error; an unreadable record sends nothing.
func TestRejectedLoginsUnreadable(t *testing.T) {
	b := newRecorder(t, guarded("right"))
	c := b.withStateDir(t, "rest")
	blocked := filepath.Join(c.StateDir, "refused")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); err == nil || len(b.requests()) != 0 {
		t.Errorf("folder is a file: %v, %d requests", err, len(b.requests()))
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrCredential) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(blocked, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mustDial(t, c).run(t.Context(), read); !errors.Is(err, ErrNotSent) ||
		!strings.Contains(err.Error(), files[0]) {
		t.Error(err)
	}
	if n := len(b.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}
