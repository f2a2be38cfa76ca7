package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/watch"
)

func TestStatusIsJSON(t *testing.T) {
	s, _, _ := newPageSite(t)
	resp, body := s.do("GET", "/api/v1/status")
	var got Status
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	if got.Networks[0].Name != "lab" || got.Networks[0].Clients[0].State[watch.StepNBP] != watch.Good ||
		got.Events[0].Text != hostile[0] ||
		time.Since(got.At) > time.Minute {
		t.Errorf("got %+v", got)
	}
	for name, want := range map[string]string{"Content-Type": "application/json; charset=utf-8",
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": ""} {
		if h := resp.Header.Get(name); h != want {
			t.Errorf("%s is %q", name, h)
		}
	}
	// In JSON that a browser were to take for a page, there would be no markup.
	if strings.ContainsAny(body, "<>") {
		t.Error("the answer holds markup")
	}
}

func TestStatusIsBounded(t *testing.T) {
	s, live, _ := newPageSite(t)
	live.set(func(s *Status) { s.Events = append(s.Events, Event{Text: strings.Repeat("x", MaxStatus)}) })
	if resp, _ := s.do("GET", "/api/v1/status"); resp.StatusCode != 500 {
		t.Errorf("%s", resp.Status)
	}
	if !strings.Contains(s.log.String(), "over 2097152") {
		t.Errorf("the log does not say why:\n%s", &s.log)
	}
}

func TestMenuIsShownMasked(t *testing.T) {
	var asked boot.Facts
	var from netip.Addr
	s := newSite(t, func(c *Config) {
		c.ShowMenu = func(f boot.Facts, a netip.Addr) (Shown, error) {
			asked, from = f, a
			return Shown{
				Script: "#!ipxe\nkernel /k root_shadow=geheim\n" + strings.Repeat("# more\n", maxShown/7),
			}, nil
		}
	})
	resp, body := s.do(
		"GET",
		"/api/v1/menu?mac=52-54-00-12-34-56&platform=efi&buildarch=x86_64&addr=192.0.2.9%25eth0&product=a%00b",
	)
	var got Shown
	if err := json.Unmarshal([]byte(body), &got); err == nil || resp.StatusCode != 400 {
		t.Errorf("an IPv4 address with a zone: %s", resp.Status)
	}
	_, body = s.do(
		"GET",
		"/api/v1/menu?mac=52-54-00-12-34-56&platform=efi&buildarch=x86_64&addr=192.0.2.9&product=a%00b",
	)
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, "geheim") || !strings.Contains(got.Script, "root_shadow=(hidden)") ||
		len(got.Script) > maxShown+100 {
		t.Errorf("the script is %.200q, of %d bytes", got.Script, len(got.Script))
	}
	if want := (boot.Facts{MAC: "52:54:00:12:34:56", Platform: "efi", Arch: "x86_64"}); asked != want ||
		from != netip.MustParseAddr("192.0.2.9") {
		t.Errorf("asked as %+v from %s", asked, from)
	}
}

var (
	inStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	inScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

func TestPagePolicy(t *testing.T) {
	s, _, _ := newPageSite(t)
	resp, body := s.do("GET", "/")
	policy := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
		"frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy+";", part+";") {
			t.Errorf("the policy lacks %q: %s", part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is loose: %s", policy)
	}
	// The hashes are of what was sent, and nothing else that would run or style was sent.
	for kind, re := range map[string]*regexp.Regexp{"style-src": inStyle, "script-src": inScript} {
		found := re.FindAllStringSubmatch(body, -1)
		if len(found) != 1 {
			t.Fatalf("%d of %s", len(found), kind)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := kind + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(
			policy,
			want+";",
		) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
		body = re.ReplaceAllString(body, "")
	}
	if m := regexp.MustCompile(`(?i)<[^>]*\s(?:on\w+|style)=`).FindString(body); m != "" {
		t.Errorf("an attribute that runs or styles: %s", m)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if h := resp.Header.Get(name); h != want {
			t.Errorf("%s is %q", name, h)
		}
	}
}

// Without JavaScript the page links to the same as JSON. What machines sent is only there, and never part of the page.
func TestPageWithoutJavaScript(t *testing.T) {
	s, _, _ := newPageSite(t)
	_, body := s.do("GET", "/")
	body = inScript.ReplaceAllString(inStyle.ReplaceAllString(body, ""), "")
	_, text, _ := strings.Cut(body, "<noscript>")
	text, _, _ = strings.Cut(text, "</noscript>")
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(links) != 2 {
		t.Fatalf("the text has %d links: %s", len(links), text)
	}
	for _, link := range links {
		if resp, body := s.do("GET", link[1]); resp.StatusCode != 200 || !json.Valid([]byte(body)) {
			t.Errorf("%s: %s, %.80q", link[1], resp.Status, body)
		}
	}
	if !strings.Contains(body, "<title>pxeagent on boot-1</title>") {
		t.Error("the title does not name the host")
	}
	for _, part := range []string{"52:54:00", "onerror", "Debian 12", "\u202e", "\x1b"} {
		if strings.Contains(body, part) {
			t.Errorf("the page holds %q", part)
		}
	}
}
