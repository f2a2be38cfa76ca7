package machine

import (
	"errors"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

const (
	macA   = "52:54:00:00:00:0a"
	macB   = "52:54:00:00:00:0b"
	bridge = "52:54:00:00:00:ff"
)

// impostor is a network with machine A at .10, a bridge with two machines behind it at .20 and .21, and nothing else;
// B is a canary with a UUID of its own that boots once what its profile has.
func impostor(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, inventory(t, []Host{
		{Name: "a", MACs: []string{macA}, Profile: "a"},
		{
			Name:    "b",
			MACs:    []string{macB},
			UUIDs:   []string{uuid1},
			Profile: "b",
			Labels:  map[string]string{CanaryLabel: "true"},
		},
		{Name: "uuid", UUIDs: []string{"8a1f7d6e-0c5b-4d3e-9f2a-000000000001"}},
	}, Profile{Name: "a", Image: "memtest", SkipMenu: true}, Profile{Name: "b", Image: "debian",
		Once: true, SkipMenu: true}), deb, mem)
	w.arp["10.0.0.10"], w.arp["10.0.0.20"], w.arp["10.0.0.21"] = macA, bridge, bridge
	w.put("doc.tmpl", "{{.Host}}", 0o644)
	return w
}

// The network has another MAC than the machine tells, or than the host has that its UUID makes it.
func TestAContradictedMachineClaimsNothing(t *testing.T) {
	for name, lie := range map[string]boot.Facts{
		"another's MAC":                    {MAC: macB},
		"another's UUID":                   {UUID: uuid1},
		"another's UUID, with its own MAC": {MAC: "52:54:00:00:00:0c", UUID: uuid1},
		"both":                             {MAC: macB, UUID: uuid1},
	} {
		t.Run(name, func(t *testing.T) {
			w := impostor(t)
			const at = "10.0.0.30" // of a machine that is no host
			w.arp[at] = "52:54:00:00:00:0c"
			if err := w.OneTime.Set(macB, "memtest"); err != nil {
				t.Fatal(err)
			}
			if err := w.OneTime.Set(uuid1, "memtest"); err != nil {
				t.Fatal(err)
			}
			w.Asked(lie, addr(at))
			c := w.Choose(lie, addr(at), "")
			if c.Once || c.Item != "local" || c.Host != "b" {
				t.Errorf("it boots %+v, want the host's profile without what is there once", c)
			}
			if w.Waits(addr(at)) {
				t.Error("its kernel would use up something")
			}
			w.Fetched(addr(at), []string{"memtest", "debian-12"})
			w.Booted(lie, addr(at), "debian-12")
			if _, ok := w.OneTime.Peek(macB); !ok {
				t.Error("the one-time boot of the MAC is used up")
			}
			if _, ok := w.OneTime.Peek(uuid1); !ok {
				t.Error("the one-time boot of the UUID is used up")
			}
			if _, was := w.Done.Has("b", macB, uuid1, "52:54:00:00:00:0c"); was {
				t.Error("what the profile boots once is used up")
			}
			if got, ok := w.CanaryResults.Result("debian-12"); ok {
				t.Errorf("it counts as a canary: %+v", got)
			}
			if got, err := w.ask("doc", at, boot.Facts{}); !errors.Is(err, ErrNotIts) {
				t.Errorf("it is given %q, %v", got, err)
			}
			if !strings.Contains(w.log.String(), "told what the network contradicts") {
				t.Errorf("nothing is in the log:\n%s", &w.log)
			}
			// B itself still has all of it.
			w.arp["10.0.0.11"] = macB
			w.fetch(macB, "10.0.0.11", "memtest")
			if _, ok := w.OneTime.Peek(macB); ok {
				t.Error("B does not use up its own")
			}
			if got, err := w.ask("doc", "10.0.0.11", boot.Facts{}); got != "b" {
				t.Errorf("B is given %q, %v", got, err)
			}
		})
	}
}

// A MAC that answers for several addresses is a router or a bridge: what machines behind it tell is believed, as behind
// any router, and what they do not tell is not made up.
func TestABridgeIsNoIdentity(t *testing.T) {
	w := impostor(t)
	if err := w.OneTime.Set(macB, "memtest"); err != nil {
		t.Fatal(err)
	}
	if err := w.OneTime.Set(bridge, "memtest"); err != nil {
		t.Fatal(err)
	}
	if c := w.Choose(boot.Facts{}, addr("10.0.0.21"), ""); c.Once || c.Item != "" {
		t.Errorf("a machine that tells nothing boots %+v", c)
	}
	if c := w.Choose(boot.Facts{MAC: macB}, addr("10.0.0.20"), ""); !c.Once || c.Item != "memtest" {
		t.Errorf("B behind the bridge boots %+v", c)
	}
	w.fetch(macB, "10.0.0.20", "memtest")
	if _, ok := w.OneTime.Peek(macB); ok {
		t.Error("the one-time boot is not used up")
	}
	if got, err := w.ask("doc", "10.0.0.20", boot.Facts{}); got != "b" {
		t.Errorf("B is given %q, %v", got, err)
	}
	w.put("secret.tmpl", `{{secret "root"}}`, 0o644)
	w.put("secrets/root", "hunter2", 0o600)
	if got, err := w.ask("secret", "10.0.0.20", boot.Facts{}); !errors.Is(err, ErrNotIts) {
		t.Errorf("on its word alone B is given %q, %v", got, err)
	}
}

// One machine has an address for its firmware, one for iPXE and one for its installer within a minute.
func TestOneMachineWithSeveralAddresses(t *testing.T) {
	w := impostor(t)
	w.put("secret.tmpl", `{{secret "root"}}`, 0o644)
	w.put("secrets/root", "hunter2", 0o600)
	w.arp["10.0.0.40"], w.arp["10.0.0.41"] = macB, macB
	if _, err := w.ask("secret", "10.0.0.41", boot.Facts{}); !errors.Is(err, ErrNotIts) {
		t.Errorf("nobody has told %s, so it may be a bridge: %v", macB, err)
	}
	w.Asked(boot.Facts{MAC: macB}, addr("10.0.0.41"))
	w.arp["10.0.0.42"] = macB
	if got, err := w.ask("secret", "10.0.0.42", boot.Facts{}); got != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
	// It does not become a bridge by what it tells next.
	if c := w.Choose(boot.Facts{MAC: macA}, addr("10.0.0.40"), ""); c.Host != "a" ||
		!strings.Contains(strings.Join(c.Why, "\n"), "claims nothing") {
		t.Errorf("%+v", c)
	}
}

func TestWithoutDocuments(t *testing.T) {
	b := inventory(t, []Host{
		{
			Name: "mac",
			MACs: []string{mac1},
		}, {Name: "uuid", UUIDs: []string{uuid1}}, {Name: "serial", Serials: []string{"S1"}},
		{Name: "both", UUIDs: []string{swapped}, Addresses: ranges(t, "10.0.0.33")},
		{Name: "model", Product: "R640"}, {Name: "open", Assets: []string{"A1"}, Profile: "open"},
	}, Profile{Name: "open", Any: true})
	var names []string
	for _, h := range b.WithoutDocuments() {
		names = append(names, h.Name)
	}
	if got := strings.Join(names, " "); got != "uuid serial model" {
		t.Errorf("%s, want uuid serial model", got)
	}
}
