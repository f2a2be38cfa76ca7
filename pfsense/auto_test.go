package pfsense

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// restAnswers answers as a REST package that runs whatever it gets and whose programs leave {}.
func restAnswers(w http.ResponseWriter, r *http.Request) {
	var in struct{ Command string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	out := ""
	if m := regexp.MustCompile(`echo "\\n([0-9a-f]{32}):",\$toreturn`).FindStringSubmatch(in.Command); m != nil {
		out = m[1] + ":{}"
	}
	fmt.Fprintf(
		w, `{"code":200,"status":"ok","response_id":"SUCCESS","message":"","data":{"output":%q,"result_code":0}}`, out)
}

func xmlrpcAnswers(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(
		w, `<?xml version="1.0" encoding="utf-8"?><methodResponse><params><param><value><string>{}</string></value>`+
			`</param></params></methodResponse>`)
}

// bothTransports is a firewall with a handler for each transport.
func bothTransports(byREST, byXMLRPC http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == xmlrpcPath {
			byXMLRPC(w, r)
			return
		}
		byREST(w, r)
	}
}

// transports are the transports in on which a firewall was asked, each once: "rest xmlrpc".
func (b *recorder) transports() string {
	var used []string
	for _, a := range b.requests() {
		way := "rest"
		if a.path == xmlrpcPath {
			way = "xmlrpc"
		}
		if len(used) == 0 || used[len(used)-1] != way {
			used = append(used, way)
		}
	}
	return strings.Join(used, " ")
}

func TestAuto(t *testing.T) {
	for _, c := range []struct {
		name         string
		rest, xmlrpc string // transcripts; "": it answers
		key          bool
		want         error
		used         string
		chosen, why  string
	}{
		{"the package is there", "", "", false, nil, "rest", "REST at ", "the REST package answers"},
		{"it is not", "err-404-noendpoint", "", false, nil, "rest xmlrpc", "XML-RPC at ", "does not answer"},
		{"an API key", "", "", true, nil, "rest", "REST at ", "an API key is configured"},
		{"an API key and no package", "err-404-noendpoint", "", true, ErrNoPackage, "rest", "REST at ",
			"an API key is configured"},
		{"refused", "err-401-badpw", "", false, ErrCredential, "rest", "REST or XML-RPC", ""},
		{"refused by XML-RPC", "err-404-noendpoint", "xmlrpc-badpw", false, ErrCredential, "rest xmlrpc", "XML-RPC at ",
			"does not answer"},
		{"no privilege", "err-403-nopriv", "", false, ErrPrivilege, "rest", "REST at ", "the REST package answers"},
		{"read-only", "err-405-readonly", "", false, ErrReadOnly, "rest", "REST at ", "the REST package answers"},
		{"switched off", "err-503-disabled", "", false, ErrUnavailable, "rest", "REST or XML-RPC", ""},
		{"neither", "err-404-noendpoint", "err-404-noendpoint", false, ErrNotPfSense, "rest xmlrpc", "XML-RPC at ", ""},
	} {
		byREST, byXMLRPC := restAnswers, xmlrpcAnswers
		if c.rest != "" {
			byREST = transcript(t, c.rest)
		}
		if c.xmlrpc != "" {
			byXMLRPC = transcript(t, c.xmlrpc)
		}
		b := newRecorder(t, bothTransports(byREST, byXMLRPC))
		conf := b.config(t, "auto")
		var log bytes.Buffer
		conf.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if c.key {
			conf.APIKey = text(testKey)
		}
		r := mustDial(t, conf)
		_, err := r.run(t.Context(), read)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || b.transports() != c.used {
			t.Errorf("%s: %v by %s; want %v by %s", c.name, err, b.transports(), c.want, c.used)
		}
		if !strings.HasPrefix(r.String(), c.chosen) || !strings.Contains(log.String(), c.why) ||
			strings.Count(log.String(), "way into the firewall") > 1 {
			t.Errorf("%s: chose %s, logged %s", c.name, r, log.String())
		}
		if leaks(log.String() + fmt.Sprint(err)) {
			t.Errorf("%s: a secret in %s, %v", c.name, log.String(), err)
		}
		for _, a := range b.requests() {
			if (a.key != "") != c.key || (a.auth != "") == c.key {
				t.Errorf("%s: sent %q and %q", c.name, a.auth, a.key)
			}
			if strings.Contains(a.accept, "|") || strings.Contains(a.accept, ",") || a.accept == "" {
				t.Errorf("%s: accepts %q", c.name, a.accept)
			}
		}
	}
}

// The transport is chosen once.
func TestAutoStays(t *testing.T) {
	b := newRecorder(t, bothTransports(transcript(t, "err-404-noendpoint"), xmlrpcAnswers))
	r := mustDial(t, b.config(t, "auto"))
	for range 3 {
		if _, err := r.run(t.Context(), read); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.requests()); n != 4 {
		t.Errorf("%d requests", n)
	}
}

// A redirect is not followed, and its target gets no request.
func TestRedirect(t *testing.T) {
	thief := newRecorder(t, restAnswers)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, transport := range []string{"auto", "rest", "xmlrpc"} {
			b := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, thief.URL+r.URL.Path, status)
			})
			_, err := mustDial(t, b.config(t, transport)).run(t.Context(), read)
			if !errors.Is(err, ErrNotPfSense) || !strings.Contains(err.Error(), thief.Listener.Addr().String()) {
				t.Errorf("%d by %s: %v", status, transport, err)
			}
		}
	}
	if n := len(thief.requests()); n != 0 {
		t.Errorf("%d requests went to the other host", n)
	}
}

// tidying reports whether r removes the file of a run that failed.
func tidying(t *testing.T, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return strings.Contains(string(body), "rm -f")
}

// Slow, closed, canceled: each is its own error, and nothing is sent again.
func TestNoAnswer(t *testing.T) {
	for _, transport := range []string{"rest", "xmlrpc"} {
		done := make(chan struct{})
		slow := newRecorder(t, func(_ http.ResponseWriter, r *http.Request) {
			if tidying(t, r) {
				return
			}
			select {
			case <-done:
			case <-r.Context().Done():
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := mustDial(t, slow.config(t, transport)).run(ctx, read)
		cancel()
		close(done)
		if !errors.Is(err, ErrTimeout) {
			t.Errorf("slow, by %s: %v", transport, err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		stuck := newRecorder(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			if !tidying(t, r) {
				<-r.Context().Done()
			}
		})
		_, err = mustDial(t, stuck.config(t, transport)).run(ctx, read)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled, by %s: %v", transport, err)
		}

		cut := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
		_, err = mustDial(t, cut.config(t, transport)).run(t.Context(), read)
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("cut, by %s: %v", transport, err)
		}
		runs := 0
		for _, a := range cut.requests() {
			if !strings.Contains(a.body, "rm -f") {
				runs++
			}
		}
		if runs != 1 {
			t.Errorf("cut, by %s: sent %d times", transport, runs)
		}
	}
}

func TestNoCredential(t *testing.T) {
	b := newRecorder(t, restAnswers)
	broken := errors.New("reading the password: no such file")
	for _, c := range []struct {
		transport string
		change    func(*Config)
		want      error
	}{
		{"rest", func(c *Config) { c.User = "" }, ErrNoCredential},
		{"rest", func(c *Config) { c.Password = nil }, ErrNoCredential},
		{"auto", func(c *Config) { c.Password = text("") }, ErrNoCredential},
		{"xmlrpc", func(c *Config) { c.Password, c.APIKey = nil, text(testKey) }, ErrNoCredential},
		{"auto", func(c *Config) { c.Password = func() (string, error) { return "", broken } }, broken},
		{"auto", func(c *Config) { c.APIKey = func() (string, error) { return "", broken } }, broken},
	} {
		conf := b.config(t, c.transport)
		c.change(&conf)
		if _, err := mustDial(t, conf).run(t.Context(), read); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.transport, err, c.want)
		}
	}
	if n := len(b.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
