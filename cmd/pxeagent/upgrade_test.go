package main

import (
	"bytes"
	"flag"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/image/imagetest"
	"pxeagent/agent/machine"
	"pxeagent/agent/store"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab"
	"pxeagent/pfsense/pfsensetest"
)

// kept is a folder as version 1 left it: configuration, state, and what it installed in the trees. It is read for ever.
const kept = "testdata/version1"

var keep = flag.Bool("keep", false, "add what a fresh folder has and "+kept+" lacks; what is there is never changed")

// writeAll leaves in the working directory each kind of file that this program keeps.
func writeAll(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"make", "gcc", "ld", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			lab.Missing(t, tool)
		}
	}
	s := newFirewallSite(t, pfsensetest.Options{})
	config := "interface: admin\nnext_server: 10.99.0.7\nstate_dir: state\n" +
		"dhcp:\n  pfsense:\n    url: " + s.fw.URL().String() + "\n    user: pxeagent\n    password_file: password\n" +
		"    tls_sha256: " + strings.TrimPrefix(s.pin(), "--tls-sha256=") + "\n" +
		"serve:\n  root: root\n" +
		"profiles:\n  compute: {image: smartos-" + stamp + ", menu: skip}\n  install: {image: memtest86plus, when: once}\n" +
		"hosts:\n  - {name: node-01, mac: '52:54:00:12:34:01', profile: compute, labels: {canary: 'true'}}\n" +
		"  - {name: node-02, mac: '52:54:00:12:34:02', profile: install}\n"
	write(t, "pxeagent.yaml", config)
	write(t, "root/tftp/theirs", "a file of the site\n")
	mirror := imagetest.New(t)
	mirror.PublishOldSmartOS(t, stamp)
	write(t, "ipxe/src/Makefile", "bin/undionly.kpxe: $(EMBED)\n\t@mkdir -p $(@D)\n\t@cp $(EMBED) $@\n")
	for _, c := range []struct {
		code cli.Code
		args string
	}{
		{cli.NotProven, "configure --not-serving-yet"},
		{backend.Login, "configure --not-serving-yet --user other --password-file wrong"},
		{cli.Done, "image add smartos " + stamp + " --mirror " + mirror.URL},
		{cli.Done, "ipxe build --source ipxe"},
		{cli.Done, "host boot node-01 local --once"},
		{cli.Done, "host approve smartos-" + stamp},
	} {
		if r := pxeagent(strings.Fields(c.args)...); r.code != c.code {
			t.Fatalf("%s: %s, want %s\n%s%s", c.args, r.code.Name, c.code.Name, r.stdout, r.stderr)
		}
	}
	if err := machine.OpenDone("state/done").Set("52:54:00:12:34:02", "install", "memtest86plus"); err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	b, _, err := store.Open("state", store.Config{Keep: 10, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b.Put(boot.Boot{ID: "0000000001", MAC: "52:54:00:12:34:01", Addr: netip.MustParseAddr("10.99.0.21"), Host: "node-01",
		Started: at, Updated: at, Ended: at, Result: boot.Booted})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, scratch := range []string{"ipxe", "wrong", "key"} {
		if err := os.RemoveAll(scratch); err != nil {
			t.Fatal(err)
		}
	}
}

// kinds are a folder's files, without what differs from one folder to another.
func kinds(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	varies := regexp.MustCompile(`127\.0\.0\.1%3A\d+|\b[0-9a-f]{16}\b`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			found[varies.ReplaceAllString(name, "…")] = name
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// There is a sample of each file that this program keeps: a new kind of file needs one as well (go test -run
// TestSamples -keep).
func TestSamplesOfAllThatIsKept(t *testing.T) {
	samples, err := filepath.Abs(kept)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t)
	fresh, have := kinds(t, "."), kinds(t, samples)
	for kind, name := range fresh {
		if _, ok := have[kind]; ok {
			continue
		}
		if !*keep {
			t.Errorf("%s has no sample of %s", kept, kind)
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(samples, name), string(b))
	}
	for kind := range have {
		if _, ok := fresh[kind]; !ok {
			t.Logf("%s is of an earlier version, and not written any more", kind)
		}
	}
}

// What version 1 kept is read by this version: configuration, journal, networks, logins, machines, boots, images, NBPs.
func TestUpgradeFromVersion1(t *testing.T) {
	samples, err := filepath.Abs(kept)
	if err != nil {
		t.Fatal(err)
	}
	isolate(t)
	if err := os.CopyFS(".", os.DirFS(samples)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("password", 0o600); err != nil { // git keeps no such modes
		t.Fatal(err)
	}
	before := kinds(t, ".")
	for _, c := range []struct {
		args string
		code cli.Code
		says []string
	}{
		{"config check", cli.Done, []string{"ok: "}},
		{"image list", cli.Done, []string{"smartos-" + stamp}},
		{"image verify smartos-" + stamp, cli.Done, []string{"smartos-" + stamp}},
		{"chain explain", cli.Done, []string{"built with pxeagent's script to http://10.99.0.7/ipxe/bootstrap.ipxe"}},
		{"host show node-01", cli.Done, []string{"this once, without a menu"}},
		{"host show node-02", cli.Done, []string{"once, which it did at "}},
		{"configure --not-serving-yet --user other", backend.Login, []string{"has not changed since"}},
	} {
		if strings.Contains(c.args, "--user other") {
			write(t, "password", wrongPassword+"\n")
		}
		r := pxeagent(strings.Fields(c.args)...)
		if r.code != c.code {
			t.Errorf("%s: %s, want %s\n%s%s", c.args, r.code.Name, c.code.Name, r.stdout, r.stderr)
		}
		for _, want := range c.says {
			if !strings.Contains(r.stdout+r.stderr, want) {
				t.Errorf("%s lacks %q:\n%s%s", c.args, want, r.stdout, r.stderr)
			}
		}
		if strings.Contains(r.stderr, "warning") || strings.Contains(r.stderr, "level=") {
			t.Errorf("%s complains:\n%s", c.args, r.stderr)
		}
	}
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	j, err := dhcp.OpenJournal("state", "pfsense-127.0.0.1:43525-opt1")
	if err != nil {
		t.Fatal(err)
	}
	if first, ok := j.First(); !ok || first.Boot != (dhcp.Boot{}) || len(first.Raw) == 0 {
		t.Errorf("revert goes back to %+v", first)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	known, err := l.learned()
	if err != nil || len(known) != 1 {
		t.Fatalf("networks: %v, %v", known, err)
	}
	for _, f := range known {
		if f.Prefix != netip.MustParsePrefix("10.99.0.0/24") || f.Abilities == (dhcp.Abilities{}) {
			t.Errorf("the network is %+v", f)
		}
	}
	var log bytes.Buffer
	s, boots, err := store.Open("state", store.Config{Keep: 10, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if len(boots) != 1 || boots[0].Host != "node-01" || boots[0].Result != boot.Booted || log.Len() > 0 {
		t.Errorf("boots are %+v\n%s", boots, &log)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for kind, name := range before {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("%s is gone: %v", kind, err)
		}
	}
}
