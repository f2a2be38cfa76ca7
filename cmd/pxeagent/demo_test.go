package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense/pfsensetest"
)

func TestDemoConfiguresAFirewall(t *testing.T) {
	isolate(t)
	var out, logs bytes.Buffer
	if code := run([]string{"demo"}, &out, &logs); code != cli.Done {
		t.Fatalf("exit %v:\n%s%s", code, out.String(), logs.String())
	}
	for _, want := range []string{
		`trust +the certificate of https://127\.0\.0\.1:\d+ is pinned, SHA-256 ([0-9A-F]{2}:){7}`,
		`configure +pfSense 127\.0\.0\.1:\d+, interface admin`,
		`nbp bios +\(not set\)  ->  undionly\.kpxe`,
		`configure +by REST at https://\S+: done: written, loaded and proven`,
		`probe +DHCP names a boot file to bios, efi64, efi-bc, efi32, arm64, http64, http-arm64, ipxe`,
		`check +bios reaches the menu: offer, nbp, script, script`,
		`check +http64 reaches the menu: offer, nbp, script`,
		`boot +52:54:00:00:14:14, uefi-http: nbp \d{7} bytes, script \d+ bytes: local_disk in \d+`,
		`configure +again, by XML-RPC at https://\S+: in sync`,
		`revert +done: the old settings are back`,
		`metric +pxeagent_boots_total\{arch="x86_64",profile="",result="local_disk"\} 1`,
		`metric +pxeagent_loops_broken_total\{protocol="http"\} 1`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("the demo does not show %s:\n%s", want, out.String())
		}
	}
}

// spoiled is a stand-in that can be made to fail.
type spoiled interface {
	Order(pfsensetest.Fault)
	FailLoads(int)
	EditAt(pfsensetest.Moment, func(pfsensetest.Tree))
	SetDirty(bool)
}

// Whatever goes wrong with the firewall, the demo ends in an error, and says at which step. A firewall that is cut off
// is waited for.
func TestDemoFailsWithItsFirewall(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(spoiled){
		"refused login":     func(f spoiled) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Unauthorized}) },
		"write cut off":     func(f spoiled) { f.Order(pfsensetest.Fault{Kind: pfsensetest.CutAfter, Op: "write"}) },
		"daemon stays away": func(f spoiled) { f.FailLoads(1) },
		"edited meanwhile": func(f spoiled) {
			f.EditAt(pfsensetest.AfterWrite, func(c pfsensetest.Tree) { c.Set("dhcpd/opt1/filename", "x") })
		},
		"not what it was": func(f spoiled) {
			f.EditAt(pfsensetest.AfterLoad, func(c pfsensetest.Tree) { c.Set("dhcpd/lan/tftp", "192.0.2.1") })
		},
		"another's settings": func(f spoiled) { f.SetDirty(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			d := &demonstration{out: &out, dir: t.TempDir()}
			var err error
			start, err := (&app{backends: backend.Table()}).standIn("pfsense")
			if err != nil {
				t.Fatal(err)
			}
			if d.wall, err = start(d.dir); err != nil {
				t.Fatal(err)
			}
			defer d.wall.Close()
			ctx, cancel := context.WithCancel(t.Context())
			g, running := errgroup.WithContext(ctx)
			if err := d.start(running, g, io.Discard); err != nil {
				t.Fatal(err)
			}
			spoil(d.wall.(spoiled))
			if err := d.tour(running); err == nil {
				t.Errorf("no error:\n%s", out.String())
			} else if strings.Contains(out.String(), "metric") {
				t.Errorf("the demo went on after %v", err)
			}
			cancel()
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
