package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
	"pxeagent/pfsense/pfsensetest"
)

// What a small firewall takes, in addition to what the stand-in does: for each request, and to write config.xml and
// restart its DHCP server, with the 0.4 s that the writing program watches it.
const (
	requestTime = 100 * time.Millisecond
	writeTime   = 900 * time.Millisecond
)

// BenchmarkFirewall is what a person waits for at a terminal: the whole command, with a real DHCP server behind the
// stand-in firewall. ISC's pings each address for a second before it offers it.
func BenchmarkFirewall(b *testing.B) {
	for _, engine := range []string{"kea", "isc"} {
		for _, transport := range []string{"xmlrpc", "rest"} {
			b.Run(engine+" by "+transport, func(b *testing.B) {
				w := newTimed(b, engine, transport)
				for _, run := range []struct{ name, before string }{
					{"configure", "revert"}, {"again", ""}, {"dry-run", ""}, {"dry-run of a change", "revert"},
				} {
					b.Run(run.name, func(b *testing.B) {
						for range b.N {
							b.StopTimer()
							if run.before != "" {
								w.run(b, run.before)
							}
							args := []string{"configure"}
							if strings.HasPrefix(run.name, "dry-run") {
								args = append(args, "--dry-run")
							}
							asked := len(w.fw.Requests())
							b.StartTimer()
							w.run(b, args...)
							b.ReportMetric(float64(len(w.fw.Requests())-asked), "requests/op")
						}
					})
				}
			})
		}
	}
}

// run is one command, whatever its exit code says of differences.
func (w *wired) run(b *testing.B, args ...string) {
	b.Helper()
	out, err := w.box.Run(w.cmd, append(args, "--config", w.config())...)
	if err != nil && !strings.Contains(out, "a dry run writes nothing") && !strings.Contains(out, "[no-journal]") {
		b.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// newTimed is a firewall that takes its time, behind which a real DHCP server runs with what pfSense generates.
func newTimed(b *testing.B, engine, transport string) *wired {
	b.Helper()
	seg := lab.NewSegment(b)
	wall := seg.Host("fw", "igb2", "10.99.0.1/24")
	w := &wired{t: b, box: seg.Host("box", "eth1", "10.99.0.7/24"), dir: b.TempDir()}
	var err error
	if w.cmd, err = site.Binary(); err != nil {
		b.Fatal(err)
	}
	settings := pfsensetest.Default()
	settings.Set("dhcpbackend", engine)
	settings.Set("dhcpd/opt1/uefihttpboot", "")
	var running *lab.Peer
	started := func(t pfsensetest.Tree) {
		if running != nil {
			running.Stop()
		}
		if t == nil {
			return
		}
		if conf := generated(b, t); engine == "isc" {
			running = wall.ISC(conf, "igb2")
		} else {
			running = wall.Kea(conf)
		}
	}
	wall.Do(func() {
		w.fw, err = pfsensetest.New(pfsensetest.Options{Listen: "10.99.0.1:443", Config: settings, Started: started})
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.fw.Close)
	w.fw.Order(pfsensetest.Fault{Kind: pfsensetest.Slow, Op: "write", Delay: requestTime + writeTime})
	w.fw.Order(pfsensetest.Fault{Kind: pfsensetest.Slow, Delay: requestTime})
	for _, folder := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(w.dir, folder), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"password": "pfsense\n",
		"pxeagent.yaml": fmt.Sprintf("interface: admin\nstate_dir: %[1]s/state\nprobe:\n  interval: 1h\n"+
			"serve:\n  root: %[1]s\ndhcp:\n  pfsense:\n    url: https://10.99.0.1\n    user: admin\n    transport: %[2]s\n"+
			"    password_file: %[1]s/password\n    tls_sha256: %[3]x\n", w.dir, transport, w.fw.Fingerprint()),
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	w.serve()
	return w
}

// generated is what pfSense makes of t for its DHCP server. Where network boot is off, other names are sent.
func generated(b *testing.B, t pfsensetest.Tree) string {
	b.Helper()
	engine, _ := t.Text("dhcpbackend")
	file := "../../agent/probe/testdata/pfsense/2-bios-uefi-arm-http.dhcpd.conf"
	if engine == "kea" {
		file = "../../pfsense/testdata/kea/2-bios-uefi-arm-http.kea-dhcp4.conf"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	next := "10.99.0.9"
	if _, on := t.Text("dhcpd/opt1/netboot"); on {
		next, _ = t.Text("dhcpd/opt1/nextserver")
	}
	now := strings.NewReplacer("10.99.0.5", next, "ipxe-arm64.efi", "snp-arm64.efi")
	conf := now.Replace(string(text))
	if engine == "isc" {
		return conf
	}
	return lab.KeaHere(b, []byte(conf), "igb2")
}
