package pfsense

import (
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/deploy/lab"
)

const testScript = "http://10.99.0.5/ipxe/bootstrap.ipxe"

func TestTakesCustom(t *testing.T) {
	for version, want := range map[string]bool{
		"2.7.0-RELEASE": false, "2.7.2-RELEASE": false, "2.8.0-RELEASE": true, "2.8.1-RELEASE": true,
		"2.9.0-DEVELOPMENT": true, "2.10.0": true, "3.0": true,
		"23.09.1-RELEASE": false, "24.11-RELEASE": false, "25.03-BETA": true, "25.07-RELEASE": true, "26.03": true,
		"": false, "x": false, "99999999999999999999.1": false,
	} {
		if got := (firewall{Version: version}).takesCustom(); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

// keaStub is a firewall whose Kea takes a configuration of the site's own, and a program that says of a configuration
// what Kea would.
func keaStub(t *testing.T, takes string) (*stub, func(iface string, tell bool) *Server) {
	s := newStub(t, "2.9.0")
	s.put("version", "2.8.1-RELEASE\n")
	s.put("proc-kea-dhcp4", "well")
	s.put("kea.conf", `{"Dhcp4":{"client-classes":[{"name":"pool_opt1_0","test":"member('ALL')"},`+
		`{"name":"pxeagent_ipxe_opt1","test":"old"}],"reservations":[],"option-def":{}}}`)
	s.put("kea", "#!/bin/sh\ncat \"$2\" >>"+s.path("asked")+"\nprintf %s \"$2\" >"+s.path("file")+"\n"+takes)
	if err := os.Chmod(s.path("kea"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.edit(func(c tree) { c["dhcpbackend"] = "kea" })
	h := s.interpreter()
	return s, func(iface string, tell bool) *Server {
		b := s.server(iface)
		b.tellIPXE, b.kea = tell, kea{s.path("kea"), s.path("kea.conf")}
		b.transport = wire{s: s, keeps: h, patch: strings.NewReplacer("/etc/version", s.path("version"))}
		return b
	}
}

func telling() dhcp.Boot {
	b := desired()
	b.Script = testScript
	return b
}

// What lies at Kea's top before a change, from a firewall where nobody ever used it on.
var keaBefore = map[string]func(c tree){
	"none":     func(tree) {},
	"element":  func(c tree) { c["kea"] = "" },
	"no field": func(c tree) { c["kea"] = tree{"loglevel": "WARN"} },
	"empty":    func(c tree) { c["kea"] = tree{"custom_kea_config": ""} },
	"object":   func(c tree) { c["kea"] = tree{"custom_kea_config": encoded("{}")} },
	"the site's": func(c tree) {
		c["kea"] = tree{"custom_kea_config": encoded("{ \"client-classes\": [\n {\"name\": \"phones\"}\n ],\n \"x\": 1.0 " +
			"}\n"), "ha": tree{"role": "primary"}}
	},
}

// The class is written with the keys, is read back, is kept beside the site's configuration and the class of another
// interface, and goes out again.
func TestClass(t *testing.T) {
	t.Parallel()
	for name, edit := range keaBefore {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, open := keaStub(t, "exit 0")
			s.edit(edit)
			before := s.config()
			p := mustPlan(t, open("admin", true), telling())
			if q, refused := p.Refused(); refused || p.After.Boot.Script != testScript || p.Before.Boot.Script != "" {
				t.Fatalf("%+v, script %q", q, p.After.Boot.Script)
			}
			if err := open("admin", true).Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			again := mustPlan(t, open("admin", true), telling())
			if !again.Empty() || again.Before.Boot.Script != testScript || string(again.Before.Raw) != string(p.After.Raw) {
				t.Errorf("planned again: %s\nwant %s", again.Before.Raw, p.After.Raw)
			}
			if !strings.Contains(s.get("history"), "script "+testScript) {
				t.Errorf("history %q", s.get("history"))
			}
			asked := s.get("asked")
			for _, part := range []string{`"name":"pool_opt1_0"`, `pkt.iface == 'igb2'`, `"reservations":[]`,
				`"option-def":{}`} {
				if !strings.Contains(asked, part) || strings.Contains(asked, `"old"`) {
					t.Errorf("Kea was asked about %s, without %s", asked, part)
				}
			}
			// Another interface, with another script.
			other := telling()
			other.Script = "http://192.168.1.5/ipxe/bootstrap.ipxe"
			lan := mustPlan(t, open("lan", true), other)
			if err := open("lan", true).Apply(t.Context(), lan); err != nil {
				t.Fatal(err)
			}
			if !mustPlan(t, open("admin", true), telling()).Empty() {
				t.Error("the other interface's class changes this one's")
			}
			if err := open("admin", true).Revert(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if got := mustPlan(t, open("lan", true), other); !got.Empty() {
				t.Error("the revert of one interface took the class of the other")
			}
			if err := open("lan", true).Revert(t.Context(), lan); err != nil {
				t.Fatal(err)
			}
			if now := s.config(); !reflect.DeepEqual(before, now) {
				t.Errorf("after both reverts\n%v\nwas\n%v", now, before)
			}
			if err := open("admin", true).Revert(t.Context(), p); err != nil {
				t.Errorf("a second revert must only load: %v", err)
			}
		})
	}
}

// Without chain: dhcp there is no class, and an old one is removed, as it is when network boot is disabled.
func TestClassGoes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]dhcp.Boot{"auto": telling(), "off": {}} {
		s, open := keaStub(t, "exit 0")
		if err := open("admin", true).Apply(t.Context(), mustPlan(t, open("admin", true), telling())); err != nil {
			t.Fatal(err)
		}
		p := mustPlan(t, open("admin", false), want)
		if p.Empty() || p.After.Boot.Script != "" {
			t.Fatalf("%s: %s", name, p.After.Raw)
		}
		if err := open("admin", false).Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if _, there := s.config()["kea"]; there {
			t.Errorf("%s: left behind: %v", name, s.config()["kea"])
		}
		if name == "auto" && !strings.Contains(strings.Join(texts(p.Problems), "\n"), "chain: dhcp") {
			t.Errorf("no note mentions chain: dhcp: %q", texts(p.Problems))
		}
		if err := open("admin", false).Revert(t.Context(), p); err != nil ||
			mustPlan(t, open("admin", true), telling()).Before.Boot.Script != testScript {
			t.Errorf("%s: the class did not come back: %v", name, err)
		}
	}
}

func texts(problems []dhcp.Problem) (list []string) {
	for _, q := range problems {
		list = append(list, q.Text)
	}
	return list
}

// What the site does to its own part is its own business; what it does to pxeagent's class is a change by somebody
// else.
func TestClassEditedByOthers(t *testing.T) {
	t.Parallel()
	s, open := keaStub(t, "exit 0")
	keaBefore["the site's"](s.config())
	s.edit(keaBefore["the site's"])
	rewrite := func(from, to string) {
		s.edit(func(c tree) {
			field := setting{true, at(c, "kea")["custom_kea_config"].(string)}
			j, err := decodeSite(field, false)
			if err != nil || !strings.Contains(j.text, from) {
				t.Fatalf("%q %v", j.text, err)
			}
			at(c, "kea")["custom_kea_config"] = encoded(strings.ReplaceAll(j.text, from, to))
		})
	}
	p := mustPlan(t, open("admin", true), telling())
	rewrite("phones", "handsets")
	if err := open("admin", true).Apply(t.Context(), p); err != nil {
		t.Fatalf("the site's own class was changed after the plan: %v", err)
	}
	rewrite("handsets", "phones")
	rewrite(testScript, "http://elsewhere/x")
	if err := open("admin", true).Revert(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("the class was edited: %v", err)
	}
	if q := mustPlan(t, open("admin", true), telling()); q.Empty() || q.Before.Boot.Script != "http://elsewhere/x" {
		t.Errorf("before %+v", q.Before.Boot)
	}
	rewrite("http://elsewhere/x", testScript)
	rewrite("phones", "tablets")
	if err := open("admin", true).Revert(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	j, err := decodeSite(setting{true, at(s.config(), "kea")["custom_kea_config"].(string)}, false)
	if err != nil || j.text != "{ \"client-classes\": [\n {\"name\": \"tablets\"}\n ],\n \"x\": 1.0 }\n" {
		t.Errorf("the site's part is %q, %v", j.text, err)
	}
}

// Somebody who writes into the field between the reading and the writing loses nothing.
func TestClassRace(t *testing.T) {
	t.Parallel()
	s, open := keaStub(t, "exit 0")
	b := open("admin", true)
	p := mustPlan(t, b, telling())
	before, err := parseRecord(p.Before.Raw)
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseRecord(p.After.Raw)
	if err != nil {
		t.Fatal(err)
	}
	custom, err := b.customChange(t.Context(), *b.iface, before.class, after.class, false)
	if err != nil {
		t.Fatal(err)
	}
	s.edit(keaBefore["the site's"])
	program, err := newProgram("write", change{Op: "write", ID: "opt1", Before: before.keys, After: after.keys,
		Custom: custom, Wait: .2})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.transport.run(t.Context(), program)
	if err != nil || !strings.Contains(string(raw), `"status":"changed"`) || s.get("history") != "" {
		t.Errorf("%s %v, history %q", raw, err, s.get("history"))
	}
}

// Where Kea says no beforehand nothing is written and nothing loaded.
func TestClassUnfit(t *testing.T) {
	t.Parallel()
	s, open := keaStub(t, "echo INFO; echo 'Error encountered: no such thing'; exit 1")
	before := s.config()
	err := open("admin", true).Apply(t.Context(), mustPlan(t, open("admin", true), telling()))
	if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("%v", err)
	}
	if !reflect.DeepEqual(before, s.config()) || s.get("history") != "" || s.get("loaded") != "" {
		t.Error("something was written or loaded")
	}
	if file := s.get("file"); !strings.HasPrefix(file, "/tmp/pxeagent-kea-") || exists(file) {
		t.Errorf("left behind: %q", file)
	}
}

// Kea itself accepts the class in the configuration that pfSense generates, and rejects an error in it.
func TestClassFitsKea(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("kea-dhcp4")
	if err != nil {
		lab.Missing(t, "kea-dhcp4 (package kea-dhcp4-server)")
	}
	s, open := keaStub(t, "KEA_LOCKFILE_DIR="+t.TempDir()+" exec "+program+` "$@"`)
	s.put("kea.conf", keaAsHere(t, "2-bios-uefi-arm-http", "lo"))
	if err := open("admin", true).Apply(t.Context(), mustPlan(t, open("admin", true), telling())); err != nil {
		t.Fatal(err)
	}
	b := open("admin", true)
	p := mustPlan(t, b, telling())
	after, err := parseRecord(p.After.Raw)
	if err != nil {
		t.Fatal(err)
	}
	after.class.text = strings.Replace(after.class.text, "exists", "exist", 1)
	if p.After, err = after.state(abilities{script: true}); err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), p); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "Invalid character") {
		t.Errorf("a class with a mistake: %v", err)
	}
}

func TestClassProblems(t *testing.T) {
	t.Parallel()
	s, open := keaStub(t, "exit 0")
	config := s.get("config.json")
	for _, c := range []struct {
		name    string
		version string
		edit    func(tree)
		want    func(*dhcp.Boot)
		code    string // "!" behind one that refuses
	}{
		{name: "ISC", edit: func(c tree) { c["dhcpbackend"] = "isc" }, code: "script-isc!"},
		{name: "old", version: "2.7.2-RELEASE", code: "script-version!"},
		{name: "unknown version", version: "what", code: "script-version!"},
		{name: "no JSON", edit: func(c tree) {
			c["kea"] = tree{"custom_kea_config": encoded("{bad")}
		}, code: "kea-custom-unreadable!"},
		{name: "no base64", edit: func(c tree) {
			c["kea"] = tree{"custom_kea_config": "{}"}
		}, code: "kea-custom-unreadable!"},
		{name: "classes that are none", edit: func(c tree) {
			c["kea"] = tree{"custom_kea_config": encoded(`{"client-classes":{"a":1}}`)}
		}, code: "kea-custom-unreadable!"},
		{name: "device", edit: func(c tree) { at(c, "interfaces", "opt1")["if"] = "igb2' or '1" }, code: "script-device!"},
		{name: "long", want: func(b *dhcp.Boot) { b.Script += "?" + strings.Repeat("x", 100) }, code: "bad-script!"},
		{name: "no URL", want: func(b *dhcp.Boot) { b.Script = "menu.ipxe" }, code: "bad-script!"},
		{name: "the site's class", edit: func(c tree) {
			c["kea"] = tree{"custom_kea_config": encoded(
				`{"client-classes":[{"name":"mine","option-data":[{"code":67,"data":"x"}]}]}`)}
		}, code: "kea-custom-class"},
		{name: "the interface's", edit: func(c tree) {
			at(c, "dhcpd", "opt1")["custom_kea_config"] = encoded("{}")
		}, code: "kea-custom-interface"},
	} {
		s.put("config.json", config)
		s.put("version", "25.07-RELEASE\n")
		if c.version != "" {
			s.put("version", c.version)
		}
		if c.edit != nil {
			s.edit(c.edit)
		}
		want := telling()
		if c.want != nil {
			c.want(&want)
		}
		p := mustPlan(t, open("admin", true), want)
		got := codes(p.Problems)
		found := false
		for _, code := range got {
			found = found || code == c.code
		}
		if !found {
			t.Errorf("%s: %q, want %s", c.name, got, c.code)
		}
		if strings.HasSuffix(c.code, "!") && (!p.Empty() || len(got) != 1) {
			t.Errorf("%s: %q, and it would write %s", c.name, got, p.After.Raw)
		}
		// Without asking for the class none of this is in the way.
		if q, refused := mustPlan(t, open("admin", false), want).Refused(); refused {
			t.Errorf("%s: refused under auto: %+v", c.name, q)
		}
	}
}
