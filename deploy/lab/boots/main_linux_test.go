package boots

import (
	"flag"
	"os"
	"testing"

	"pxeagent/deploy/lab/site"
)

func TestMain(m *testing.M) {
	// Two machines run at a time, and while they do, more sites are made ready: that is waiting above all. -parallel on
	// the command line comes later and wins.
	_ = flag.Set("test.parallel", "4")
	os.Exit(site.Main(m))
}
