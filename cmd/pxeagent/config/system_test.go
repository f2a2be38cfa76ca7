package config

import (
	"strings"
	"testing"
)

// Each system has its own folders, and the keys and the search for the file take them from one place.
func TestSystem(t *testing.T) {
	for goos, want := range map[string]System{
		"linux":   {"/etc/pxeagent/pxeagent.yaml", "/var/lib/pxeagent/state", "/var/lib/pxeagent"},
		"freebsd": {"/usr/local/etc/pxeagent/pxeagent.yaml", "/var/db/pxeagent/state", "/var/db/pxeagent"},
	} {
		if got := SystemOf(goos); got != want {
			t.Errorf("%s: %+v, want %+v", goos, got, want)
		}
		// revert's journal must not be served.
		if s := SystemOf(goos); strings.HasPrefix(s.State, s.Root+"/tftp") || strings.HasPrefix(s.State, s.Root+"/http") {
			t.Errorf("%s: the state in %s is served from %s", goos, s.State, s.Root)
		}
	}
	if Paths[0] != Here.Conf {
		t.Errorf("the configuration is looked for in %q first, want %s", Paths, Here.Conf)
	}
	defaults := map[string]string{}
	for _, k := range append(networkKeys(nil), serverKeys...) {
		defaults[k.Name] = k.Default
	}
	if defaults["state_dir"] != Here.State || defaults["serve.root"] != Here.Root {
		t.Errorf("defaults are %s and %s, want %+v", defaults["state_dir"], defaults["serve.root"], Here)
	}
}
