package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"fmt"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
)

func device(name string, addrs ...string) nic {
	n := nic{name: name, up: true, loopback: name == "lo"}
	for _, a := range addrs {
		n.addrs = append(n.addrs, netip.MustParsePrefix(a))
	}
	return n
}

func TestLocalAddr(t *testing.T) {
	down := device("eth9", "10.9.0.1/24")
	down.up = false
	all := []nic{
		device("lo", "127.0.0.1/8", "::1/128"),
		device("eth0", "192.0.2.10/24"),
		device("eth1", "fe80::1/64", "169.254.1.1/16", "10.0.0.7/24", "10.0.0.8/24", "172.16.0.1/16"),
		device("eth2", "fe80::2/64"),
		down,
	}
	const have = "this machine's addresses: eth0 192.0.2.10/24, eth1 169.254.1.1/16, eth1 10.0.0.7/24, eth1 " +
		"10.0.0.8/24, eth1 172.16.0.1/16, eth9 10.9.0.1/24"
	lan, other := netip.MustParsePrefix("172.16.0.0/16"), netip.MustParsePrefix("10.77.0.0/24")
	for _, c := range []struct {
		name string
		nics []nic
		want wantLocal
		got  string // what was chosen, and of what; or the error
		hint string
	}{
		{"named like the network", all, wantLocal{network: "eth0"}, "192.0.2.10 on eth0", ""},
		{"primary of several", all, wantLocal{network: "eth1"}, "10.0.0.7 on eth1 (not [10.0.0.8 172.16.0.1])", ""},
		{"several, network known", all, wantLocal{network: "eth1", prefix: lan}, "172.16.0.1 on eth1", ""},
		{"probe.device wins", all, wantLocal{network: "eth0", device: "eth1", prefix: lan}, "172.16.0.1 on eth1", ""},
		{"by the network's addresses", all, wantLocal{network: "admin", prefix: lan}, "172.16.0.1 on eth1", ""},
		{"no such device", all, wantLocal{device: "eth7"}, `probe.device: there is no device "eth7" on this machine`, have},
		{"down", all, wantLocal{network: "eth9"}, "device eth9 is down; `ip link set eth9 up` brings it up", have},
		{"no IPv4", all, wantLocal{network: "eth2"}, "device eth2 has no IPv4 address", have},
		{"not in the network", all, wantLocal{device: "eth0", prefix: lan}, "device eth0 has no address in 172.16.0.0/16",
			have},
		{"nowhere in the network", all, wantLocal{network: "admin", prefix: other},
			"next_server: auto, but this machine has no address in 10.77.0.0/24", have},
		{"network of unknown place", all, wantLocal{network: "admin"},
			`next_server: auto, but no device here is named "admin", so its address is not known`, have},
		{"nothing to go by", all, wantLocal{},
			"the network is not known yet: next_server: auto fits several devices: eth0, eth1", have},
		{"nothing to go by, one device", all[:2], wantLocal{}, "192.0.2.10 on eth0", ""},
		{"loopback alone", all[:1], wantLocal{}, "next_server: auto, but this machine has no IPv4 address beyond loopback",
			"this machine has no IPv4 address beyond loopback"},
		{"loopback by name", all, wantLocal{device: "lo"}, "127.0.0.1 on lo", ""},
		{"no devices", nil, wantLocal{network: "eth0"},
			`next_server: auto, but no device here is named "eth0", so its address is not known`,
			"this machine has no IPv4 address beyond loopback"},
	} {
		got, err := localAddr(c.nics, c.want)
		text := fmt.Sprintf("%s on %s", got.addr.Addr(), got.device)
		if len(got.others) > 0 {
			text += fmt.Sprintf(" (not %v)", got.others)
		}
		if err != nil {
			text = err.Error()
			var f cli.Failure
			if !errors.As(err, &f) || f.Code != cli.NoInterface || len(f.Hints) != 2 || f.Hints[0] != c.hint ||
				!strings.HasPrefix(f.Hints[1], "set next_server (--next-server)") {
				t.Errorf("%s: %+v", c.name, f)
			}
		}
		if c.name == "nothing to go by" {
			const hint = "set next_server (--next-server) to the one that is in that network: " +
				"192.0.2.10 (or probe.device: eth0), 10.0.0.7 (or probe.device: eth1)"
			if got := explain(err).Hints[1]; got != hint {
				t.Errorf("%s: hint %q, want %q", c.name, got, hint)
			}
		}
		if text != c.got || (err != nil) != (c.hint != "") {
			t.Errorf("%s:\n got %s\nwant %s", c.name, text, c.got)
		}
	}
}

// Every machine has loopback, with its address.
func TestLocalNICs(t *testing.T) {
	nics, err := localNICs()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nics {
		if n.loopback && n.up {
			for _, p := range n.addrs {
				if p == netip.MustParsePrefix("127.0.0.1/8") {
					return
				}
			}
		}
	}
	t.Errorf("no loopback with 127.0.0.1/8 in %+v", nics)
}

func TestBaseURL(t *testing.T) {
	isolate(t)
	for listen, want := range map[string]string{
		":80":              "http://10.0.0.7",
		"10.0.0.7:80":      "http://10.0.0.7",
		":8080":            "http://10.0.0.7:8080",
		"192.0.2.1:8080":   "http://10.0.0.7:8080",
		"[2001:db8::1]:81": "http://10.0.0.7:81",
	} {
		l, err := loadArgs("--http", listen)
		if err != nil {
			t.Fatal(err)
		}
		if got := menu.Base(netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"),
			l.Config.Serve.HTTP.Port())).String(); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

func TestAddressInALeasedNetwork(t *testing.T) {
	l, err := localAddr([]nic{device("eth1", "10.0.0.7/24", "192.168.50.1/24", "10.0.0.8/24")}, wantLocal{network: "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	for leased, want := range map[string]string{
		"192.168.50.0/24": "192.168.50.1", "10.0.0.0/24": "10.0.0.7", "10.0.0.8/32": "10.0.0.8", "172.16.0.0/12": "10.0.0.7",
	} {
		if got := l.in([]netip.Prefix{netip.MustParsePrefix(leased)}); got.String() != want {
			t.Errorf("leased in %s: %s, want %s", leased, got, want)
		}
	}
	if got := l.in(nil); got.String() != "10.0.0.7" {
		t.Errorf("nothing known: %s", got)
	}
}
