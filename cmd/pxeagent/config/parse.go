package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

// The parsers return a clause about the value that follows its key in the message.

func parseLine(s string) (string, error) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", fmt.Errorf("%q holds a control character; want one line of text", s)
	}
	return s, nil
}

// parseName takes what networks and devices are called. No name holds a slash: names become
// parts of file names.
func parseName(s string) (string, error) {
	switch {
	case len(s) > 64:
		return "", fmt.Errorf("%q is longer than 64 bytes", s)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("%q holds a control character", s)
	case strings.Contains(s, "/"):
		return "", fmt.Errorf("%q holds a slash; want a name such as eth1", s)
	}
	return s, nil
}

// parseBootFile takes the name of a file as machines ask for it: below the tree, without a way out of it.
func parseBootFile(s string) (string, error) {
	odd := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' })
	switch {
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is a URL; want the name of a file, such as ipxe.efi: UEFI HTTP boot is sent its URL", s)
	case strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("%q begins with a slash; want a name below serve.root/tftp, such as ipxe.efi", s)
	case odd || !fs.ValidPath(s) || s == ".":
		return "", fmt.Errorf("invalid file name %q: want one such as ipxe.efi or shim/shimx64.efi", s)
	case len(s) > dhcp.MaxBootFile:
		return "", fmt.Errorf("%q has %d bytes; a DHCP server sends at most %d", s, len(s), dhcp.MaxBootFile)
	}
	return s, nil
}

// parseHostName takes a name as it stands in a URL.
func parseHostName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
	if name == "" || len(name) > 253 || odd {
		return "", fmt.Errorf("invalid host name %q: want one such as pxe.example.org, without a port", s)
	}
	return name, nil
}

func parseNextServer(s string) (netip.Addr, error) {
	if s == "auto" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return a, fmt.Errorf("invalid IPv4 address %q: want one such as 10.0.0.7, or auto", s)
	case !a.Is4():
		return a, fmt.Errorf("%q is not IPv4; machines boot from an IPv4 address such as 10.0.0.7", s)
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return a, fmt.Errorf("%q is not an address that a machine can reach: want this agent's, such as 10.0.0.7", s)
	}
	return a, nil
}

func parseListen(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if _, err := parsePort(s); err == nil {
			return netip.AddrPort{}, fmt.Errorf("%q has no colon; want :%s", s, s)
		}
		if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			return netip.AddrPort{}, fmt.Errorf("%q has no port; want ADDR:PORT, such as %s", s, netip.AddrPortFrom(a, 69))
		}
		return netip.AddrPort{}, fmt.Errorf("invalid listening address %q: want :69 or 10.0.0.7:69", s)
	}
	var a netip.Addr
	if host != "" {
		if a, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{},
				fmt.Errorf("%q names %q, which is not an IP address: want :%s or 10.0.0.7:%s", s, host, port, port)
		}
	}
	p, err := parsePort(port)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q has port %q; want a number from 0 to 65535", s, port)
	}
	return netip.AddrPortFrom(a, p), nil
}

func parsePort(s string) (uint16, error) {
	p, err := strconv.ParseUint(s, 10, 16)
	return uint16(p), err
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("invalid network %q: want one such as 10.0.0.0/24", s)
	case p != p.Masked():
		return p, fmt.Errorf("%q is an address within its network; want %s", s, p.Masked())
	}
	return p, nil
}

// parseBool takes true and false only. YAML's yes, on and 1 would mean one thing in the file
// and another in a variable.
func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("invalid value %q: use true or false", s)
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			return 0, fmt.Errorf("%q has no unit; want %ss", s, s)
		}
		return 0, fmt.Errorf("invalid duration %q: want one such as 30s or 5m", s)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative", s)
	}
	return d, nil
}

func parseMenuTimeout(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && (d > 24*time.Hour || d > 0 && d < time.Second) {
		err = fmt.Errorf("%q is out of range; want 1s to 24h, or 0 to wait for ever", s)
	}
	return d, err
}

// A boot takes about 3 kB of memory and of disk, and 25 kB where it asked for many files with long names.
func parseBootsKept(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 10000 {
		return 0, fmt.Errorf("invalid number %q: want 1 to 10000", s)
	}
	return n, nil
}

func parseMaxAge(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && d > 0 && d < time.Hour {
		err = fmt.Errorf("%q is out of range; want at least 1h, or 0 for ever", s)
	}
	return d, err
}

func parseStall(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && (d > 24*time.Hour || d < 10*time.Second) {
		err = fmt.Errorf("%q is out of range; want 10s to 24h", s)
	}
	return d, err
}

// parseWebhookURL never repeats the text: such URLs may hold a token.
func parseWebhookURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("invalid URL: want one such as https://hooks.example.org/boots")
	case u.User != nil:
		return nil, errors.New("holds a user or a password; want webhook.secret_file, which signs the posts")
	case u.Fragment != "":
		return nil, errors.New("has a part after #, which is not sent")
	}
	return u, nil
}

// Every DISCOVER makes a DHCP server set an address aside for a while.
func parseProbeInterval(s string) (time.Duration, error) {
	d, err := parseDuration(s)
	if err == nil && (d > 24*time.Hour || d > 0 && d < 10*time.Second) {
		err = fmt.Errorf("%q is out of range; want 10s to 24h, or 0 for no probes", s)
	}
	return d, err
}

func parseMAC(s string) (net.HardwareAddr, error) {
	m, err := net.ParseMAC(s)
	switch {
	case err != nil || len(m) != 6:
		return nil, fmt.Errorf("invalid MAC address %q: want one such as 02:00:5e:10:00:01", s)
	case m[0]&1 != 0:
		return nil, fmt.Errorf("%q is a group address: the first byte of a machine's is even, as in 02:00:5e:10:00:01", s)
	case m.String() == "00:00:00:00:00:00":
		return nil, fmt.Errorf("invalid MAC address %q: all its bytes are zero", s)
	}
	return m, nil
}

// ParseFingerprint takes hex with or without colons, as openssl and browsers write it.
func ParseFingerprint(s string) (*[32]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil {
		return nil, fmt.Errorf("invalid SHA-256 %q: want 64 hex digits", s)
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("invalid SHA-256 %q: it has %s, want 32", s, cli.Count(len(b), "byte"))
	}
	return (*[32]byte)(b), nil
}

func parseLevel(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.ToLower(l.String()) == s {
			return l, nil
		}
	}
	return 0, notOneOf(s, []string{"debug", "info", "warn", "error"})
}

func notOneOf(s string, names []string) error {
	if near := cli.Nearest(s, names); near != "" {
		return fmt.Errorf("unknown value %q: did you mean %s? There are %s", s, near, strings.Join(names, ", "))
	}
	return fmt.Errorf("unknown value %q: use %s", s, eitherOf(names))
}

// eitherOf is "a, b or c".
func eitherOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
