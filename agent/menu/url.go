package menu

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Base is the URL under which machines reach an HTTP server. Port 80 is left out, since it is understood, and
// every byte counts in an embedded script and in a multiboot command line.
func Base(a netip.AddrPort) *url.URL {
	u := &url.URL{Scheme: "http", Host: a.String()}
	if a.Port() == 80 {
		u.Host = strings.TrimSuffix(u.Host, ":80")
	}
	return u
}

// checkBase refuses a base URL that iPXE could not use in a script as it stands.
func checkBase(u *url.URL) (string, error) {
	switch {
	case u == nil:
		return "", fmt.Errorf("no URL for HTTP")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("the URL for HTTP is %q; want http://…", u)
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
		return "", fmt.Errorf("the URL for HTTP is %q; want scheme, host, port and perhaps a path", u.Redacted())
	}
	s := strings.TrimSuffix(u.String(), "/")
	if u.Port() == "80" && u.Scheme == "http" {
		s = strings.Replace(s, u.Host, strings.TrimSuffix(u.Host, ":80"), 1)
	}
	if strings.ContainsFunc(
		s,
		func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`$"'\`+"`|&;#", r) },
	) {
		return "", fmt.Errorf("the URL for HTTP, %q, has characters that mean something in an iPXE script", s)
	}
	return s, nil
}
