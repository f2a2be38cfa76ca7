package boots

import (
	"flag"
	"os"
	"testing"

	"pxeagent/deploy/lab/site"
)

// Boots that take longer than CI has time for.
var (
	long   = flag.Bool("long", false, "run the boots that take minutes as well")
	signed = flag.String("kernel", "/boot/vmlinuz", "a kernel that Debian signed, for -long: of a package linux-image-…-amd64")
)

func needLong(t *testing.T) {
	t.Helper()
	if !*long {
		t.Skip("takes minutes: run with -long")
	}
}

func TestMain(m *testing.M) {
	// Two machines run at a time, and while they do, more sites are made ready.
	os.Exit(site.Main(m, 4))
}
