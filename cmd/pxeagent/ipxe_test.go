package main

import (
	"strings"
	"testing"

	"pxeagent/agent/ipxe"
)

func TestIPXEScript(t *testing.T) {
	isolate(t)
	r := pxeagent("ipxe", "script", "--next-server", "10.0.0.7", "--http", ":8080")
	if r.code != exitDone || r.stderr != "" {
		t.Fatalf("%+v", r)
	}
	if f := ipxe.Lint([]byte(r.stdout)); f != nil {
		t.Errorf("%+v", f)
	}
	for _, want := range []string{"#!ipxe\n", "\nchain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\n", "tftp://${next-server}/", "&& shell ||\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the script lacks %q:\n%s", want, r.stdout)
		}
	}
}
