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

// A firewall whose web page and DHCP server are on the wire, and a machine with an address on two networks: configure finds its place in the
// right one by what the firewall says, and proves the change there; serve, probe and check then find it without a login.
func TestFirewallOnTheWire(t *testing.T) {
	lab.NoShort(t)
	seg, aside := lab.NewSegment(t), lab.NewSegment(t)
	wall := seg.Host("fw", "igb2", "10.99.0.1/24")
	box := seg.Host("box", "eth1", "10.99.0.7/24")
	aside.Plug(box, "eth0", "192.0.2.7/24")
	pxeagent, err := site.Binary()
	if err != nil {
		t.Fatal(err)
	}

	var fw *pfsensetest.Firewall
	wall.Do(func() {
		if fw, err = pfsensetest.New(pfsensetest.Options{
			Listen: "10.99.0.1:443",
			Users:  []pfsensetest.User{{Name: firewallUser, Password: firewallWord, Privileges: []string{"system-xmlrpc-ha-sync"}}},
		}); err == nil {
			err = fw.ServeDHCP("opt1", "igb2")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fw.Close)
	before := fw.Saved()

	dir := t.TempDir()
	for _, tree := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(dir, tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"password": firewallWord + "\n",
		"pxeagent.yaml": fmt.Sprintf("interface: admin\nstate_dir: state\nserve:\n  root: .\ndhcp:\n  pfsense:\n    url: https://10.99.0.1\n    user: %s\n"+
			"    transport: xmlrpc\n    password_file: password\n    tls_sha256: %x\n", firewallUser, fw.Fingerprint()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(want exitCode, texts []string, args ...string) {
		t.Helper()
		out, err := box.Run(pxeagent, append(args, "--config", filepath.Join(dir, "pxeagent.yaml"))...)
		code := 0
		if err != nil {
			if _, err := fmt.Sscanf(err.Error(), "exit status %d", &code); err != nil {
				t.Fatalf("%q: %v\n%s", args, err, out)
			}
		}
		if exitCode(code) != want || leaksFirewallSecret(out) {
			t.Errorf("%q: exit %d, want %d\n%s", args, code, want, out)
		}
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("%q: %q is not in\n%s", args, text, out)
			}
		}
	}
	// Nothing serves yet: refused, and the network's addresses are known from now on.
	do(exitNotServing, []string{"nothing serves at next-server"}, "configure")
	asked := len(fw.Requests())
	agent := box.Start(pxeagent, "serve", "--config", filepath.Join(dir, "pxeagent.yaml"))
	agent.WaitOutput(20*time.Second, "msg=serving .*script=http://10.99.0.7/")
	if len(fw.Requests()) != asked {
		t.Error("serve asked the firewall")
	}

	do(exitDiffers, []string{"settings  differ", "wire      differs"}, "status")
	do(exitDone, []string{"pfSense 10.99.0.1, interface ADMIN (opt1)", "the wire agrees", "proven on the wire"}, "configure")
	do(exitDone, []string{"settings  as wished for", "wire      as wished for"}, "status")
	do(exitDone, []string{"in sync: nothing was written"}, "configure")
	do(exitDone, []string{"10.99.0.7"}, "probe")
	do(exitDone, []string{"bootstrap.ipxe"}, "check")
	do(exitDone, []string{"the old settings are back"}, "revert")
	if now := fw.Saved(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("after the revert:\n%v, want\n%v", now, before)
	}
}

func leaksFirewallSecret(out string) bool {
	return strings.Contains(out, firewallWord) || strings.Contains(out, firewallWord[:15])
}
