package menu

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

// What cannot be booted is never a default, and what is not for a machine is the local disk for it.
func TestDefaultsOfMachines(t *testing.T) {
	for name, tc := range map[string]struct {
		conf     string
		choice   machine.Choice
		facts    boot.Facts
		want     string
		straight bool
		wrong    string
	}{
		"nobody says anything": {"", machine.Choice{}, bios, catalog.Local, false, ""},
		"the site's": {"smartos-20240104T000552Z", machine.Choice{}, bios, "smartos-20240104T000552Z",
			false, ""},
		"the machine's": {"shell",
			machine.Choice{Item: "smartos-20240104T000552Z-rescue"}, bios, "smartos-20240104T000552Z-rescue", false, ""},
		"not for UEFI": {"smartos-20240104T000552Z", machine.Choice{}, uefi, catalog.Local, false, ""},
		"not for UEFI, straight": {"", machine.Choice{Item: "smartos-20240104T000552Z",
			SkipMenu: true}, uefi, catalog.Local, false, "not for this machine"},
		"not there": {"", machine.Choice{Item: "smartos-20250101T000000Z",
			SkipMenu: true, Host: "h"}, bios, catalog.Local, false, `"smartos-20250101T000000Z", is not there`},
		"straight": {"", machine.Choice{Item: "debian-bookworm-amd64",
			SkipMenu: true}, bios, "debian-bookworm-amd64", true, ""},
		"straight, the site's": {"shell", machine.Choice{SkipMenu: true}, bios, "shell", true, ""},
		"hidden, and yet there": {"", machine.Choice{Item: "debian-bookworm-amd64",
			Hide: []string{"*"}}, bios, "debian-bookworm-amd64", false, ""},
		"arguments that end a line": {"", machine.Choice{Item: "debian-bookworm-amd64",
			SkipMenu: true, Args: "x || reboot"}, bios, catalog.Local, false, "invalid arguments"},
		"arguments that are too long": {"", machine.Choice{Item: "smartos-20240104T000552Z",
			Args: "x=" + strings.Repeat("y", 400)}, bios, catalog.Local, false,
			"smartos-20240104T000552Z is left out: its command lines need"},
		"a console that is none": {"", machine.Choice{Console: "vt220",
			Profile: "p"}, bios, catalog.Local, false, `console of profile p: invalid console "vt220"`},
		"for ARM64 only": {"",
			machine.Choice{Item: "debian-bookworm-arm64"}, uefi, catalog.Local, false, "needs an ARM64 machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(
				t,
				Config{
					Settings: Settings{Default: tc.conf},
					Choose: func(f boot.Facts, addr netip.Addr) machine.Choice {
						if f != tc.facts || addr != netip.MustParseAddr("10.0.0.9") {
							t.Errorf("asked for %+v at %v", f, addr)
						}
						return tc.choice
					},
				},
			)
			for _, f := range everything {
				s.put("http/"+f, "x")
			}
			m, err := s.Menu(tc.facts, netip.MustParseAddr("10.0.0.9"))
			if err != nil || m.Default != tc.want || m.SkipMenu != tc.straight ||
				strings.Contains(string(m.Script), "\ngoto "+m.Default+"\n:start\n") != tc.straight {
				t.Errorf("%v, default %q, straight %v, in\n%s", err, m.Default, m.SkipMenu, m.Script)
			}
			if (m.Err == nil) != (tc.wrong == "") || m.Err != nil && !strings.Contains(m.Err.Error(), tc.wrong) {
				t.Errorf("wrong is %v, want %q", m.Err, tc.wrong)
			}
			shown := 0
			for _, i := range m.Items {
				if i.Default != (i.Key == tc.want) || i.Default && !i.Shown {
					t.Errorf("%+v", i)
				}
				if i.Shown {
					shown++
				}
			}
			if shown == 0 || !strings.Contains(string(m.Script), "-- "+tc.want+" ") {
				t.Errorf("%d items shown, the default among them?\n%s", shown, m.Script)
			}
			if f := script.Faults(m.Script); f != nil {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A new image changes no default.
func TestNewImageIsNoDefault(t *testing.T) {
	s := newSite(t, Config{})
	for _, f := range everything {
		s.put("http/"+f, "x")
		for _, k := range Kinds() {
			if m, err := s.Menu(k.Facts, netip.Addr{}); err != nil || m.Default != catalog.Local || m.SkipMenu {
				t.Fatalf("with %s, %s: %v, %q", f, k.Name, err, m.Default)
			}
		}
	}
}

// Each thing is logged once as long as it lasts, for each host.
func TestProblemsAreLoggedOnce(t *testing.T) {
	hosts := map[string]machine.Choice{"a": {Host: "a", Item: "gone"}, "b": {Host: "b", Item: "gone"}}
	s := newSite(t, Config{Choose: func(f boot.Facts, _ netip.Addr) machine.Choice { return hosts[f.Serial] }})
	ask := func() {
		for range 2 {
			for _, serial := range []string{"a", "b", "c"} {
				s.ask(boot.Ask{Told: true, Facts: boot.Facts{Serial: serial, Platform: "efi", Arch: "x86_64"}})
			}
		}
	}
	ask()
	if n := strings.Count(s.log.String(), "level=WARN"); n != 2 || !strings.Contains(s.log.String(), "host=a") ||
		!strings.Contains(s.log.String(), "host=b") {
		t.Errorf("%d warnings:\n%s", n, s.log)
	}
	hosts = map[string]machine.Choice{"a": {Host: "a"}, "b": {Host: "b", Item: "gone"}}
	ask()
	hosts = map[string]machine.Choice{"a": {Host: "a", Item: "gone"}}
	ask()
	if n := strings.Count(s.log.String(), "level=WARN"); n != 3 {
		t.Errorf("%d warnings, want a third, for what came again:\n%s", n, s.log)
	}
}

func TestConfigureWhileServing(t *testing.T) {
	s := newSite(t, Config{})
	done := make(chan error, 1)
	go func() {
		var err error
		for range 200 {
			if _, e := s.Menu(bios, netip.Addr{}); e != nil {
				err = errors.Join(err, e)
			}
		}
		done <- err
	}()
	for n := range 200 {
		s.Configure(Settings{Title: strings.Repeat("x", n+1), Timeout: time.Duration(n) * time.Second})
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.Configure(Settings{Title: "Rack 8", Timeout: time.Minute})
	if m, err := s.Menu(bios, netip.Addr{}); err != nil || m.Title != "Rack 8" || m.Timeout != time.Minute ||
		!strings.Contains(string(m.Script), "\nset menu-timeout 60000\n") {
		t.Errorf("%v, %+v", err, m)
	}
}

// FuzzMenu: whatever the configuration and a profile say, the menu has no fault that can be seen, and its default is an
// item.
func FuzzMenu(f *testing.F) {
	f.Add("Rack 7", "memtest-x64", "a=b -kd", "memtest-*", "Group", "ttyb", byte(0))
	f.Add("# ; x", "local", "x || y", "*", "&& || ;", "text", byte(1))
	f.Add("", "shell", "${ip}", "[", "-- gap", "", byte(2))
	s := newSite(f, Config{Choose: func(f boot.Facts, _ netip.Addr) machine.Choice {
		return machine.Choice{
			Host:    f.Serial,
			Profile: f.Serial,
			Item:    f.Asset,
			Args:    f.Product,
			Console: f.Manufacturer,
			Hide:    []string{f.UUID},
		}
	}})
	// One image and one kind of client at a time: to run the script of a full menu takes longer than all else.
	s.put("http/memtest86+x64.bin", "x")
	f.Fuzz(func(t *testing.T, title, item, args, pattern, group, console string, kind byte) {
		s.Configure(
			Settings{
				Title:   title,
				Entries: []Entry{{Group: group}, {Item: pattern, Title: title}, {Item: item, Args: args}},
			},
		)
		for _, k := range Kinds()[int(kind)%len(Kinds()):][:1] {
			facts := k.Facts
			facts.Serial, facts.Asset, facts.Product, facts.Manufacturer, facts.UUID = title, item, args, console, pattern
			m, err := s.Menu(facts, netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(title+group, "${") { // which means something
				continue
			}
			for _, found := range script.Faults(m.Script) {
				t.Errorf("%s: %+v in\n%s", k.Name, found, m.Script)
			}
			if !strings.Contains(string(m.Script), "-- "+m.Default+" ") {
				t.Errorf("%s: the default %q is no item of\n%s", k.Name, m.Default, m.Script)
			}
		}
	})
}
