package boots

import (
	"strconv"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// A window of UEFI's takes 24 ms on a link of 2 Mbit/s. That is slow and no loss: nothing is sent again.
func TestUEFIMachineBootsBehindASlowLink(t *testing.T) {
	lab.Need(t, "tc")
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	out, err := s.Box.Run(
		"tc",
		"qdisc",
		"add",
		"dev",
		"eth1",
		"root",
		"tbf",
		"rate",
		"2mbit",
		"burst",
		"3200",
		"limit",
		"262144",
	)
	if err != nil {
		t.Fatalf("tc: %v: %s", err, out)
	}
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:00:09", UEFI: true})
	s.boots(m, nbpByTFTP, menuByHTTP)
	said := s.Agent.WaitOutput(
		bootLimit,
		`msg=served proto=tftp .*class=uefi artifact=nbp outcome=ok .*bytes=(\d+)(?: .*resent=(\d+))?`,
	)
	bytes, _ := strconv.Atoi(said[1])
	resent, _ := strconv.Atoi(said[2])
	t.Logf("%d bytes, %d packets sent again", bytes, resent)
	if blocks := bytes/1468 + 1; resent > blocks/50 {
		t.Errorf("%d of %d packets were sent again", resent, blocks)
	}
}
