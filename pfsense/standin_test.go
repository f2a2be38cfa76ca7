package pfsense

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/pfsense/pfsensetest"
)

// TestStandInFollowsThePHP: the stand-in firewall does what the programs do under real PHP. Over configurations of
// every kind both are asked to read, and to write from and to settings that fit or not; their answers and what is left
// in config.xml are the same.
func TestStandInFollowsThePHP(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	h := s.interpreter()
	rounds := 200
	if testing.Short() {
		rounds = 40
	}
	statuses := map[string]int{}
	for seed := range rounds {
		r := randomSite{rand.New(rand.NewPCG(uint64(seed), 11))}
		s.edit(func(c tree) { r.config(c); r.pair(c) })
		s.put("chroot/var/run/dhcpd.pid", "well")
		s.put("proc-kea-dhcp4", "well")
		config, err := pfsensetest.ParseTree([]byte(s.get("config.json")))
		if err != nil {
			t.Fatal(err)
		}
		wall, err := pfsensetest.New(pfsensetest.Options{Config: config})
		if err != nil {
			t.Fatal(err)
		}
		pin := wall.Fingerprint()
		way := mustDial(t, Config{Config: remote.Config{URL: wall.URL(), TLSSHA256: &pin}, Transport: "xmlrpc",
			User: "admin", Password: text("pfsense")})

		both := func(name string, args any) (php, standIn map[string]any) {
			t.Helper()
			p, err := newProgram(name, args)
			if err != nil {
				t.Fatal(err)
			}
			a, err := h.run(s.dir, p)
			if err != nil {
				t.Fatal(err)
			}
			b, err := way.run(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			return comparable(t, a), comparable(t, b)
		}
		for range 3 {
			php, standIn := both("read", map[string]string{"op": "read"})
			if diff := cmp.Diff(php, standIn); diff != "" {
				t.Fatalf("seed %d, read: PHP (-) and stand-in (+):\n%s", seed, diff)
			}
			c := change{Op: "write", ID: r.one("opt1", "opt1", "opt1", "opt9"), Before: s.mine(), After: randomKeys(r),
				Undo: r.chance(30), Stop: r.chance(20), Wait: 0, Message: "pxeagent: test"}
			c.Custom = randomCustom(r, s.config())
			if r.chance(30) {
				c.Before, c.After = c.After, c.Before
				if c.Custom != nil {
					c.Custom.Before, c.Custom.After = c.Custom.After, c.Custom.Before
				}
			}
			if r.chance(10) {
				c.Before = c.After
			}
			php, standIn = both("write", c)
			if diff := cmp.Diff(php, standIn); diff != "" {
				t.Fatalf("seed %d, write %+v: PHP (-) and stand-in (+):\n%s", seed, c, diff)
			}
			statuses[php["status"].(string)]++
			left, err := pfsensetest.ParseTree([]byte(s.get("config.json")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(left, wall.Saved()); diff != "" {
				t.Fatalf("seed %d, write %+v: config.xml of PHP (-) and of the stand-in (+):\n%s", seed, c, diff)
			}
		}
		wall.Close()
	}
	for _, status := range []string{"done", "changed", "gone", "rolled back"} {
		if statuses[status] == 0 {
			t.Errorf("no round ended in %q: %v", status, statuses)
		}
	}
}

// pair puts settings into c of firewalls that work together, and others that decide who answers DHCP.
func (r randomSite) pair(c tree) {
	delete(c, "virtualip")
	if r.chance(50) {
		var vips []any
		for i := range 1 + r.IntN(3) {
			vips = append(vips, tree{"mode": r.one("carp", "carp", "ipalias"), "interface": r.one("opt1", "lan"),
				"advskew": r.one("0", "20", "100", ""),
				"subnet":  fmt.Sprintf("10.92.0.%d", 250+i), "subnet_bits": "24"})
		}
		c["virtualip"] = tree{"vip": vips}
	}
	c["hasync"] = tree{"synchronizetoip": r.one("", "10.99.0.2")}
	c["dhcrelay"] = tree{"server": "192.0.2.1"}
	if r.chance(20) {
		c["dhcrelay"] = tree{"enable": ""}
	}
	delete(c, "kea")
	if r.chance(30) {
		c["kea"] = ""
	}
	if r.chance(50) {
		c["kea"] = tree{"custom_kea_config": r.one("", encoded(`{"client-classes":[]}`)),
			"ha": tree{"role": r.one("", "standby", "secondary"), "remoteip": "10.99.0.3"}}
		if r.chance(50) {
			at(c, "kea", "ha")["enable"] = ""
		}
	}
}

func randomKeys(r randomSite) (k keys) {
	for f, name := range fieldNames {
		if value, there := r.boots(tree{})[name]; there {
			k[f] = setting{true, value.(string)}
		}
	}
	// What stops ISC's daemon, and Kea's.
	if r.chance(15) {
		k[filename64] = setting{true, `a"b`}
	}
	if r.chance(15) {
		k[nextserver] = setting{true, "boot.example"}
	}
	return k
}

// randomCustom is a change of Kea's own configuration that goes with another, from what is there or from something
// else.
func randomCustom(r randomSite, c tree) *customChange {
	if r.chance(50) {
		return nil
	}
	some := func() *string {
		if r.chance(30) {
			return nil
		}
		field := r.one("", encoded(`{"client-classes":[]}`),
			encoded(`{"client-classes":[{"name":"a","test":"option[175].exists"}]}`))
		return &field
	}
	change := &customChange{Before: some(), After: some()}
	if kea, is := c["kea"].(tree); r.chance(80) {
		if change.Before = nil; is {
			if field, there := kea["custom_kea_config"].(string); there {
				change.Before = &field
			}
		}
	}
	return change
}

// comparable is a result without what the stub has none of, and without an order that means nothing.
func comparable(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	for _, name := range []string{"version", "leased", "revision"} {
		delete(all, name)
	}
	for list, by := range map[string]string{"interfaces": "id", "odd": "path"} {
		if items, is := all[list].([]any); is {
			slices.SortFunc(items, func(a, b any) int { return strings.Compare(a.(tree)[by].(string), b.(tree)[by].(string)) })
		}
	}
	return all
}
