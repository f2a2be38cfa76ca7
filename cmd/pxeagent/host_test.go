package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
)

const hostFile = `serve: {root: root}
state_dir: state
next_server: 10.0.0.7
hosts:
  - name: node-01
    mac: [52:54:00:12:34:01, 52:54:00:12:34:11]
    labels: {rack: a1, canary: "true"}
    profile: compute
  - {name: node-02, mac: 52:54:00:12:34:02, serial: S-2, profile: compute}
  - {name: lab, address: 10.0.0.128/25, profile: install}
profiles:
  compute: {image: smartos, version: latest, menu: skip}
  install:
    image: smartos
    when: once
    menu: skip
    args: ks={{.Server}}/provision/x.ks host={{.Host}}
`

// hosts is a folder with a configuration and two SmartOS; what it returns runs `pxeagent host`.
func hosts(t *testing.T) func(args ...string) result {
	t.Helper()
	dir := isolate(t)
	write(t, "pxeagent.yaml", hostFile)
	for _, v := range []string{"20130808T195337Z", "20140101T000000Z"} {
		at := filepath.Join(dir, "root/http/smartos", v, "platform/i86pc")
		write(t, filepath.Join(at, "kernel/amd64/unix"), "kernel")
		write(t, filepath.Join(at, "amd64/boot_archive"), "archive")
	}
	write(t, filepath.Join(dir, "root/provision/x.ks.tmpl"), "hostname {{.Host}} rack {{.Labels.rack}} from {{.Server}}\n")
	return func(args ...string) result { return pxeagent(append([]string{"host"}, args...)...) }
}

func TestHostShow(t *testing.T) {
	host := hosts(t)
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"show node-01", []string{"pxeagent.yaml:5)", "canary=true rack=a1", "smartos-20140101T000000Z, without a menu", "by mac 52:54:00:12:34:01", "since this host is a canary"}},
		{"show 52-54-00-12-34-11", []string{"node-01", "by mac 52:54:00:12:34:11"}},
		{"show node-02", []string{"smartos-20130808T195337Z, without a menu", "20140101T000000Z waits for a canary to boot it"}},
		{"show --serial s-2", []string{"node-02", "by serial s-2"}},
		{"show 52:54:00:00:00:09 --address 10.0.0.200", []string{"lab", "by address 10.0.0.128/25", "once, which it has not yet done", "ks=http://10.0.0.7/provision/x.ks host=lab"}},
		{"show 52:54:00:12:34:02 --address 10.0.0.200", []string{"node-02", "not host lab (line 10), by address 10.0.0.128/25: mac says more than address"}},
		{"show 52:54:00:00:00:09", []string{"none of the configuration", "local, when nobody chooses for 30s", "no host of the configuration is this machine"}},
		{"show node-01 --script", []string{"#!ipxe\n", "goto smartos-20140101T000000Z"}},
		{"list", []string{"HOST ", "node-02  52:54:00:12:34:02 S-2", "lab      10.0.0.128/25"}},
		{"render node-01 x.ks", []string{"hostname node-01 rack a1 from http://10.0.0.7\n"}},
	} {
		r := host(strings.Fields(tt.args)...)
		for _, w := range tt.want {
			if r.code != cli.Done || !strings.Contains(r.stdout, w) || r.stderr != "" {
				t.Errorf("host %s: exit %v, want %q in\n%s%s", tt.args, r.code, w, r.stdout, r.stderr)
			}
		}
	}
	var got struct {
		Host, By, Profile, Boots string
		Line                     int
		Straight                 bool
		Why                      []string
	}
	if r := host("show", "node-02", "--json"); json.Unmarshal([]byte(r.stdout), &got) != nil || got.Host != "node-02" || got.By != "mac" || got.Line != 9 ||
		got.Profile != "compute" || got.Boots != "smartos-20130808T195337Z" || !got.Straight || len(got.Why) < 3 {
		t.Errorf("%+v of %s", got, r.stdout)
	}
}

func TestHostBootOnce(t *testing.T) {
	host := hosts(t)
	orders := func() []string {
		t.Helper()
		entries, err := os.ReadDir("state/once")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	steps := []struct {
		args, want string
		left       string // in state/once
	}{
		{"boot node-01 smartos-20130808T195337Z --once", "52:54:00:12:34:01 boots smartos-20130808T195337Z the next time, once\n", "52-54-00-12-34-01"},
		{"boot 52:54:00:12:34:11 smartos --once", "52:54:00:12:34:11 boots smartos-20140101T000000Z the next time, once\n", "52-54-00-12-34-11"}, // its other card
		{"show node-01", "this once, without a menu", "52-54-00-12-34-11"},
		{"boot 8A1F7D6E-0C5B-4D3E-9F2A-1B2C3D4E5F60 local --once", "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60 boots local", "52-54-00-12-34-11 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"},
		{"list", "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60", "52-54-00-12-34-11 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"},
		{"boot node-01 --cancel", "52:54:00:12:34:11 does not boot smartos-20140101T000000Z any more\n", "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"},
		{"boot node-01 --cancel", "nothing was to be booted once\n", "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60"},
		{"boot 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60 --cancel --json", `"item": "local"`, ""},
	}
	for _, s := range steps {
		r := host(strings.Fields(s.args)...)
		if left := strings.Join(orders(), " "); r.code != cli.Done || !strings.Contains(r.stdout, s.want) || left != s.left {
			t.Errorf("host %s: exit %v, %q is left, want %q, and\n%s\nin\n%s%s", s.args, r.code, left, s.left, s.want, r.stdout, r.stderr)
		}
	}
}

func TestHostApproveAndAgain(t *testing.T) {
	host := hosts(t)
	if r := host("approve", "smartos-20140101T000000Z"); r.code != cli.Done {
		t.Fatalf("%+v", r)
	}
	if r := host("show", "node-02"); !strings.Contains(r.stdout, "smartos-20140101T000000Z, without a menu") {
		t.Errorf("%s", r.stdout)
	}
	write(t, "pxeagent.yaml", strings.Replace(hostFile, "serial: S-2, profile: compute", "profile: install", 1))
	write(t, "state/done/52-54-00-12-34-02.install", `{"at":"2026-01-02T03:04:05Z"}`)
	if r := host("show", "node-02"); !strings.Contains(r.stdout, "local, without a menu") || !strings.Contains(r.stdout, "once, which it did at 2026-01-02T03:04:05Z") {
		t.Errorf("%s", r.stdout)
	}
	for _, want := range []string{"node-02 boots smartos of profile install the next time, once\n", "node-02 has not yet booted smartos of profile install, and still does so once\n"} {
		if r := host("again", "node-02"); r.code != cli.Done || r.stdout != want {
			t.Errorf("%+v, want %q", r, want)
		}
	}
	if r := host("show", "node-02"); !strings.Contains(r.stdout, "once, which it has not yet done") {
		t.Errorf("%s", r.stdout)
	}
	// A machine that was known by its address: nothing but what it did says which profile it has.
	write(t, "state/done/52-54-00-12-34-77.install", `{"at":"2026-01-02T03:04:05Z"}`)
	if r := host("again", "52:54:00:12:34:77"); r.code != cli.Done || r.stdout != "52:54:00:12:34:77 boots smartos of profile install the next time, once\n" {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat("state/done/52-54-00-12-34-77.install"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestHostMistakes(t *testing.T) {
	host := hosts(t)
	for _, tt := range []struct {
		args string
		code cli.Code
		want string
	}{
		{"show", cli.Usage, "want a machine: a MAC, a UUID, the name of a host, or flags"},
		{"show node-9", cli.Usage, `there is no host "node-9", and it is neither a MAC nor a UUID`},
		{"show 52:54:00:12:34:01 --mac 52:54:00:12:34:02", cli.Usage, "the machine is named twice"},
		{"show --address x", cli.Usage, "no IP address"},
		{"boot node-01 smartos", cli.Usage, "hint: add --once"},
		{"boot node-01", cli.Usage, "want a machine and an image"},
		{"boot node-01 x --cancel", cli.Usage, "--cancel wants a machine and nothing else"},
		{"boot lab smartos --once", cli.Usage, "host lab has neither mac nor uuid, so it is not one machine"},
		{"boot 01:00:5e:00:00:01 smartos --once", cli.Usage, "neither a MAC nor a UUID"},
		{"boot node-01 shell --once", cli.Usage, "cannot be booted once"},
		{"boot node-01 smartoss --once", cli.NoImage, "hint: did you mean smartos?"},
		{"boot node-01 ../x --once", cli.NoImage, "unknown menu item"},
		{"approve nothing", cli.NoImage, "unknown menu item"},
		{"again node-01", cli.Usage, "node-01 has no profile with when: once, and has booted nothing for one"},
		{"render node-02 x.ks", cli.Unexpected, `no entry for key "rack"`},
		{"render node-01 y.ks", cli.Usage, `there is no document "y.ks"`},
		{"render node-01", cli.Usage, "want a machine and a document"},
	} {
		r := host(strings.Fields(tt.args)...)
		if r.code != tt.code || !strings.Contains(r.stderr, tt.want) || strings.Count(r.stderr, "pxeagent: ") != 1 {
			t.Errorf("host %s: exit %v, want %v and %q:\n%s", tt.args, r.code, tt.code, tt.want, r.stderr)
		}
	}
}
