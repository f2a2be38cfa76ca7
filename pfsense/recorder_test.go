package pfsense

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/dhcp/remote"
)

// The secrets of these tests, as they would look in any text that leaked them.
const (
	testUser     = "pxeagent"
	testPassword = "correct horse battery staple"
	testKey      = "b63a59cc909ac53f451df7e304169b9a"
)

func leaks(text string) bool {
	for _, s := range []string{testPassword, testPassword[:remote.TraceArg], testKey, testKey[:remote.TraceArg],
		base64.StdEncoding.EncodeToString([]byte(testUser + ":" + testPassword))} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// recorder is an HTTPS server that records its requests.
type recorder struct {
	*httptest.Server
	mu    sync.Mutex
	asked []asked
}

type asked struct {
	path, auth, key, accept string
	body                    string
}

func newRecorder(t *testing.T, answer http.HandlerFunc) *recorder {
	t.Helper()
	b := &recorder{}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the request: %v", err)
		}
		b.mu.Lock()
		b.asked = append(b.asked, asked{r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-API-Key"),
			strings.Join(r.Header.Values("Accept"), "|"), string(body)})
		b.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answer(w, r)
	}))
	b.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // rejected handshakes
	b.StartTLS()
	t.Cleanup(b.Close)
	return b
}

func (b *recorder) requests() []asked {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]asked(nil), b.asked...)
}

func (b *recorder) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (b *recorder) fingerprint() *[32]byte {
	sum := sha256.Sum256(b.Certificate().Raw)
	return &sum
}

func text(s string) func() (string, error) { return func() (string, error) { return s, nil } }

// config reaches b with its certificate pinned.
func (b *recorder) config(t *testing.T, transport string) Config {
	return Config{
		Config:    remote.Config{URL: b.url(t), TLSSHA256: b.fingerprint()},
		Transport: transport, User: testUser, Password: text(testPassword),
	}
}

// withStateDir is config with a state folder.
func (b *recorder) withStateDir(t *testing.T, transport string) Config {
	c := b.config(t, transport)
	c.StateDir = t.TempDir()
	return c
}

func mustDial(t *testing.T, c Config) transport {
	t.Helper()
	r, err := dial(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// transcript is an answer as it was recorded.
func transcript(t *testing.T, name string) http.HandlerFunc {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/transcripts", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, answer, ok := strings.Cut(string(text), "<<< RESPONSE\n")
	if !ok {
		t.Fatalf("%s holds no answer", name)
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range res.Header {
			if k != "Connection" && k != "Content-Length" && k != "Date" {
				w.Header()[k] = v
			}
		}
		w.WriteHeader(res.StatusCode)
		fmt.Fprint(w, strings.TrimRight(string(body), "\n")+"\n")
	}
}

// read is a program for tests that do not look into it.
var read = program{name: "read", code: "$pxeagent_args = 'e30=';\n$toreturn = '{}';"}
