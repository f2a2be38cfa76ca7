package pfsensetest

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordedAt is when the configuration was made that the recordings show.
var recordedAt = time.Unix(1780000000, 0)

// rig is a firewall as that of the recordings.
func rig(t *testing.T) *Firewall {
	t.Helper()
	f, err := New(Options{
		Clock: func() time.Time { return recordedAt },
		Users: []User{
			{Name: "admin", Password: "pfsense", Privileges: []string{everything}},
			{Name: "pxeagent", Password: "agentpw", Privileges: []string{"api-v2-diagnostics-command-prompt-post"}},
			{Name: "nopriv", Password: "nobodypw"},
			{Name: "hasync", Password: "syncpw", Privileges: []string{xmlrpcPrivilege}},
		},
		Keys: []Key{{Value: "b63a59cc909ac53f451df7e304169b9a4c6d7632906c1f60422cd95e765f236f", User: "admin"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.history[0].Message = "admin@10.99.0.50 (Local Database): rig base configuration"
	return f
}

// client trusts f by its fingerprint alone.
func client(f *Firewall) *http.Client {
	want := f.Fingerprint()
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			if sha256.Sum256(s.PeerCertificates[0].Raw) != want {
				return errors.New("another certificate")
			}
			return nil
		},
	}}}
}

// The recordings that this firewall gives to the same request. Those with a fault were made where something was wrong;
// those with another path asked an endpoint that is not here, and their answers do not depend on it.
var replays = map[string]struct {
	fault Kind
	path  string
}{
	"auth-jwt-create": {}, "auth-key-use": {}, "config-history-list": {},
	"command-len-1024": {}, "command-len-1025": {}, "command-nopriv": {}, "command-nonutf8": {fault: NoText},
	"err-400-badjson":    {path: "POST /api/v2/diagnostics/command_prompt"},
	"err-401-badkey":     {path: "GET /api/v2/system/version"},
	"err-401-badpw":      {path: "GET /api/v2/system/version"},
	"err-401-noauth":     {path: "GET /api/v2/system/version"},
	"err-403-acl":        {fault: NotAllowed},
	"err-403-nopriv":     {path: "GET /api/v2/system/version"},
	"err-404-noendpoint": {}, "err-405-readonly": {fault: ReadOnly}, "err-406-accept": {},
	"err-503-disabled": {fault: Disabled},
	"interface-get-id": {}, "query-interfaces-descr": {}, "query-interfaces-descr-lower": {}, "query-interfaces-if": {},
	"rest-interfaces": {}, "rest-version": {},
	"xmlrpc-badpw": {}, "xmlrpc-noauth": {}, "xmlrpc-nopriv": {}, "xmlrpc-nomethod": {}, "xmlrpc-version": {},
	"xmlrpc-exec-php-empty": {fault: NoResult}, "xmlrpc-exec-php-fatal": {fault: Fatal}, "xmlrpc-exec-php-parse": {},
	"xmlrpc-exec-php-echo": {fault: Print}, "xmlrpc-exec-php-throw": {fault: Throw},
}

func TestAnswersAreTheRecorded(t *testing.T) {
	for name, how := range replays {
		t.Run(name, func(t *testing.T) {
			f := rig(t)
			if how.fault != "" {
				f.Order(Fault{Kind: how.fault})
			}
			ask, want, wantBody := transcript(t, name)
			if method, path, other := strings.Cut(how.path, " "); other {
				ask.Method, ask.URL.Path, ask.URL.RawQuery = method, path, ""
			}
			ask.URL.Scheme, ask.URL.Host, ask.RequestURI = "https", f.URL().Host, ""
			got, err := client(f).Do(ask)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			body, err := io.ReadAll(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != want.StatusCode {
				t.Errorf("status %d, recorded %d", got.StatusCode, want.StatusCode)
			}
			for _, header := range []string{"Content-Type", "WWW-Authenticate", "Retry-After"} {
				if g, w := got.Header.Get(header), want.Header.Get(header); g != w {
					t.Errorf("%s %q, recorded %q", header, g, w)
				}
			}
			if diff := cmp.Diff(essence(wantBody), essence(string(body))); diff != "" {
				t.Errorf("recorded (-) and answered (+):\n%s", diff)
			}
		})
	}
}

// essence is a body without what differs between any two firewalls: their kernel, and how deep a PHP error happened.
func essence(body string) string {
	body = regexp.MustCompile(
		`<name>(kernel|base)</name><value><struct><member><name>version</name><value><string>[^<]*`).ReplaceAllString(body,
		"<name>$1")
	body = regexp.MustCompile(`(?s)\nStack trace:.*\n  thrown`).ReplaceAllString(body, "\n  thrown")
	return strings.TrimSpace(body)
}

// transcript is a recorded request and its answer.
func transcript(t *testing.T, name string) (*http.Request, *http.Response, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/transcripts", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	asked, answered, ok := strings.Cut(strings.TrimPrefix(string(text), ">>> REQUEST\n"), "<<< RESPONSE\n")
	if !ok {
		t.Fatalf("%s: no answer", name)
	}
	ask, err := http.ReadRequest(bufio.NewReader(strings.NewReader(asked)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	want, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answered)), nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// The recorder wrote the length of the body that PHP sent, without the line's end after it.
	_, body, _ := strings.Cut(answered, "\n\n")
	return ask, want, body
}

func TestTokens(t *testing.T) {
	f := rig(t)
	ask := func(method, path, authorization string) (int, string) {
		r, err := http.NewRequest(method, f.URL().JoinPath(path).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", authorization)
		resp, err := client(f).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	_, body := ask("POST", "/api/v2/auth/jwt", "Basic YWRtaW46cGZzZW5zZQ==")
	var made struct{ Data struct{ Token string } }
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	if code, body := ask("GET", "/api/v2/system/version", "Bearer "+made.Data.Token); code != http.StatusOK {
		t.Errorf("with a token: %d %s", code, body)
	}
	for _, forged := range []string{made.Data.Token + "x", "x" + made.Data.Token, "", "..",
		made.Data.Token[:len(made.Data.Token)-4] + "AAAA"} {
		if code, _ := ask("GET", "/api/v2/system/version", "Bearer "+forged); code != http.StatusUnauthorized {
			t.Errorf("with %q: %d", forged, code)
		}
	}
	f.opts.Clock = func() time.Time { return recordedAt.Add(2 * time.Hour) }
	if code, _ := ask("GET", "/api/v2/system/version", "Bearer "+made.Data.Token); code != http.StatusUnauthorized {
		t.Errorf("with an old token: %d", code)
	}
	if n := f.Refused(); n != 6 {
		t.Errorf("%d logins were rejected, want 6", n)
	}
}
