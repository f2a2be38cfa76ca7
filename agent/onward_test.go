package agent

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// However many machines come, few are remembered; and one that came just now is among them.
func TestOnwardIsBounded(t *testing.T) {
	var o onward
	now := time.Now()
	for n := range 3 * onwardLimit {
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		keys := onwardKeys(fmt.Sprintf("52:54:00:%06x", n), "", addr)
		o.arrived(keys, boot.TFTP, now)
		o.sentToDisk(keys, now)
		if len(o.by) > onwardLimit+len(keys) {
			t.Fatalf("%d keys are kept after %d machines", len(o.by), n)
		}
		o.arrived(keys, boot.HTTP, now.Add(time.Second))
		if !o.goesOn(keys, now.Add(2*time.Second)) {
			t.Fatalf("machine %d is forgotten", n)
		}
	}
}

// A machine has another address when it comes by HTTP, or the neighbour table has none for it: what is known is enough.
func TestOnwardKnowsMachinesByWhatThereIs(t *testing.T) {
	at, other := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")
	const mac = "52:54:00:12:34:56"
	for name, c := range map[string]struct {
		came, sent, again, asks []string
		want                    bool
	}{
		"one address, no table": {onwardKeys("", "", at), onwardKeys("", mac, at), onwardKeys("", "", at),
			onwardKeys("", mac, at), true},
		"two addresses": {onwardKeys(mac, "", at), onwardKeys(mac, mac, at), onwardKeys(mac, "", other),
			onwardKeys(mac, mac, other), true},
		"another machine": {onwardKeys("", "", at), onwardKeys("", mac, at), onwardKeys("", "", other),
			onwardKeys("", "52:54:00:12:34:57", other), false},
	} {
		var o onward
		now := time.Now()
		o.arrived(c.came, boot.TFTP, now)
		o.sentToDisk(c.sent, now)
		o.arrived(c.again, boot.HTTP, now.Add(time.Second))
		if got := o.goesOn(c.asks, now.Add(2*time.Second)); got != c.want {
			t.Errorf("%s: goes on: %v", name, got)
		}
		if o.goesOn(c.asks, now.Add(2*onwardTime)) {
			t.Errorf("%s: goes on after %s", name, 2*onwardTime)
		}
	}
}
