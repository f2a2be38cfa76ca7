package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// asIPXE fetches a file of blocks of 1432 bytes, and asks as often as iPXE does before it gives up.
func asIPXE(conn *net.UDPConn, server netip.AddrPort, name string) ([]byte, error) {
	var all []byte
	var b [2048]byte
	last, to := rrq(name, "octet", "blksize=1432 tsize=0"), server
	wait := 250 * time.Millisecond
	for has, tries := 0, 0; ; {
		if _, err := conn.WriteToUDPAddrPort(last, to); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		n, from, err := conn.ReadFromUDPAddrPort(b[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && tries < 6:
			tries, wait = tries+1, min(2*wait, 4*time.Second)
			continue
		case err != nil:
			return all, fmt.Errorf("after %d blocks: %w", has, err)
		case b[1] == opERROR:
			return all, fmt.Errorf("after %d blocks: %q", has, b[:n])
		case b[1] == opDATA && int(b[2])<<8|int(b[3]) == (has+1)&0xffff:
			all = append(all, b[headerLen:n]...)
			has++
		case b[1] != opOACK || has > 0:
			continue // once more
		}
		tries, wait, to = 0, time.Second, from
		last = []byte{0, opACK, byte(has >> 8), byte(has)}
		if has > 0 && n < headerLen+1432 {
			_, err := conn.WriteToUDPAddrPort(last, to)
			return all, err
		}
	}
}

// at is a socket on an address of loopback.
func at(t *testing.T, a, b, c byte) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, a, b, c}),
		0)))
	if err != nil {
		t.Skipf("an address of loopback: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Forged requests, many more than there may be transfers, from addresses that answer nothing: machines boot all the
// same, the Observer hears of each of them, and what waits has no goroutine.
func TestMachinesBootInAFlood(t *testing.T) {
	const forged, machines, size = 2000, 20, 100_000
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := servingStrangers(t, Config{
		Opener: shelf{"f": file(pattern(size)), "forged": file(pattern(size))}, MaxTransfers: 16,
	}, l)
	before := runtime.NumGoroutine()
	for i := range forged {
		conn := at(t, 1, byte(i>>8), byte(i))
		if _, err := conn.WriteToUDPAddrPort(rrq("forged", "octet", "tsize=0"), s.addr); err != nil {
			t.Fatal(err)
		}
	}
	for s.table.waits.Load() < forged/2 { // the kernel may drop some
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine() - before; n > 4*16 {
		t.Errorf("%d goroutines for 16 transfers", n)
	}
	var wg sync.WaitGroup
	for i := range machines {
		conn := at(t, 2, 0, byte(i))
		wg.Go(func() {
			if got, err := asIPXE(conn, s.addr, "f"); err != nil || !bytes.Equal(got, pattern(size)) {
				t.Errorf("machine %d: got %d bytes, %v", i, len(got), err)
			}
		})
	}
	wg.Wait()
	for booted := 0; booted < machines; {
		if tr := s.record.next(t); tr.Name == "f" && tr.Outcome == boot.OK {
			booted++
		}
	}
	if s.table.waits.Load() == 0 {
		t.Error("no forged request waits any more: this was no flood")
	}
}

// Of a flood the Observer hears nothing more than it has time for, but of each transfer whose client answers, with its
// beginning and its end. All others are counted.
func TestObserverHearsOfAnsweredTransfers(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := servingStrangers(t, Config{Opener: shelf{"f": file(pattern(2000))}}, l)
	s.news.reserve(3600*newsRate, time.Now()) // as many requests have used up what is reported
	const machines, forged = 20, 30
	for i := range forged {
		conn := at(t, 3, 0, byte(i))
		if _, err := conn.WriteToUDPAddrPort(rrq("gone", "octet", ""), s.addr); err != nil {
			t.Fatal(err)
		}
	}
	var all []*client
	for range machines {
		c := dialing(t, s.addr)
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		all = append(all, c)
	}
	s.record.mu.Lock()
	begun := s.record.begun
	s.record.mu.Unlock()
	if begun > 0 {
		t.Errorf("%d are reported before anybody answered", begun)
	}
	for _, c := range all {
		c.ack(0)
		c.rest(1, 512)
		if tr := s.record.wait(t, boot.OK); tr.Name != "f" || !tr.Answered || tr.Bytes != 2000 {
			t.Errorf("reported: %+v", tr)
		}
	}
	for s.Load().Unreported < forged {
		runtime.Gosched()
	}
	if l := s.Load(); l != (Load{Unreported: forged}) {
		t.Errorf("load %+v", l)
	}
}

// An ERROR is withheld where too much has been sent to addresses that have not answered, and that is counted.
func TestWithheldErrorsAreCounted(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	s := servingStrangers(t, Config{Opener: shelf{}}, l)
	c, write := dialing(t, s.addr), []byte("\x00\x02f\x00octet\x00")
	c.sendTo(s.addr, write)
	s.record.wait(t, boot.Refused)
	if n := s.Load().Dropped; n > 0 {
		t.Errorf("%d counted as dropped, though there was an ERROR", n)
	}
	s.table.budget.reserve(3600*unansweredRate, time.Now())
	c.sendTo(s.addr, write)
	s.record.wait(t, boot.Refused)
	if n := s.Load().Dropped; n != 1 {
		t.Errorf("%d counted as dropped, want 1", n)
	}
}
