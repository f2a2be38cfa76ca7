package boots

import (
	"strconv"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// A window of UEFI's takes 24 ms on a link of 2 Mbit/s. That is slow and no loss: nothing is sent again.
func TestUEFIMachineBootsBehindASlowLink(t *testing.T) {
	lab.Need(t, "tc")
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	shape := "qdisc add dev eth1 root tbf rate 2mbit burst 3200 limit 262144"
	out, err := s.Box.Run("tc", strings.Fields(shape)...)
	if err != nil {
		t.Fatalf("tc: %v: %s", err, out)
	}
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:09", UEFI: true})
	s.boots(m, nbpByTFTP, menuByHTTP)
	s.sendsOnce()
}

// sendsOnce fails where UEFI was sent more than one block of fifty of its NBP again. One that is sent again in vain
// comes of a machine that was busy; a window that is misunderstood sends every block twice.
func (s *room) sendsOnce() {
	s.T.Helper()
	said := s.Agent.WaitOutput(
		bootLimit,
		`msg=served proto=tftp .*class=uefi artifact=nbp outcome=ok .*bytes=(\d+)(?: .*resent=(\d+))?`,
	)
	bytes, _ := strconv.Atoi(said[1])
	resent, _ := strconv.Atoi(said[2])
	s.T.Logf("%d bytes, %d packets sent again", bytes, resent)
	if blocks := bytes/1468 + 1; resent > blocks/50 {
		s.T.Errorf("%d of %d packets were sent again", resent, blocks)
	}
}
