package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
	"pxeagent/pfsense/pfsensetest"
)

// wired is a firewall whose web page and DHCP server are on the wire, and a machine with an address on two networks.
type wired struct {
	t        testing.TB
	fw       *pfsensetest.Firewall
	box      *lab.Host
	dir, cmd string
}

// newWired makes them; config is what the machine's configuration has besides.
func newWired(t *testing.T, o pfsensetest.Options, config string, edit func(pfsensetest.Tree)) *wired {
	t.Helper()
	seg, aside := lab.NewSegment(t), lab.NewSegment(t)
	wall := seg.Host("fw", "igb2", "10.99.0.1/24")
	w := &wired{t: t, box: seg.Host("box", "eth1", "10.99.0.7/24"), dir: t.TempDir()}
	aside.Plug(w.box, "eth0", "192.0.2.7/24")
	var err error
	if w.cmd, err = site.Binary(); err != nil {
		t.Fatal(err)
	}
	o.Listen, o.Config = "10.99.0.1:443", pfsensetest.Default()
	o.Users = []pfsensetest.User{{Name: firewallUser, Password: firewallWord,
		Privileges: []string{"system-xmlrpc-ha-sync"}}}
	edit(o.Config)
	wall.Do(func() {
		if w.fw, err = pfsensetest.New(o); err == nil {
			err = w.fw.ServeDHCP("opt1", "igb2")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.fw.Close)
	for _, tree := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(w.dir, tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"password": firewallWord + "\n",
		"pxeagent.yaml": fmt.Sprintf("interface: admin\nstate_dir: state\n%sserve:\n  root: .\ndhcp:\n  pfsense:\n    url: "+
			"https://10.99.0.1\n    user: %s\n"+
			"    transport: xmlrpc\n    password_file: password\n    tls_sha256: %x\n", config, firewallUser,
			w.fw.Fingerprint()),
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *wired) config() string { return filepath.Join(w.dir, "pxeagent.yaml") }

// serve runs the agent until the test ends.
func (w *wired) serve() {
	w.t.Helper()
	w.box.Start(w.cmd, "serve", "--config", w.config()).WaitOutput(20*time.Second,
		"msg=serving .*script=http://10.99.0.7/")
}

// do runs one command, and wants an exit code and texts in what it prints.
func (w *wired) do(want cli.Code, texts []string, args ...string) {
	w.t.Helper()
	out, err := w.box.Run(w.cmd, append(args, "--config", w.config())...)
	code := 0
	if err != nil {
		if _, err := fmt.Sscanf(err.Error(), "exit status %d", &code); err != nil {
			w.t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	if code != want.Exit || leaksFirewallSecret(out) {
		w.t.Errorf("%q: exit %v, want %v\n%s", args, code, want, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			w.t.Errorf("%q: %q is not in\n%s", args, text, out)
		}
	}
}

// configure finds its place in the right one of two networks by what the firewall says, and proves the change there;
// serve, probe and check then find it without a login.
func TestFirewallOnTheWire(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	w := newWired(t, pfsensetest.Options{}, "", func(pfsensetest.Tree) {})
	before := w.fw.Saved()
	// Nothing serves yet: refused, and the network's addresses are known from now on.
	w.do(cli.NotServing, []string{"nothing serves at next-server"}, "configure")
	asked := len(w.fw.Requests())
	w.serve()
	if len(w.fw.Requests()) != asked {
		t.Error("serve asked the firewall")
	}

	w.do(cli.Differs, []string{"settings  differ", "wire      differs"}, "status")
	w.do(cli.Done, []string{"pfSense 10.99.0.1, interface ADMIN (opt1)", "offers are as desired", "proven on the wire"},
		"configure")
	w.do(cli.Done, []string{"settings  in sync", "wire      in sync"}, "status")
	// The network is looked at while the firewall is read: here that waits for it.
	for _, args := range [][]string{{"configure"}, {"configure", "--dry-run"}} {
		w.fw.Order(pfsensetest.Fault{Kind: pfsensetest.Held, Times: 1})
		asked = len(w.fw.Requests())
		w.do(cli.Done, []string{"in sync"}, args...)
		if n := len(w.fw.Requests()) - asked; n != 1 {
			t.Errorf("%q made %d requests, want 1", args, n)
		}
	}
	w.do(cli.Done, []string{"10.99.0.7"}, "probe")
	w.do(cli.Done, []string{"bootstrap.ipxe"}, "check")
	w.do(cli.Done, []string{"the old settings are back"}, "revert")
	if now := w.fw.Saved(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("after the revert:\n%v, want\n%v", now, before)
	}
}

// On a machine with two networks neither serve nor configure needs the other first: serve answers at each address until
// the network is known, and probes it from then on.
func TestFirstRunOnTwoNetworks(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	w := newWired(t, pfsensetest.Options{}, "probe:\n  interval: 10s\n", func(pfsensetest.Tree) {})
	daemon := w.box.Start(w.cmd, "serve", "--config", w.config())
	daemon.WaitOutput(20*time.Second, "serving at every address of this machine")
	daemon.WaitOutput(20*time.Second, "msg=serving ")
	w.do(cli.Done, []string{"offers are as desired", "proven on the wire"}, "configure")
	w.do(cli.Done, []string{"10.99.0.7"}, "probe")
	// The daemon finds it at its next round.
	daemon.WaitOutput(30*time.Second, `msg="DHCP probe" iface=admin result=ok`)
}

// What an old Kea cannot send is expected of nobody: UEFI is sent BIOS's file and cannot boot, which configure says,
// and for which nothing is called wrong for ever.
func TestOldKeaIsNotCalledWrong(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	w := newWired(t, pfsensetest.Options{Release: "2.7.2-RELEASE"}, "probe:\n  interval: 10s\n",
		func(c pfsensetest.Tree) { c.Set("dhcpbackend", "kea") })
	daemon := w.box.Start(w.cmd, "serve", "--config", w.config())
	daemon.WaitOutput(20*time.Second, "msg=serving ")
	w.do(cli.Done, []string{"UEFI included", "(arch-fault)", "proven on the wire"}, "configure")
	w.do(cli.Done, []string{"settings  in sync", "UEFI included", "wire      in sync"}, "status")
	w.do(cli.Done, []string{`UEFI is sent the BIOS boot file "undionly.kpxe", which it cannot run`}, "probe")
	w.do(cli.Done, []string{`ok    efi64   offer   10.99.0.1: "undionly.kpxe"`, "cannot send it a boot file of its own",
		"ok    bios    script  http://10.99.0.7/"}, "check")
	daemon.WaitOutput(30*time.Second, `msg="DHCP probe" iface=admin result=ok`)
	daemon.WaitOutput(30*time.Second, `msg=check iface=admin result=ok`)
	metrics, err := w.box.Run("curl", "-s", "http://10.99.0.7/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`pxeagent_dhcp_in_sync{interface="admin"} 1`,
		`pxeagent_check_ok{interface="admin",step="offer"} 1`, `pxeagent_check_ok{interface="admin",step="nbp"} 1`,
		`pxeagent_check_ok{interface="admin",step="script"} 1`, `pxeagent_check_ok{interface="admin",step="files"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("%s is not among the metrics", line)
		}
	}
	page, err := w.box.Run("curl", "-s", "http://10.99.0.7/api/v1/status")
	if err != nil || !strings.Contains(page, `"result":"ok"`) || !strings.Contains(page, "a boot file of its own") {
		t.Errorf("%v: the page has %s", err, page)
	}
}

// With chain: dhcp a firewall with Kea tells iPXE apart, beside what the site has there; the wire proves it, chain:
// auto takes it back, and so does revert.
func TestFirewallTellsIPXE(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	w := newWired(t, pfsensetest.Options{}, "chain: dhcp\n", func(c pfsensetest.Tree) {
		c.Set("dhcpbackend", "kea")
		c.Set("kea/custom_kea_config", base64.StdEncoding.EncodeToString([]byte(`{"client-classes": []}`)))
	})
	before := w.fw.Saved()
	w.do(cli.NotServing, []string{"nothing serves at next-server"}, "configure")
	w.serve()
	const script = "http://10.99.0.7/ipxe/bootstrap.ipxe"
	w.do(cli.Differs, []string{"script", script}, "configure", "--dry-run")
	w.do(cli.Done, []string{"script", script, "offers are as desired", "proven on the wire"}, "configure")
	w.do(cli.Done, []string{"settings  in sync", "wire      in sync"}, "status")
	w.do(cli.Done, []string{script}, "probe")
	w.do(cli.Done, []string{script}, "check")
	w.do(cli.Done, []string{"yes dhcp", "the loop ends by dhcp"}, "chain", "explain")
	w.do(cli.Differs, []string{script}, "status", "--chain", "auto")
	w.do(cli.Done, []string{"proven on the wire"}, "configure", "--chain", "auto")
	if field, _ := w.fw.Saved().Text("kea/custom_kea_config"); field != base64.StdEncoding.EncodeToString([]byte(
		`{"client-classes": []}`)) {
		t.Errorf("chain: auto leaves %q", field)
	}
	w.do(cli.Done, []string{"proven on the wire"}, "configure")
	w.do(cli.Done, []string{"the old settings are back"}, "revert")
	if now := w.fw.Saved(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("after the revert:\n%v, want\n%v", now, before)
	}
}

func leaksFirewallSecret(out string) bool {
	return strings.Contains(out, firewallWord) || strings.Contains(out, firewallWord[:15])
}
