package tftp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// optionList makes options of "blksize=1432 tsize=0".
func optionList(s string) []boot.Option {
	var all []boot.Option
	for _, f := range strings.Fields(s) {
		name, value, _ := strings.Cut(f, "=")
		all = append(all, boot.Option{Name: name, Value: value})
	}
	return all
}

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct {
		asked, granted  string
		blksize, window int
	}{
		{"", "", 512, 1},
		{"blksize=1432 tsize=0", "blksize=1432 tsize=93955", 1432, 1},
		{"tsize=0 blksize=1468 windowsize=4", "tsize=93955 blksize=1468 windowsize=4", 1468, 4},
		{"tsize=0 windowsize=4", "tsize=93955 windowsize=4", 512, 4},
		{"BlkSize=1024 TSIZE=0", "BlkSize=1024 TSIZE=93955", 1024, 1},
		{"blksize=8", "blksize=8", 8, 1},
		{"blksize=7", "", 512, 1},
		{"blksize=0", "", 512, 1},
		{"blksize=-5", "", 512, 1},
		{"blksize=", "", 512, 1},
		{"blksize=1e3", "", 512, 1},
		{"blksize=99999999999999999999", "", 512, 1},
		{"blksize=1469", "blksize=1468", 1468, 1},
		{"blksize=65464", "blksize=1468", 1468, 1},
		{"blksize=70000", "blksize=1468", 1468, 1},
		{"blksize=1024 blksize=512", "blksize=1024", 1024, 1},
		{"blksize=x blksize=512", "", 512, 1}, // twice is forbidden; the first counts, and means nothing
		{"windowsize=0", "", 512, 1},
		{"windowsize=65535", "windowsize=64", 512, 64},
		{"windowsize=65536", "", 512, 1},
		{"timeout=6", "timeout=6", 512, 1},
		{"timeout=0", "", 512, 1},
		{"timeout=256", "", 512, 1},
		{"multicast= tsize=0", "tsize=93955", 512, 1},
		{"tsize=x", "", 512, 1},
		{"rollover=0 utimeout=1000 blksize2=1024", "", 512, 1},
	} {
		got := negotiate(optionList(tt.asked), 93955, 1468, maxWindow)
		if strings.TrimSpace(optionText(got.oack)) != tt.granted || got.blksize != tt.blksize || got.window != tt.window {
			t.Errorf("%q: %+v", tt.asked, got)
		}
	}
	if got := negotiate(optionList("tsize=0 blksize=100"), -1, 1468, maxWindow); optionText(got.oack) != "blksize=100" ||
		got.tsize {
		t.Errorf("a size that is not known: %+v", got)
	}
	if got := negotiate(optionList("timeout=6"), 1, 1468, maxWindow); got.timeout != 6*time.Second {
		t.Errorf("timeout %v", got.timeout)
	}
	// The window shrinks until it fits its share of memory, whichever option comes first.
	for _, asked := range []string{"windowsize=64 blksize=65464", "blksize=65464 windowsize=64"} {
		if got := negotiate(optionList(asked), 1, maxBlksize, maxWindow); got.window != 4 ||
			!strings.Contains(optionText(got.oack), "windowsize=4") {
			t.Errorf("%s: %+v", asked, got)
		}
	}
}

func optionText(all []boot.Option) string {
	var words []string
	for _, o := range all {
		words = append(words, fmt.Sprintf("%s=%s", o.Name, o.Value))
	}
	return strings.Join(words, " ")
}

func TestLargestBlock(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		mtu  int
		a    netip.Addr
		want int
	}{
		{1500, v4, 1468},
		{1500, v6, 1448},
		{9000, v4, 8968},
		{0, v4, 65464},
		{30, v4, 65464},
	} {
		if got := largestBlock(tt.mtu, tt.a); got != tt.want {
			t.Errorf("MTU %d, %v: %d, want %d", tt.mtu, tt.a, got, tt.want)
		}
	}
}
