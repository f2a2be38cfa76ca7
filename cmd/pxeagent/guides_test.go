package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense/pfsensetest"
)

// The configuration for pfSense itself, in a guide that no test can run, is right, and keeps off the web interface's
// ports, loopback and /var.
func TestGuideToPfSenseItself(t *testing.T) {
	b, err := os.ReadFile("../../deploy/guide/pfsense-itself.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(b, -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of yaml, want one", len(blocks))
	}
	isolate(t)
	write(t, "pxeagent.yaml", strings.ReplaceAll(string(blocks[0][1]), "0f3c…", strings.Repeat("0f", 32)))
	if r := pxeagent("config", "check"); r.code != cli.Done {
		t.Fatalf("%s: %s", r.code.Name, r.stderr)
	}
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.DHCP.Backend != "pfsense" || c.NextServer.IsLoopback() || !c.NextServer.IsValid() {
		t.Errorf("backend %s, next-server %s", c.DHCP.Backend, c.NextServer)
	}
	if p := c.Serve.HTTP.Port(); p == 80 || p == 443 || c.Serve.TFTP.Port() != 69 || !c.Serve.SinglePort {
		t.Errorf("HTTP on %d, TFTP on %s, single port: %t", p, c.Serve.TFTP, c.Serve.SinglePort)
	}
	if len(c.Serve.Networks) == 0 || !c.Serve.Networks[0].Contains(c.NextServer) {
		t.Errorf("%v are answered, and next-server is %s", c.Serve.Networks, c.NextServer)
	}
	for _, dir := range []string{c.StateDir, c.Serve.Root} {
		if !strings.HasPrefix(dir, "/usr/local/") {
			t.Errorf("%s may be on a RAM disk", dir)
		}
	}
}

// The firewall's own address may be next-server: the agent that runs there configures it over loopback.
func TestNextServerIsTheFirewall(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	r := s.run("", "configure --interface admin --next-server 10.99.0.1 --not-serving-yet")
	if got := s.fw.Keys("opt1")["nextserver"]; r.code != cli.NotProven || got == nil || *got != "10.99.0.1" {
		t.Errorf("%s, next-server %v\n%s%s", r.code.Name, got, r.stdout, r.stderr)
	}
}
