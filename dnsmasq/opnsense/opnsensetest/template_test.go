package opnsensetest

import (
	"slices"
	"strings"
	"testing"
)

// What a site may have besides what pxeagent writes.
func TestTemplate(t *testing.T) {
	site := func(d *Dnsmasq) {
		d.Interfaces, d.NoInterface, d.Port = []string{"lan", "opt1"}, []string{"wan"}, "0"
		d.Ranges = []Range{
			{Interface: "opt1", SetTag: tagID, StartAddr: "10.78.0.9", EndAddr: "10.78.0.19", SubnetMask: "255.255.255.0",
				LeaseTime: "0", Domain: "guest.example"},
			{StartAddr: "10.77.0.0", Mode: "static", LeaseTime: "60"},
			{StartAddr: "fd00::1", EndAddr: "fd00::9"},
		}
		d.Options = []Option{
			{Type: "set", Option: "6", Value: "10.77.0.3"},
			{Type: "set", Option: "42", Tag: tagID + "," + bootID, Value: "10.77.0.3"},
			{Type: "match", Option6: "61", SetTag: tagID, Value: "7"},
		}
		d.Boots = []Boot{{Interface: "gone", Filename: "a"}, {Interface: "opt1", Tag: tagID + "," + bootID, Filename: "b"}}
	}
	const tag1, tag2 = "d2c51afec26a422281a649e76ad21bc0", "48d1b9d8d5614e0c89236c4a7b51b609"
	all := []string{
		"interface=igc1,igc2", "no-dhcp-interface=igc0", "port=0", "domain=internal",
		"local=/internal/", "local=/guest.example/",
		"dhcp-range=tag:igc2,set:" + tag1 + ",10.78.0.9,10.78.0.19,255.255.255.0,infinite",
		"domain=guest.example,10.78.0.9,10.78.0.19",
		"dhcp-range=10.77.0.0,static,60", "dhcp-range=fd00::1,fd00::9,64,86400",
		"dhcp-option=6,10.77.0.3", "dhcp-option=tag:" + tag1 + ",tag:" + tag2 + ",42,10.77.0.3",
		"dhcp-match=set:" + tag1 + ",option6:61,7",
	}
	for version, boots := range map[string][]string{
		"25.1.6": nil,
		"25.1.7": {"dhcp-boot=tag:gone,a", "dhcp-boot=tag:opt1,tag:" + tag1 + ",tag:" + tag2 + ",b"},
		"26.7.2": {"dhcp-boot=tag:gone,a", "dhcp-boot=tag:igc2,tag:" + tag1 + ",tag:" + tag2 + ",b"},
	} {
		var conf string
		c := Default()
		c.Dnsmasq.Saved = true
		site(&c.Dnsmasq)
		open(t, Options{Config: &c, Version: version, Load: func(text string) error { conf = text; return nil }})
		lines := strings.Split(conf, "\n")
		for _, want := range slices.Concat(all, boots) {
			if !slices.Contains(lines, want) {
				t.Errorf("%s: line %s not found in\n%s", version, want, conf)
			}
		}
		if n := strings.Count(conf, "dhcp-boot="); n != len(boots) {
			t.Errorf("%s: %d boot lines", version, n)
		}
		if slices.Contains(lines, "dhcp-option=6,0.0.0.0") {
			t.Errorf("%s: the firewall names itself as DNS server besides the site's", version)
		}
	}
}

// Kea is told data in hex, and data that does not fit its encoding is refused.
func TestKeaData(t *testing.T) {
	for _, c := range []struct{ encoding, data, hex, wrong string }{
		{"hex", "00FF", "00FF", ""},
		{"hex", "0f", "", "Hex value must contain uppercase hexadecimal byte pairs."},
		{"string", "iPXE", "69505845", ""},
		{"string", `a"b`, "", "String must not contain quotes."},
		{"uint8", "7", "07", ""},
		{"uint16", "16", "0010", ""},
		{"uint32", "1", "00000001", ""},
		{"uint16", "-1", "", "Value must be a positive integer."},
		{"ipv4-address", "10.77.0.1, 10.77.0.255", "0A4D00010A4D00FF", ""},
		{"ipv4-address", "boot", "", "Invalid IPv4 address: boot"},
		{"", "x", "", "Unsupported encoding type. Use hex for complex options."},
	} {
		if hex, wrong := encode(c.encoding, c.data); hex != c.hex || wrong != c.wrong {
			t.Errorf("%s %q: %q, %q", c.encoding, c.data, hex, wrong)
		}
	}
}

// Searches have pages and words; forms have all that can be selected.
func TestLooking(t *testing.T) {
	f := configured(t, Options{Privileges: []string{PrivilegeDnsmasq, PrivilegeKea, PrivilegeInterfaces}})
	f.Edit(func(c *Config) {
		for _, name := range []string{"b", "c", "d"} {
			c.Dnsmasq.Boots = append(c.Dnsmasq.Boots, Boot{UUID: f.newUUID(), Filename: name + ".efi"})
		}
	})
	found := func(method, query, body string) string {
		t.Helper()
		_, text := call(t, f, method, settings+"searchBoot"+query, body)
		var files []string
		for _, row := range decode(t, text).(map[string]any)["rows"].([]any) {
			files = append(files, row.(map[string]any)["filename"].(string))
		}
		return strings.Join(files, " ")
	}
	for _, c := range [][4]string{
		{"GET", "", "", "a.efi b.efi c.efi d.efi"},
		{"POST", "", `{"current":2,"rowCount":3}`, "d.efi"},
		{"POST", "", `{"current":"1","rowCount":-1,"searchPhrase":"GRUB lan"}`, "a.efi"},
		{"GET", "?searchPhrase=b.efi", "", "b.efi"},
	} {
		if got := found(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%v: found %q", c, got)
		}
	}
	selected := func(path, field, value string) bool {
		t.Helper()
		_, text := call(t, f, "GET", path, "")
		for _, root := range decode(t, text).(map[string]any) {
			one, _ := root.(map[string]any)[field].(map[string]any)[value].(map[string]any)
			return one["selected"] == 1.0
		}
		return false
	}
	if !selected(settings+"getBoot/"+bootID, "interface", "lan") ||
		!selected(settings+"getOption/"+matchID, "option", "93") ||
		!selected(settings+"getOption", "type", "set") || selected(settings+"getOption", "type", "match") {
		t.Error("what is selected is not what is stored")
	}
	_, text := call(t, f, "GET", "api/interfaces/overview/export", "")
	first := decode(t, text).([]any)[0].(map[string]any)
	if first["device"] != "igc1" || first["identifier"] != "lan" || first["addr4"] != "10.77.0.1/24" {
		t.Errorf("%s", text)
	}
	if _, text = call(t, f, "GET", "api/dnsmasq/leases/search", ""); decode(t, text).(map[string]any)["total"] != 0.0 {
		t.Errorf("%s", text)
	}
}
