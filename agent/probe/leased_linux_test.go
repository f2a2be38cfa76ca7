package probe

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// noLeases fails t if the server has given an address away.
func noLeases(t *testing.T, p *lab.Peer) {
	t.Helper()
	text, err := os.ReadFile(p.Leases)
	if os.IsNotExist(err) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	for _, a := range leased(string(text)) {
		t.Errorf("%s was leased", a)
	}
}

// leased are the IPv4 addresses in a lease file: of dnsmasq ("EXPIRY MAC ADDRESS NAME CLIENT-ID"), of ISC dhcpd ("lease
// ADDRESS {") or of Kea (CSV, whose first field is the address). The identifiers in all three hold random bytes.
func leased(text string) (all []netip.Addr) {
	for line := range strings.Lines(text) {
		first, _, _ := strings.Cut(line, ",")
		fields := strings.Fields(line)
		var candidate string
		switch {
		case len(fields) == 5 && fields[0] != "lease":
			candidate = fields[2]
		case len(fields) == 3 && fields[0] == "lease" && fields[2] == "{":
			candidate = fields[1]
		default:
			candidate = strings.TrimSpace(first)
		}
		if a, err := netip.ParseAddr(candidate); err == nil && a.Is4() {
			all = append(all, a)
		}
	}
	return all
}

func TestLeased(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"dnsmasq":        {"1767225600 02:00:00:00:00:01 10.77.0.50 * 01:02:00:00:00:00:01\n", 1},
		"dnsmasq's DUID": {"duid 00:01:00:01:2e:0a:10.:02:42:0a:4d:00:01\n", 0},
		"ISC":            {"lease 10.77.0.70 {\n  starts 4 2026/01/01 00:00:00;\n  binding state active;\n}\n", 1},
		"ISC's DUID": {"# The format of this file is documented in dhcpd.leases(5)\nauthoring-byte-order " +
			"little-endian;\n\nserver-duid \"\\000\\001\\000\\0010.lease 02:10.\\002B\";\n", 0},
		"Kea":             {"address,hwaddr,client_id,valid_lifetime\n10.77.0.90,02:00:00:00:00:01,,4000\n", 1},
		"Kea, no lease":   {"address,hwaddr,client_id,valid_lifetime\n", 0},
		"nothing at all":  {"", 0},
		"IPv6 of dnsmasq": {"1767225600 1 fd00::1 * 00:01:00:01:10.\n", 0},
	} {
		if got := leased(tc.text); len(got) != tc.want {
			t.Errorf("%s: %v, want %d", name, got, tc.want)
		}
	}
}
