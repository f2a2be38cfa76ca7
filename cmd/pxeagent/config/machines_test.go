package config

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/machine"
)

const hostsSample = `hosts:
  - name: node-01
    mac: [52:54:00:12:34:01, 52-54-00-AB-CD-02]
    uuid: 8A1F7D6E-0C5B-4D3E-9F2A-1B2C3D4E5F60
    serial: S-17
    asset: [A1, A2]
    address: 10.0.0.7
    manufacturer: Acme
    product: Server 3*
    labels: {rack: a1, canary: true}
    profile: compute
  - address: [10.0.0.128/25, 10.0.0.20-10.0.0.29]
`

var sampleHosts = []machine.Host{
	{
		Name: "node-01", MACs: []string{"52:54:00:12:34:01", "52:54:00:ab:cd:02"},
		UUIDs:   []string{"8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"},
		Serials: []string{"S-17"}, Assets: []string{"A1", "A2"}, Addresses: []machine.Range{span("10.0.0.7", "10.0.0.7")},
		Manufacturer: "Acme", Product: "Server 3*", Labels: map[string]string{"rack": "a1", "canary": "true"},
		Profile: "compute", Line: 2,
	},
	{Addresses: []machine.Range{span("10.0.0.128", "10.0.0.255"), span("10.0.0.20", "10.0.0.29")}, Line: 12},
}

func span(from, to string) machine.Range {
	return machine.Range{From: netip.MustParseAddr(from), To: netip.MustParseAddr(to)}
}

const profilesSample = `profiles:
  compute:
    image: smartos
    version: 20130808T195337Z
    args: rack={{.Labels.rack}}
    console: ttyb
    menu: skip
    when: once
    timeout: 0
    hide: [shell]
    canary: 30m
    provision: any
  plain:
  off: {canary: off, hide: config, timeout: 5s}
`

var (
	never, five = time.Duration(0), 5 * time.Second

	sampleProfiles = []machine.Profile{
		{Name: "compute", Image: "smartos", Version: "20130808T195337Z", Args: "rack={{.Labels.rack}}", Console: "ttyb",
			SkipMenu: true, Once: true,
			Timeout: &never, Hide: []string{"shell"}, Canary: 30 * time.Minute, Any: true, Line: 2},
		{Name: "plain", Canary: machine.DefaultCanary, Line: 13},
		{Name: "off", Canary: -1, Hide: []string{"config"}, Timeout: &five, Line: 14},
	}
)

// One run names all that is wrong, and of what is wrong by itself nothing that follows from that.
func TestAllMistakesOfMachinesAtOnce(t *testing.T) {
	isolate(t)
	write(t, "pxeagent.yaml",
		"hosts:\n- {mac: 52:54:00:00:00:01, profile: nope}\n- mac: 52:54:00:00:00:01\n- mac: 52:54\n- {mac: "+
			"52:54:00:00:00:02, profile: p}\nprofiles:\n  p: {menu: strait}\n  q: {menu: skip}\n")
	_, err := schema.Load(nil)
	var ms Mistakes
	if !errors.As(err, &ms) {
		t.Fatal(err)
	}
	var keys []string
	for _, m := range ms {
		keys = append(keys, m.key)
	}
	if want := []string{"hosts[0].profile", "hosts[1].mac", "hosts[2].mac", "profiles.p.menu",
		"profiles.q.menu"}; !slices.Equal(keys, want) {
		t.Errorf("Mistakes of %q, want %q:\n%v", keys, want, err)
	}
}

func TestMistakesOfMachines(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"no list", "hosts: x", "hosts: want a list, not a text (FILE:1)"},
		{"an unknown key", "hosts:\n- {mack: x}", "hosts[0].mack: unknown key; did you mean mac? (FILE:2)"},
		{"a password", "hosts:\n- {mac: 52:54:00:12:34:01, password: x}",
			"hosts[0].password: unknown key: secrets do not stand in this file (FILE:2)"},
		{"a MAC", "hosts:\n- mac: 52:54:00:12:34",
			`hosts[0].mac: invalid MAC address "52:54:00:12:34": want one such as 02:00:5e:10:00:01 (FILE:2)`},
		{"a MAC for a UUID", "hosts:\n- uuid: 52:54:00:12:34:01",
			`hosts[0].uuid: invalid UUID "52:54:00:12:34:01": want one such as 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60 (FILE:2)`},
		{"no address", "hosts:\n- address: 10.0.0.9-10.0.0.1",
			`hosts[0].address: "10.0.0.9-10.0.0.1" ends before it begins; want 10.0.0.1-10.0.0.9 (FILE:2)`},
		{"one of a list", "hosts:\n- address:\n  - 10.0.0.1\n  - 10.0.0.1/24",
			`hosts[0].address[1]: "10.0.0.1/24" is an address within its network; want 10.0.0.0/24 (FILE:4)`},
		{"names nothing", "hosts:\n- {name: x}",
			"hosts[0]: names no machine; want mac, uuid, serial, asset, address, manufacturer or product (FILE:2)"},
		{"no such profile", "hosts:\n- {mac: 52:54:00:12:34:01, profile: x}\nprofiles: {a: , b: }",
			`hosts[0].profile: unknown profile "x"; there are a, b (FILE:2)`},
		{"the same MAC", "hosts:\n- mac: 52:54:00:12:34:01\n- mac: 52-54-00-12-34-01",
			`hosts[1].mac: has "52:54:00:12:34:01", as hosts[0] has in line 2: nothing says which of the two a machine is (FILE:3)`},
		{"the same range", "hosts:\n- address: 10.0.0.0/24\n- address: 10.0.0.0-10.0.0.255",
			`hosts[1].address: has 10.0.0.0/24, as hosts[0] has in line 2: nothing says which of the two a machine is (FILE:3)`},
		{"straight to where", "profiles:\n  a: {menu: skip}",
			"profiles.a.menu: is skip, and image is not set; want what is to be booted (FILE:2)"},
		{"neither", "profiles:\n  a: {menu: direct}", `profiles.a.menu: unknown value "direct": use show or skip (FILE:2)`},
		{"arguments", "profiles:\n  a: {image: x, args: 'a={{.Password}}'}",
			`profiles.a.args: "{{.Password}}" is not known; want one of {{.MAC}}, {{.DashedMAC}}, {{.UUID}}, {{.Serial}}, {{.Asset}}, {{.Addr}}, {{.Host}}, {{.Profile}}, {{.Server}}, {{.Labels.NAME}} (FILE:2)`},
		{"canary", "profiles:\n  a: {canary: soon}",
			`profiles.a.canary: invalid duration "soon": want one such as 30s or 5m (FILE:2)`},
		{"console", "profiles:\n  a: {console: tty1}",
			`profiles.a.console: invalid console "tty1": want text, ttya to ttyd or ttyS0 to ttyS3, optionally with a comma and a speed (FILE:2)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := isolate(t)
			write(t, "pxeagent.yaml", tt.yaml)
			_, err := schema.Load(nil)
			var ms Mistakes
			if !errors.As(err, &ms) || len(ms) != 1 {
				t.Fatalf("%v, want one mistake", err)
			}
			if got := strings.ReplaceAll(ms[0].String(), dir+"/pxeagent.yaml", "FILE"); got != tt.want {
				t.Errorf("%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
