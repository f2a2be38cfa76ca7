package pfsense

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pxeagent/pfsense/pfsensetest"
)

// asTree is t in the stand-in's form.
func asTree(t tree) pfsensetest.Tree {
	out := pfsensetest.Tree{}
	for name, value := range t {
		switch v := value.(type) {
		case tree:
			out[name] = asTree(v)
		case []any:
			list := []pfsensetest.Tree{}
			for _, one := range v {
				list = append(list, asTree(one.(tree)))
			}
			out[name] = list
		default:
			out[name] = v
		}
	}
	return out
}

// The stand-in answers both programs as the real PHP does, over configurations of every kind: what is shown on it holds for the programs.
func TestStandInIsAsThePHP(t *testing.T) {
	t.Parallel()
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	s := newStub(t, "2.9.0")
	h := s.interpreter()
	for seed := range rounds {
		r := somebody{rand.New(rand.NewPCG(uint64(seed), 11))}
		s.edit(func(c tree) { r.config(c); r.trouble(c) })
		s.put("chroot/var/run/dhcpd.pid", "well")
		s.put("proc-kea-dhcp4", "well")
		f, err := pfsensetest.New(pfsensetest.Options{Config: asTree(s.config())})
		if err != nil {
			t.Fatal(err)
		}
		way := mustDial(t, Config{URL: f.URL(), Transport: "xmlrpc", User: "admin", Password: text("pfsense"), TLSSHA256: new(f.Fingerprint())})
		both := func(p program) (php, standIn json.RawMessage) {
			php, err := h.run(s.dir, p)
			if err != nil {
				t.Fatal(err)
			}
			if standIn, err = way.run(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			return php, standIn
		}
		p, err := newProgram("read", map[string]string{"op": "read"})
		if err != nil {
			t.Fatal(err)
		}
		var a, b firewall
		php, standIn := both(p)
		if err := json.Unmarshal(php, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(standIn, &b); err != nil {
			t.Fatal(err)
		}
		for _, f := range []*firewall{&a, &b} {
			// The machine's own, and orders that have no meaning.
			f.Version, f.Leased, f.Running = "", nil, false
			slices.SortFunc(f.Interfaces, func(a, b port) int { return strings.Compare(a.ID, b.ID) })
			slices.SortFunc(f.Odd, func(a, b oddText) int { return strings.Compare(a.Path, b.Path) })
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: read by PHP:\n%s\nby the stand-in:\n%s", seed, php, standIn)
		}
		for range 4 {
			now, to := s.mine(), keysOf(stringsOf(r.boots(tree{})))
			args := change{Op: "write", ID: r.one("opt1", "opt1", "opt1", "opt9"), Before: now, After: to, Undo: r.chance(30), Wait: 0.01, Message: "m"}
			switch r.IntN(4) {
			case 0:
				args.Before, args.After = to, now
			case 1:
				args.After = now
			}
			p, err := newProgram("write", args)
			if err != nil {
				t.Fatal(err)
			}
			var a, b changed
			php, standIn := both(p)
			if json.Unmarshal(php, &a) != nil || json.Unmarshal(standIn, &b) != nil {
				t.Fatalf("%s %s", php, standIn)
			}
			a.Ran, a.Runs, b.Ran, b.Runs = false, false, false, false
			if a.Status == "gone" {
				a.Keys, b.Keys = nil, nil // nobody looks at them then
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("seed %d: %+v\nwritten by PHP: %s\nby the stand-in: %s", seed, args, php, standIn)
			}
			if want := asTree(s.config()); !reflect.DeepEqual(f.Saved(), want) {
				t.Fatalf("seed %d: the stand-in has\n%v\nPHP left\n%v", seed, f.Saved(), want)
			}
		}
		f.Close()
	}
}

func stringsOf(t tree) map[string]string {
	out := map[string]string{}
	for k, v := range t {
		out[k] = v.(string)
	}
	return out
}

// trouble puts settings into c about which a plan has something to say.
func (r somebody) trouble(c tree) {
	for name, value := range map[string]any{
		"dhcrelay": tree{r.one("enable", "interface"): ""}, "hasync": tree{"synchronizetoip": r.one("", "10.0.0.2")},
		"kea":       tree{"ha": tree{r.one("enable", "x"): "", "role": r.one("", "standby"), "remoteip": "10.0.0.3"}, "custom_kea_config": r.one("", "e30=")},
		"virtualip": tree{"vip": []any{tree{"mode": r.one("carp", "ipalias"), "interface": r.one("opt1", "lan"), "advskew": r.one("", "0", "100"), "subnet": "10.99.0.254"}}},
	} {
		if delete(c, name); r.chance(40) {
			c[name] = value
		}
	}
	for _, id := range []string{"opt1", "lan"} {
		section, made := at(c, "dhcpd")[id].(tree)
		if !made {
			continue
		}
		for _, name := range []string{"rootpath", "filename32", "domain", "descr", "nextserver"} {
			if r.chance(8) {
				section[name] = r.one(`a"b`, "a\nb", `a\`, `a\b`, "boot.example")
			}
		}
	}
}
