package boots

import (
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

const memtestISO = "/usr/lib/memtest86+/memtest86+x64.iso"

// An ISO image that was added by its recipe is booted as a disk over HTTP. There is no kernel on that road: what runs is seen on the screen.
func TestAnISOImageBoots(t *testing.T) {
	lab.NeedFile(t, memtestISO)
	s := newEmptyRoom(t, site.Addr, site.Leasing, "menu:\n  default: iso-memtest\n  timeout: 1s\n")
	s.Must(0, "image", "add", "iso", "memtest", "--from", memtestISO)
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:04:01"})
	s.Agent.WaitOutput(bootLimit, menuByHTTP.pattern())
	s.Agent.WaitOutput(bootLimit, `msg=served proto=http .*file=/iso/memtest/disk.iso class=ipxe artifact=image outcome=ok`)
	deadline := time.Now().Add(bootLimit)
	for lab.Share(m.Screen(), memtestBlue) > 0.3 { // the menu is as blue
		if time.Now().After(deadline) {
			t.Fatal("the menu is still on the screen")
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.showsMemtest(m, deadline)
	if n := s.Metric("pxeagent_requests_total", `artifact="image"`, `outcome="ok"`); n < 1 {
		t.Errorf("the metrics count %v reads of the image", n)
	}
}
