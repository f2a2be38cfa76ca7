package main

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// hostileDHCP answers every DISCOVER in a network with what no client can read, until the test ends. Each answer has
// the xid and the chaddr of its question.
func hostileDHCP(t *testing.T, h *lab.Host) {
	t.Helper()
	var conn *net.UDPConn
	var err error
	h.Do(func() { conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 67}) })
	if err != nil {
		t.Fatal(err)
	}
	to := &net.UDPAddr{IP: net.IPv4(10, 77, 0, 255), Port: 68}
	var done sync.WaitGroup
	done.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if n < 240 {
				continue
			}
			good := slices.Clone(buf[:240])
			good[0] = 2
			good = append(good, 53, 1, 2, 54, 4, 10, 77, 0, 66, 255)
			cookie, long, short := slices.Clone(good), slices.Clone(good), slices.Clone(good)
			cookie[236], long[2], short[2] = 0, 16, 0
			huge := slices.Clone(good[:len(good)-1])
			for len(huge) < 1100 {
				huge = append(append(huge, 43, 255), strings.Repeat("\x09", 255)...)
			}
			for _, b := range [][]byte{cookie, long, short, good[:244], append(slices.Clone(good[:240]), 67, 255, 'x'),
				append(huge, 67)} {
				_, _ = conn.WriteToUDP(b, to)
			}
		}
	})
	t.Cleanup(func() { conn.Close(); done.Wait() })
}

// Answers that nobody can read end no command, and not the daemon.
func TestHostileDHCPServer(t *testing.T) {
	s := site.New(t, site.Leasing, "probe:\n  interval: 10s\n")
	hostileDHCP(t, s.Seg.Host("hostile", "eth1", "10.77.0.66/24"))
	s.Serve()
	s.Must(0, "configure")
	out := s.Must(0, "probe")
	for _, want := range []string{"DHCP magic cookie missing", "hlen 16", "hlen 0", "option 54 is cut off",
		"option 67 is cut off"} {
		if !strings.Contains(out, "cannot be read: ") || !strings.Contains(out, want) {
			t.Errorf("the probe does not name %q:\n%s", want, out)
		}
	}
	s.Must(0, "check")
	probes := s.Metric("pxeagent_probes_total")
	for deadline := time.Now().Add(30 * time.Second); s.Metric("pxeagent_probes_total", `result="ok"`) == 0 ||
		s.Metric("pxeagent_probes_total") == probes; {
		if time.Now().After(deadline) {
			t.Fatalf("the daemon probes no more:\n%s", s.Agent.Output())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := s.Metric("pxeagent_panics_total"); n != 0 {
		t.Errorf("%v panics", n)
	}
}
