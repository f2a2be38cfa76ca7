package boots

import (
	"os"
	"testing"

	"pxeagent/deploy/lab/site"
)

func TestMain(m *testing.M) { os.Exit(site.Main(m)) }
