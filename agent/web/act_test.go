package web

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/catalog"
)

const theToken = "a-token-for-tests-0123456789"

// deeds keeps what was done.
type deeds struct {
	mu     sync.Mutex
	checks int
	once   []string
}

func (d *deeds) Check() { d.mu.Lock(); d.checks++; d.mu.Unlock() }

func (d *deeds) Once(mac net.HardwareAddr, item string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch item {
	case "nothing":
		return catalog.ErrUnknownItem
	case "shell":
		return catalog.ErrNotOnce
	case "broken":
		return io.ErrShortWrite
	}
	d.once = append(d.once, mac.String()+" "+item)
	return nil
}

// post sends a request to act. Header is name, value, …; the name Host is the Host header.
func (s *site) post(path, body string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+theToken)
	for i := 0; i < len(header); i += 2 {
		switch header[i] {
		case "Host":
			req.Host = header[i+1]
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

func TestActions(t *testing.T) {
	d := &deeds{}
	s := newSite(t, func(c *Config) { c.Actions, c.Gate = d, NewGate(theToken, "pxe.example.org") })
	const mac = "52-54-00-12-34-AB"
	for _, test := range []struct {
		what, path, body string
		header           []string
		status           int
	}{
		{"the token is right", "/api/v1/token", "", nil, 204},
		{"check now", "/api/v1/check", "{}", nil, 202},
		{"by a name of page.hosts", "/api/v1/check", "", []string{"Host", "PXE.example.org.:8080"}, 202},
		{"by localhost", "/api/v1/check", "", []string{"Host", "localhost:8080"}, 202},
		{"by IPv6", "/api/v1/check", "", []string{"Host", "[2001:db8::1]:80"}, 202},
		{"from its own page", "/api/v1/check", "", []string{"Sec-Fetch-Site", "same-origin", "Origin", s.url}, 202},
		{"boot once", "/api/v1/once", `{"mac":"` + mac + `","item":"debian-12"}`, nil, 204},
		{"take it back", "/api/v1/once", `{"mac":"` + mac + `","item":""}`, nil, 204},

		{"a wrong token", "/api/v1/check", "", []string{"Authorization", "Bearer " + theToken + "x"}, 401},
		{"no token", "/api/v1/check", "", []string{"Authorization", ""}, 401},
		{"the token as a password", "/api/v1/check", "", []string{"Authorization", "Basic " + theToken}, 401},
		{"a name that points here (DNS rebinding)", "/api/v1/check", "", []string{"Host", "evil.example"}, 421},
		{"a name that ends like ours", "/api/v1/check", "", []string{"Host", "evil.pxe.example.org"}, 421},
		{"a name that begins like an address", "/api/v1/check", "", []string{"Host", "127.0.0.1.evil.example"}, 421},
		{"another site's page", "/api/v1/check", "", []string{"Sec-Fetch-Site", "cross-site", "Origin",
			"https://evil.example"}, 403},
		{"an old browser on another site's page", "/api/v1/check", "", []string{"Origin", "https://evil.example"}, 403},
		{"a form", "/api/v1/check", "", []string{"Content-Type", "text/plain"}, 415},
		{"no MAC", "/api/v1/once", `{"mac":"x","item":"debian-12"}`, nil, 400},
		{"a MAC of 8 bytes", "/api/v1/once", `{"mac":"00:00:00:00:00:00:00:01","item":"debian-12"}`, nil, 400},
		{"no item", "/api/v1/once", `{"mac":"` + mac + `"}`, nil, 400},
		{"an unknown item", "/api/v1/once", `{"mac":"` + mac + `","item":"nothing"}`, nil, 400},
		{"an item that cannot", "/api/v1/once", `{"mac":"` + mac + `","item":"shell"}`, nil, 400},
		{"everybody's MAC", "/api/v1/once", `{"mac":"ff:ff:ff:ff:ff:ff","item":"debian-12"}`, nil, 400},
		{"nobody's MAC", "/api/v1/once", `{"mac":"00:00:00:00:00:00","item":"debian-12"}`, nil, 400},
		{"it cannot be kept", "/api/v1/once", `{"mac":"` + mac + `","item":"broken"}`, nil, 500},
		{"something else", "/api/v1/once", `{"mac":"` + mac + `","item":"a","root":true}`, nil, 400},
		{"two requests", "/api/v1/once", `{"mac":"` + mac + `","item":"a"}{}`, nil, 400},
		{"no JSON", "/api/v1/once", `mac=1`, nil, 400},
		{"too long", "/api/v1/once", `{"mac":"` + strings.Repeat("5", 1<<16) + `","item":"a"}`, nil, 400},
		{"no such action", "/api/v1/reboot", `{}`, nil, 405},
	} {
		resp, body := s.post(test.path, test.body, test.header...)
		if resp.StatusCode != test.status {
			t.Errorf("%s: %s %q, want %d", test.what, resp.Status, body, test.status)
		}
		if strings.Contains(body, theToken) {
			t.Errorf("%s: the answer holds the token", test.what)
		}
		if (resp.StatusCode == 401) != strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: WWW-Authenticate is %q", test.what, resp.Header.Get("WWW-Authenticate"))
		}
	}
	if want := []string{"52:54:00:12:34:ab debian-12", "52:54:00:12:34:ab "}; d.checks != 5 ||
		!slices.Equal(d.once, want) {
		t.Errorf("done: %d checks, %q", d.checks, d.once)
	}
	if strings.Contains(s.log.String(), theToken) {
		t.Error("the log holds the token")
	}
	// What acts is never a GET.
	for _, path := range []string{"/api/v1/token", "/api/v1/check", "/api/v1/once"} {
		if resp, _ := s.do("GET", path, "Authorization", "Bearer "+theToken); resp.StatusCode < 400 {
			t.Errorf("GET %s: %s", path, resp.Status)
		}
	}
}

func TestReadOnlyWithoutAToken(t *testing.T) {
	d := &deeds{}
	s := newSite(t, func(c *Config) { c.Actions = d })
	for _, path := range []string{"/api/v1/token", "/api/v1/check", "/api/v1/once"} {
		if resp, body := s.post(path, `{"mac":"52:54:00:12:34:56","item":"a"}`, "Authorization",
			"Bearer "); resp.StatusCode != 403 ||
			!strings.Contains(body, "page.token_file") {
			t.Errorf("%s: %s %q", path, resp.Status, body)
		}
	}
	if d.checks > 0 || len(d.once) > 0 {
		t.Errorf("done: %+v", d)
	}
}
