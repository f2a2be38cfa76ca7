package main

import (
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense/pfsensetest"
)

func TestHistory(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	if r := s.run("", "history --interface admin"); r.code != cli.Done || !strings.Contains(r.stdout, "nothing to revert") {
		t.Errorf("before: %+v", r)
	}
	if r := s.run("", "configure"+wish); r.code != cli.NotProven {
		t.Fatalf("%+v", r)
	}
	if r := s.run("", "history --interface admin"); r.code != cli.Done || !strings.Contains(r.stdout, "  revert goes to\n") {
		t.Errorf("configured: %+v", r)
	}
	if r := s.run("", "revert --interface admin"); r.code != cli.NotProven && r.code != cli.Done {
		t.Fatalf("%+v", r)
	}
	r := s.run("", "history --json --interface admin")
	if r.code != cli.Done || !strings.Contains(r.stdout, `"why": "reverted"`) {
		t.Errorf("reverted: %+v", r)
	}
}
