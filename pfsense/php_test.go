package pfsense

import (
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// testBoot is what pfSense can say in full, sent from next.
func testBoot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next)}
	b.NBP = [firmware.NumArch]string{"undionly.kpxe", "ipxe32.efi", "ipxe.efi", "arm32.efi", "snp-arm64.efi"}
	for _, a := range firmware.Arches()[1:] {
		b.URL[a] = "http://" + next + "/ipxe.efi?a=1&b=2"
	}
	return b
}

func mustPlan(t *testing.T, s *Server, want dhcp.Boot) dhcp.Plan {
	t.Helper()
	p, err := s.Plan(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantOthersSame fails where anything but the keys of opt1 differs.
func wantOthersSame(t *testing.T, before, now tree) {
	t.Helper()
	for _, c := range []tree{before, now} {
		section := at(c, "dhcpd", "opt1")
		for _, name := range fieldNames {
			delete(section, name)
		}
	}
	if !reflect.DeepEqual(before, now) {
		t.Errorf("something that is not pxeagent's was changed:\nbefore %v\nnow    %v", before, now)
	}
}

func TestSetAgainAndRevert(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, age)
			before, old := s.config(), s.mine()
			p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
			if s.get("history") != "" || s.mine() != old {
				t.Error("planning wrote")
			}
			if err := s.server("ADMIN").Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			wantOthersSame(t, before, s.config())
			record, err := s.mine().record()
			if err != nil || string(record) != string(p.After.Raw) {
				t.Errorf("written was %s, planned %s (%v)", record, p.After.Raw, err)
			}
			if !strings.Contains(s.get("loaded"), `"opt1":{"nextserver":"10.99.0.5","filename":"undionly.kpxe"`) {
				t.Errorf("loaded was %s", s.get("loaded"))
			}
			history := s.get("history")
			if !strings.HasPrefix(history,
				"pxeagent: network boot on ADMIN (opt1): next-server 10.99.0.5, nbp bios undionly.kpxe") ||
				strings.Count(history, "\n") != 1 {
				t.Errorf("history %q", history)
			}

			again := mustPlan(t, s.server("opt1"), testBoot("10.99.0.5"))
			if !again.Empty() || again.Before.Boot != testBoot("10.99.0.5") {
				t.Errorf("planned again: %+v", again)
			}
			s.put("loaded", "")
			if err := s.server("igb2").Apply(t.Context(), again); err != nil {
				t.Fatal(err)
			}
			if s.get("history") != history || s.get("loaded") == "" {
				t.Error("an empty plan must load and not write")
			}

			if err := s.server("admin").Revert(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if s.mine() != old {
				t.Errorf("reverted to %v, was %v", s.mine(), old)
			}
			if at(s.config(), "dhcpd", "opt1")["filename32"] != nil {
				t.Error("filename32 was absent and is now empty")
			}
			if !strings.Contains(s.get("history"), "reverted: turned off") {
				t.Errorf("history %q", s.get("history"))
			}
			s.put("loaded", "")
			if err := s.server("admin").Revert(t.Context(), p); err != nil || s.get("loaded") == "" {
				t.Errorf("a second revert must only load: %v", err)
			}
		})
	}
}

// The order of calls on the firewall: everything under one lock with a name of its own, the disk read again, read back
// after writing.
func TestOrderOfCalls(t *testing.T) {
	t.Parallel()
	for age, reads := range map[string]string{"2.7.0": "parse_config", "2.9.0": "config_read_file"} {
		s := newStub(t, age)
		p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
		want := []string{"lock pxeagent shared", reads, "unlock"}
		if err := s.server("admin").Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		want = append(want, want...) // the interface is found again
		want = append(want, "lock pxeagent exclusive", reads, "write_config", "lock config exclusive", "unlock", reads,
			"services_dhcpd_configure inet", "unlock")
		if got := strings.Split(strings.TrimSpace(s.get("steps")), "\n"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: calls %q\nwant %q", age, got, want)
		}
	}
}

func TestTurnOff(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	before := s.config()
	p := mustPlan(t, s.server("lan"), dhcp.Boot{})
	if p.Empty() || len(p.Problems) > 0 {
		t.Fatalf("plan %+v", p)
	}
	if err := s.server("lan").Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	now := s.config()
	lan := at(now, "dhcpd", "lan")
	if _, on := lan["netboot"]; on || lan["filename"] != "pxelinux.0" {
		t.Errorf("lan is %v", lan)
	}
	lan["netboot"] = ""
	if !reflect.DeepEqual(before, now) {
		t.Errorf("more than the flag was changed: %v", now)
	}
	if !mustPlan(t, s.server("lan"), dhcp.Boot{}).Empty() {
		t.Error("off is not off")
	}
	if err := s.server("lan").Revert(t.Context(), p); err != nil || !reflect.DeepEqual(before, s.config()) {
		t.Errorf("reverted to %v: %v", s.config(), err)
	}
}

// A value of its own, not only a flag: any text of netboot turns it on, and it is kept.
func TestNetbootText(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.7.0")
	s.edit(func(c tree) {
		maps.Copy(at(c, "dhcpd", "opt1"), tree{"netboot": "false", "nextserver": "10.99.0.6", "filename": "a"})
	})
	old := s.mine()
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	if p.Before.Boot.NBP[firmware.BIOS] != "a" {
		t.Errorf("netboot \"false\" is on; read as %+v", p.Before.Boot)
	}
	if err := s.server("admin").Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if k := s.mine(); k[netboot] != (setting{true, "false"}) {
		t.Errorf("netboot became %v", k[netboot])
	}
	if err := s.server("admin").Revert(t.Context(), p); err != nil || s.mine() != old {
		t.Errorf("reverted to %v: %v", s.mine(), err)
	}
}

func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	edits := map[string]func(section tree){
		"another value":     func(section tree) { section["filename"] = "theirs" },
		"turned on":         func(section tree) { section["netboot"] = "" },
		"empty, was absent": func(section tree) { section["filename32"] = "" },
		"absent, was empty": func(section tree) { delete(section, "filename64") },
	}
	for name, edit := range edits {
		for _, age := range ages {
			s := newStub(t, age)
			p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
			s.put("cache.json", s.get("config.json")) // what the process knows is what was planned from
			s.edit(func(c tree) { edit(at(c, "dhcpd", "opt1")) })
			before := s.config()
			if err := s.server("admin").Apply(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
				t.Errorf("%s, %s: apply: %v", name, age, err)
			}
			if err := s.server("admin").Revert(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
				t.Errorf("%s, %s: revert: %v", name, age, err)
			}
			if !reflect.DeepEqual(before, s.config()) || s.get("history") != "" || s.get("loaded") != "" {
				t.Errorf("%s, %s: something was written or loaded", name, age)
			}
		}
	}
}

// The cache and what this process read may be older than the disk; nothing may be written from them.
func TestStaleCache(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		s := newStub(t, age)
		s.put("cache.json", s.get("config.json"))
		s.edit(func(c tree) {
			at(c, "interfaces", "opt1")["descr"] = "RENAMED"
			c["unbound"] = tree{"enable": "", "port": "53"}
		})
		before := s.config()
		p := mustPlan(t, s.server("renamed"), testBoot("10.99.0.5"))
		if err := s.server("renamed").Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantOthersSame(t, before, s.config())
	}
}

func TestOverwrittenAtOnce(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	s.order(map[string]any{"overwritten_by": tree{"opt1/filename": "theirs"}})
	err := s.server("admin").Apply(t.Context(), p)
	if !errors.Is(err, dhcp.ErrChanged) || s.mine()[filename].text != "theirs" {
		t.Errorf("%v; filename %v", err, s.mine()[filename])
	}
	if strings.Count(s.get("history"), "\n") != 1 || s.get("loaded") != "" {
		t.Error("it was written again or loaded")
	}
}

func TestRefusesToWrite(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	before := s.config()
	unwritten := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || !reflect.DeepEqual(before, s.config()) || s.get("loaded") != "" {
			t.Errorf("%s: %v, want %v and nothing written or loaded", what, err, want)
		}
	}
	s.put("dhcpd.dirty", "")
	unwritten("dirty", s.server("admin").Apply(t.Context(), p), ErrUnapplied)
	if q, refused := mustPlan(t, s.server("admin"), testBoot("10.99.0.5")).Refused(); !refused || q.Code != "unapplied" {
		t.Errorf("plan on unapplied changes: %+v", q)
	}
	if err := s.server("admin").Revert(t.Context(), dhcp.Plan{Before: p.After, After: p.Before}); !errors.Is(err,
		ErrUnapplied) {
		t.Errorf("revert on unapplied changes: %v", err)
	}
	s = newStub(t, "2.9.0")
	s.order(map[string]any{"write_refused": true})
	unwritten("refused by write_config", s.server("admin").Apply(t.Context(), p), ErrProgram)
	s.order(map[string]any{"throw": "write_config"})
	err := s.server("admin").Apply(t.Context(), p)
	unwritten("thrown by write_config", err, ErrProgram)
	if !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v", err)
	}
	s.order(map[string]any{"no_lock": "pxeagent"})
	if _, err := s.server("admin").Plan(t.Context(), dhcp.Boot{}); !errors.Is(err, ErrProgram) {
		t.Errorf("plan without a lock: %v", err)
	}
	nolock := s.server("admin")
	nolock.iface = &iface{ID: "opt1"}
	unwritten("no lock", nolock.Apply(t.Context(), p), ErrProgram)
	s.order(nil)
	s.edit(func(c tree) { at(c, "dhcpd")["opt1"] = "" })
	before = s.config()
	unwritten("section gone", s.server("admin").Apply(t.Context(), p), ErrNoSection)
	s.edit(func(c tree) { delete(at(c, "interfaces"), "opt1") })
	before = s.config()
	unwritten("interface gone", s.server("admin").Apply(t.Context(), p), ErrNoInterface)
	if steps := s.get("steps"); !strings.HasSuffix(steps, "unlock\n") {
		t.Errorf("a lock was kept: %q", steps)
	}
}

// Somebody else who wrote just what was planned has changed the settings too: what they were before is not what this
// plan says.
func TestTheSameWrittenByOthers(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	if err := s.server("admin").Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.put("loaded", "")
	if err := s.server("admin").Apply(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) || s.get("loaded") != "" {
		t.Errorf("apply again: %v, loaded %s", err, s.get("loaded"))
	}
}

func apply(t *testing.T, s *stub, want dhcp.Boot) error {
	t.Helper()
	return s.server("admin").Apply(t.Context(), mustPlan(t, s.server("admin"), want))
}

// Whatever the texts are, they arrive as they are, and none is code.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	h := s.interpreter()
	for _, text := range []string{`';system("touch ` + s.path("pwned") + `");//`, "$args", "${x}", "{$x}", "`id`", "\\",
		`\'`, "?>", "<?php", "ünïcode", "a\x00b", "\n", "]]>", "&amp;", "<b>"} {
		var k keys
		for f := range k {
			k[f] = setting{true, text}
		}
		p, err := newProgram("write", change{Op: "write", ID: "opt1", Before: s.mine(), After: k, Wait: .2, Message: text})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := h.run(s.dir, p)
		var done changed
		if err != nil || json.Unmarshal(raw, &done) != nil || done.Keys == nil {
			t.Fatalf("%q: %v %s", text, err, raw)
		}
		if done.Status == "done" && (s.mine() != k || *done.Keys != k) {
			t.Errorf("%q became %v", text, s.mine())
		}
		if done.Status != "done" && done.Status != "rolled back" {
			t.Errorf("%q: %s", text, raw)
		}
	}
	if s.get("pwned") != "" {
		t.Error("a text was run")
	}
	// An id that is none must touch nothing.
	before := s.config()
	for _, id := range []string{"", "opt9", "opt1/pool", "0", "__proto__"} {
		p, err := newProgram("write", change{Op: "write", ID: id, After: s.mine(), Wait: .2})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := h.run(s.dir, p)
		if err != nil || !strings.Contains(string(raw), `"status":"gone"`) {
			t.Errorf("id %q: %s %v", id, raw, err)
		}
	}
	if !reflect.DeepEqual(before, s.config()) {
		t.Error("something was written")
	}
}
