package lab

import (
	"net"
	"testing"
	"time"
)

func TestHostsOnOneSegmentHearEachOther(t *testing.T) {
	s := NewSegment(t)
	a := s.Host("a", "eth1", "10.77.0.1/24")
	b := s.Host("b", "eth1", "10.77.0.2/24")
	var srv, cli net.PacketConn
	var err error
	a.Do(func() { srv, err = net.ListenPacket("udp4", "10.77.0.1:7000") })
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	b.Do(func() { cli, err = net.ListenPacket("udp4", "10.77.0.2:0") })
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	if _, err := cli.WriteTo([]byte("hello"), srv.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if err := srv.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, from, err := srv.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "hello" {
		t.Fatalf("got %q from %v, %v", buf[:n], from, err)
	}
	if mac := a.MAC("eth1"); len(mac) != 17 {
		t.Errorf("MAC %q", mac)
	}
}

func TestProcOutputIsWaitedFor(t *testing.T) {
	h := NewHost(t, "p")
	p := h.Start("sh", "-c", "echo ready 42; read x")
	if m := p.WaitOutput(5*time.Second, `ready (\d+)`); m[1] != "42" {
		t.Errorf("group is %q", m[1])
	}
	if out, err := h.Run("ip", "-o", "link"); err != nil || out == "" {
		t.Errorf("ip: %v %q", err, out)
	}
}
