package pfsense

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// randomSite makes configurations as sites have them, and some that no site should have.
type randomSite struct{ *rand.Rand }

func (r randomSite) chance(percent int) bool { return r.IntN(100) < percent }

func (r randomSite) one(texts ...string) string { return texts[r.IntN(len(texts))] }

// boots puts settings of network boot into t, absent and empty ones among them.
func (r randomSite) boots(t tree) tree {
	for _, name := range fieldNames {
		switch r.IntN(4) {
		case 0:
			t[name] = ""
		case 1:
			t[name] = r.one("pxelinux.0", "ipxe.efi", "a b", "grub/x64.efi", "10.99.0.77")
		}
	}
	// A host name there is always refused.
	if _, there := t["nextserver"]; there {
		t["nextserver"] = r.one("", "10.99.0.77")
	}
	return t
}

func (r randomSite) options() any {
	if r.chance(50) {
		return ""
	}
	var items []any
	for range 1 + r.IntN(3) {
		items = append(items, tree{"number": fmt.Sprint(1 + r.IntN(254)),
			"type":  r.one("text", "string", "boolean", "", "unsigned integer 8"),
			"value": encoded(r.one("x", "10.0.0.1", "true", "ü", ""))})
	}
	return tree{"item": items}
}

// plain puts settings into t that are none of pxeagent's.
func (r randomSite) plain(t tree) tree {
	for _, name := range []string{"domain", "gateway", "tftp", "ldap", "rootpath", "mac_allow", "mac_deny",
		"defaultleasetime", "ddnsdomain", "denyunknown", "custom_kea_config", "filename128", "netboots"} {
		switch r.IntN(3) {
		case 0:
			t[name] = ""
		case 1:
			t[name] = r.one("a.example", "7200", "10.99.0.9", "<&>", "日本", encoded(`{"a":1}`))
		}
	}
	t["numberoptions"] = r.options()
	return t
}

func (r randomSite) section(net int) any {
	if r.chance(8) {
		return ""
	}
	s := r.boots(r.plain(tree{"range": tree{"from": fmt.Sprintf("10.%d.0.100", net),
		"to": fmt.Sprintf("10.%d.0.149", net)}}))
	if r.chance(80) {
		s["enable"] = ""
	}
	var pools, maps []any
	for i := range r.IntN(3) {
		pools = append(pools, r.boots(r.plain(tree{"range": tree{"from": fmt.Sprintf("10.%d.1.%d", net, i),
			"to": fmt.Sprintf("10.%d.1.%d", net, i)}})))
	}
	for i := range r.IntN(4) {
		maps = append(maps, r.boots(r.plain(tree{"mac": fmt.Sprintf("02:00:00:00:00:%02x", i),
			"hostname": r.one("", "node"), "descr": r.one("", `says "hi"`)})))
	}
	if s["pool"] = any(""); pools != nil {
		s["pool"] = pools
	}
	if s["staticmap"] = any(""); maps != nil {
		s["staticmap"] = maps
	}
	return s
}

func (r randomSite) config(c tree) {
	delete(c, "dhcpbackend")
	c["dhcpd"] = tree{"opt1": tree{}}
	for i, id := range []string{"wan", "lan", "opt1", "opt2", "opt7"} {
		if id == "opt1" || r.chance(70) {
			at(c, "dhcpd")[id] = r.section(90 + i)
		}
	}
	mine, made := at(c, "dhcpd")["opt1"].(tree)
	if !made {
		mine = r.boots(tree{})
		at(c, "dhcpd")["opt1"] = mine
	}
	mine["enable"] = ""
	c["unbound"] = r.plain(tree{})
	if r.chance(30) {
		c["dhcpbackend"] = r.one("isc", "kea")
	}
}

func (r randomSite) want() dhcp.Boot {
	if r.chance(10) {
		return dhcp.Boot{}
	}
	b := testBoot(r.one("10.99.0.5", "10.1.2.3"))
	for a := range b.NBP {
		if r.chance(30) {
			b.NBP[a] = ""
		}
	}
	if b.NBP[firmware.BIOS] == "" {
		b.NBP[firmware.BIOS] = "b"
	}
	if r.chance(50) {
		b.URL = [firmware.NumArch]string{}
	}
	return b
}

// Over configurations of every kind, a change touches pxeagent's eight keys of its one interface, the next plan is
// empty, and a revert leaves the file as it was.
func TestOthersUntouched(t *testing.T) {
	t.Parallel()
	rounds := 500
	if testing.Short() {
		rounds = 60
	}
	for i, age := range ages {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, age)
			w := wire{s: s, keeps: s.interpreter()}
			open := func() *Server {
				b := newServer(w, "admin")
				b.wait = 1000 // ns: the stub's daemon is there at once
				return b
			}
			applied := 0
			for seed := i; seed < rounds; seed += len(ages) {
				r := randomSite{rand.New(rand.NewPCG(uint64(seed), 7))}
				s.edit(r.config)
				s.put("history", "")
				s.put("chroot/var/run/dhcpd.pid", "well")
				before, want := s.config(), r.want()
				p := mustPlan(t, open(), want)
				if q, refused := p.Refused(); refused && (q.Code == "still-boots" || q.Code == "option-67") {
					continue
				} else if refused {
					t.Fatalf("seed %d: %+v", seed, q)
				}
				if err := open().Apply(t.Context(), p); err != nil {
					t.Fatalf("seed %d: apply: %v", seed, err)
				}
				wantOthersSame(t, s.config(), cloned(before))
				if again := mustPlan(t, open(), want); !again.Empty() || string(again.Before.Raw) != string(p.After.Raw) {
					t.Errorf("seed %d: planned again: %s, want %s", seed, again.Before.Raw, p.After.Raw)
				}
				if !p.Empty() {
					applied++
					if s.get("history") == "" {
						t.Errorf("seed %d: no entry in the history", seed)
					}
				}
				if err := open().Revert(t.Context(), p); err != nil {
					t.Fatalf("seed %d: revert: %v", seed, err)
				}
				if now := s.config(); !reflect.DeepEqual(before, now) {
					t.Errorf("seed %d: after the revert\n%v\nwas\n%v", seed, now, before)
				}
				if t.Failed() {
					return
				}
			}
			if applied < rounds/len(ages)*3/4 {
				t.Errorf("only %d plans had something to write", applied)
			}
		})
	}
}

func cloned(t tree) tree {
	c := make(tree, len(t))
	for k, v := range t {
		if sub, is := v.(tree); is {
			v = cloned(sub)
		}
		c[k] = v
	}
	return c
}

// answering is a runner whose every answer is it.
type answering []byte

func (a answering) run(context.Context, program) (json.RawMessage, error) {
	return json.RawMessage(a), nil
}

func (answering) String() string { return "nothing" }

func FuzzPlan(f *testing.F) {
	f.Add([]byte(
		`{"error":"","engine":"kea","version":"2.7.2-RELEASE","interfaces":[{"id":"opt1","descr":"ADMIN","if":"igb2","ipaddr":"10.0.0.1","subnet":"24","advskew":100,"vips":["x"],
		"dhcp":{"enable":true,"keys":{"netboot":"","nextserver":"a","filename":null,"filename32":null,"filename64":null,"filename32arm":null,"filename64arm":null,"uefihttpboot":null},
		"from":"0.0.0.0","to":"255.255.255.255","options":[{"number":"67","value":"x"}],"pools":[],"maps":[]}}],"leased":["1.2.3.4"],"odd":[{"path":"x","why":"y"}]}`))
	f.Add([]byte(`{"interfaces":[{"id":"opt1","dhcp":{}}],"leased":[]}`))
	f.Add([]byte(`{"interfaces":null,"relay":true,"dirty":true}`))
	f.Fuzz(func(t *testing.T, result []byte) {
		s := newServer(answering(result), "opt1")
		for _, want := range []dhcp.Boot{{}, testBoot("10.0.0.7")} {
			p, err := s.Plan(t.Context(), want)
			if err != nil {
				continue
			}
			for _, q := range p.Problems {
				if strings.ContainsAny(q.Text, "\n\r\x1b") {
					t.Errorf("%q carries a control character", q.Text)
				}
			}
			if m := message(iface{ID: "opt1", Descr: string(result)}, p.Before.Boot, p.After.Boot, false); len(m) > maxMessage ||
				strings.ContainsAny(m, "\n\x1b") {
				t.Errorf("message %q", m)
			}
		}
	})
}
