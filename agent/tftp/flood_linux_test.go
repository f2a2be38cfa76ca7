package tftp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/flood"
)

// BenchmarkFlood boots machines that were never seen, one after another, with a file of 1 MB each, while 50,000
// requests a second come from 65,536 forged addresses. It needs root. "tftp 1 MB, 4 at once in a flood" of
// deploy/lab/bench does the same with the whole program.
//
//	go test -run xxx -bench Flood -benchtime 200x ./agent/tftp
func BenchmarkFlood(b *testing.B) {
	server, room := lab.NewHost(b, "server"), lab.NewHost(b, "client")
	server.IP("link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", room.Netns())
	for h, addr := range map[*lab.Host]string{server: "10.99.0.1/24", room: "10.99.0.2/24"} {
		h.IP("addr", "add", addr, "dev", "eth1")
		h.IP("link", "set", "eth1", "up")
		h.IP("link", "set", "lo", "up")
	}
	server.IP("route", "add", "default", "via", "10.99.0.2")
	room.IP("route", "add", "local", "10.78.0.0/16", "dev", "lo")
	p := servingIn(server, "10.99.0.1:69")
	to, forged := netip.MustParseAddrPort("10.99.0.1:69"), netip.MustParseAddr("10.77.0.0")
	request := rrq("undionly.kpxe", "octet", "blksize=1432 tsize=0")
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var sent int
	var flooding sync.WaitGroup
	began := time.Now()
	flooding.Go(func() {
		room.Do(func() {
			var err error
			if sent, err = flood.Send(ctx, to, forged, request, 50_000); err != nil {
				b.Errorf("forging requests: %v", err)
			}
		})
	})
	took := make([]time.Duration, 0, b.N)
	failed := 0
	for i := range b.N {
		var conn *net.UDPConn
		var err error
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)}), 0)
		room.Do(func() { conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(from)) })
		if err != nil {
			b.Fatal(err)
		}
		at := time.Now()
		if got, err := asIPXE(conn, to, "1m"); err != nil || !bytes.Equal(got, pattern(1<<20)) {
			b.Logf("machine %d: got %d bytes, %v", i, len(got), err)
			failed++
		}
		took = append(took, time.Since(at))
		conn.Close()
	}
	stop()
	flooding.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(sent)/time.Since(began).Seconds(), "forged/s")
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[(len(took)-1)*95/100].Milliseconds()), "p95-ms")
	b.ReportMetric(float64(failed), "failed")
	b.ReportMetric(resident(b, p.Pid()), "MB-resident")
}

// resident is the most memory that a process had, in MB.
func resident(tb testing.TB, pid int) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		tb.Fatalf("no VmHWM in %s", status)
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		tb.Fatal(err)
	}
	return float64(kb) / 1024
}

// 4,000 machines at once get their NBP, and the server stays below 64 MB.
func TestFourThousandAtOnce(t *testing.T) {
	lab.NoShort(t)
	const machines = 4000
	server := lab.NewHost(t, "server")
	server.IP("link", "set", "lo", "up")
	p := servingIn(server, "127.0.0.1:69")
	conns := make([]*net.UDPConn, machines)
	server.Do(func() {
		for i := range conns {
			var err error
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 3, byte(i >> 8), byte(i)}), 0)
			if conns[i], err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(from)); err != nil {
				t.Skipf("%d sockets: %v", i, err)
			}
			t.Cleanup(func() { conns[i].Close() })
		}
	})
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			if got, err := asIPXE(conn, netip.MustParseAddrPort("127.0.0.1:69"), "nbp"); err != nil || len(got) != 93955 {
				t.Errorf("machine %d: got %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	if mb := resident(t, p.Pid()); mb > 64 && !underRace {
		t.Errorf("%.0f MB were resident", mb)
	} else {
		t.Logf("%.0f MB were resident", mb)
	}
}
