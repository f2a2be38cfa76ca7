package menu

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestBase(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.7:80":         "http://10.0.0.7",
		"10.0.0.7:8080":       "http://10.0.0.7:8080",
		"10.0.0.7:8":          "http://10.0.0.7:8",
		"[2001:db8::7]:80":    "http://[2001:db8::7]",
		"[2001:db8::7]:10080": "http://[2001:db8::7]:10080",
	} {
		u := Base(netip.MustParseAddrPort(addr))
		if u.String() != want {
			t.Errorf("Base(%s) = %s, want %s", addr, u, want)
		}
		if got, err := checkBase(u); err != nil || got != want {
			t.Errorf("checkBase(%s) = %s, %v", u, got, err)
		}
	}
	for in, want := range map[string]string{"http://h:80/": "http://h", "http://h:80/p/": "http://h/p",
		"https://h:80": "https://h:80", "https://h:8443/": "https://h:8443"} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := checkBase(u); err != nil || got != want {
			t.Errorf("checkBase(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for want, base := range map[string]*url.URL{
		"no URL":                       nil,
		"want http://":                 {Scheme: "ftp", Host: "a"},
		"want scheme, host":            {Scheme: "http", Host: "a", RawQuery: "b"},
		"mean something in an iPXE sc": {Scheme: "http", Host: "a", Path: "/$b"},
	} {
		if _, err := New(Config{Base: base}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", base, err, want)
		}
	}
}
