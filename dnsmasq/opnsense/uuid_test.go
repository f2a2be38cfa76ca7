package opnsense

import (
	"regexp"
	"testing"
)

func TestOwnUUID(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, scope := range []string{"dnsmasq lan", "dnsmasq opt1", "kea 10.77.0.0/24"} {
		for _, what := range [][]string{{"bios"}, {"efi64"}, {"efi", "64"}, {"ipxe"}, nil} {
			id := ownUUID(scope, what...)
			if !shape.MatchString(id) {
				t.Errorf("%q has not the shape that OPNsense wants", id)
			}
			if seen[id] || id != ownUUID(scope, what...) {
				t.Errorf("%s %v: %s is not its own, or changes", scope, what, id)
			}
			seen[id] = true
			if !isOwn(scope, id) || isOwn("dnsmasq opt2", id) {
				t.Errorf("%s is not known as one of %s only", id, scope)
			}
		}
	}
	for _, id := range []string{"", "c632b5d1-7fd0-4aed-b08f-49372ce5cb6c", ownUUID("a")[:20]} {
		if isOwn("a", id) {
			t.Errorf("%q is taken for an own one", id)
		}
	}
}
