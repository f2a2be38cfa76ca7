package pfsensetest_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
	"pxeagent/pfsense/pfsensetest"
)

// TestOnANetwork has the DHCP server on port 67 of a device in a namespace, where a client takes a lease. The web
// server stays outside: an HTTP client opens its connections on threads that are not in a namespace.
func TestOnANetwork(t *testing.T) {
	lab.Need(t, "busybox")
	segment := lab.NewSegment(t)
	wall := segment.Host("wall", "eth1", "10.99.0.1/24")
	client := segment.Host("client", "eth1")

	f := start(t, pfsensetest.Options{})
	var err error
	wall.Do(func() { err = f.ServeDHCP("opt1", "eth1") })
	if err != nil {
		t.Fatal(err)
	}

	s := open(t, f, "auto")
	if err := s.Apply(t.Context(), plan(t, s)); err != nil {
		t.Fatal(err)
	}
	var r probe.Report
	client.Do(func() {
		r, err = probe.Run(t.Context(), probe.Config{Device: "eth1",
			Clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}, Quiet: 300 * time.Millisecond,
			Limit: 10 * time.Second})
	})
	if err != nil {
		t.Fatal(err)
	}
	offers := map[firmware.Client]string{}
	for _, o := range r.Offers {
		offers[o.Client] = o.File
		if o.NextServer != netip.MustParseAddr("10.99.0.5") || o.Server != netip.MustParseAddr("10.99.0.1") {
			t.Errorf("offer %+v", o)
		}
	}
	if offers[firmware.ClientBIOS] != "undionly.kpxe" || offers[firmware.ClientEFI64] != "ipxe.efi" {
		t.Errorf("offers %v", offers)
	}

	// A script that prints what udhcpc hands over.
	script := filepath.Join(t.TempDir(), "got")
	if err := lab.WriteProgram(script, []byte("#!/bin/sh\necho \"$1 $ip $siaddr $boot_file\"\n")); err != nil {
		t.Fatal(err)
	}
	out, err := client.Run("busybox", "udhcpc", "-i", "eth1", "-n", "-q", "-f", "-s", script)
	if err != nil || !strings.Contains(out, "bound 10.99.0.1") {
		t.Fatalf("udhcpc: %v: %s", err, out)
	}
	if !strings.Contains(out, "10.99.0.5 undionly.kpxe") {
		t.Errorf("udhcpc received %s", out)
	}
}
