package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// lan [LINE]... is a network in which this machine is 10.77.0.7 on eth1 and runs Dnsmasq, with lines more in its
// configuration. pxeagent runs there from now on.
func startLAN(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: lan [LINE]...")
	}
	dir := ts.Getenv("WORK")
	s := site.Start(sessionOf(ts).t, dir, netip.MustParsePrefix(site.Addr+"/24"), strings.Join(args, "\n")+"\n")
	ts.Defer(s.EndDnsmasq) // before the folder goes, with what is in it

	program, err := exec.LookPath("pxeagent")
	ts.Check(err)
	bin := filepath.Join(dir, ".bin")
	ts.Check(os.Mkdir(bin, 0o755))
	inside := "#!/bin/sh\nexec nsenter --net=/var/run/netns/" + s.Box.Netns() + " '" + program + "' \"$@\"\n"
	ts.Check(lab.WriteProgram(filepath.Join(bin, "pxeagent"), []byte(inside)))
	ts.Setenv("PATH", bin+string(filepath.ListSeparator)+ts.Getenv("PATH"))
}
