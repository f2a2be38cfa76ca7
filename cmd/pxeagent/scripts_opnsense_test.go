package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// opnsense [VERSION] [kea] is a stand-in OPNsense that serves HTTPS on loopback.
func startOPNsense(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 2 {
		ts.Fatalf("usage: opnsense [VERSION] [kea]")
	}
	conf := opnsensetest.Default()
	o := opnsensetest.Options{Config: &conf}
	if n := slices.Index(args, "kea"); n >= 0 {
		args = slices.Delete(args, n, n+1)
		conf.Dnsmasq.Ranges = nil
		conf.Kea = opnsensetest.Kea{Enabled: true, Interfaces: []string{"lan"}, Subnets: []opnsensetest.Subnet{
			{UUID: "5e2b6b3e-8f50-4a64-9d1c-0d2a8b0c7f11", ID: "1", Subnet: "10.77.0.0/24", Description: "lan",
				Pools: "10.77.0.100-10.77.0.199"},
		}}
	}
	if len(args) > 0 {
		o.Version = args[0]
	}
	fw, err := opnsensetest.New(o)
	ts.Check(err)
	ts.Defer(fw.Close)
	sessionOf(ts).opnsense = fw
	ts.Check(os.WriteFile(ts.MkAbs("key"), []byte(opnsensetest.Key), 0o600))
	ts.Setenv("OPNSENSE", fw.URL().String())
	ts.Setenv("FINGERPRINT", fmt.Sprintf("%x", fw.Fingerprint()))
}

// opnsense-fails off|restart|STATUS, or ! opnsense-fails.
func opnSenseFails(ts *testscript.TestScript, neg bool, args []string) {
	fw := sessionOf(ts).opnsense
	fw.Break(false)
	fw.Fault(nil)
	ts.Check(fw.PowerOn())
	if neg && len(args) == 0 {
		return
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: opnsense-fails off|restart|STATUS")
	}
	switch args[0] {
	case "off":
		fw.PowerOff()
	case "restart":
		fw.Break(true)
	default:
		status, err := strconv.Atoi(args[0])
		ts.Check(err)
		fw.Fault(func(int, *http.Request) opnsensetest.Fault { return opnsensetest.Fault{Status: status} })
	}
}
