package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// 1,200 machines behind one address that read nothing take half of the connections, and stop neither TFTP nor HTTP for
// others.
func TestSlowReadersOfOneAddress(t *testing.T) {
	const readers, files, mayHave = 1200, 1024, 112
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err != nil || own.Cur < readers+200 {
		t.Skipf("this process may have %d files open (%v), and needs more", own.Cur, err)
	}
	d := startProcess(t, files, "")
	write(t, filepath.Join(d.dir, "root/http/big.iso"), strings.Repeat("0123456789abcdef", 1<<20))
	write(t, filepath.Join(d.dir, "root/http/small.cfg"), "small")
	write(t, filepath.Join(d.dir, "root/tftp/small.cfg"), "small")

	slow := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, Timeout: 20 * time.Second}
	answered, refused := 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range readers {
		c, err := slow.Dial("tcp4", d.http)
		if err != nil {
			mu.Lock()
			refused++
			mu.Unlock()
			continue
		}
		t.Cleanup(func() { c.Close() })
		all.Go(func() {
			_, err := fmt.Fprintf(c, "GET /big.iso HTTP/1.1\r\nHost: pxe\r\n\r\n")
			_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
			if err == nil {
				_, err = io.ReadFull(c, make([]byte, 1)) // and no more
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				answered++
			} else {
				refused++
			}
		})
	}
	all.Wait()
	if answered != mayHave || refused != readers-mayHave {
		t.Errorf("%d connections are answered and %d refused, want %d and %d", answered, refused, mayHave, readers-mayHave)
	}
	// Others are served, in number.
	for i := range 40 {
		from := fmt.Sprintf("127.0.2.%d", i+1)
		if got := d.fetch(from, "small.cfg"); got != "small" {
			t.Errorf("TFTP from %s: %q", from, got)
		}
		all.Go(func() {
			for range 3 {
				if code, body := d.get(d.client(from), "/small.cfg"); code != http.StatusOK || body != "small" {
					t.Errorf("HTTP from %s: %d, %q", from, code, body)
				}
			}
		})
	}
	all.Wait()
	c := d.client("127.0.3.1")
	if n := d.metric(c, `pxeagent_http_connections_refused_total`); n != readers-mayHave {
		t.Errorf("%d refused connections are counted, want %d", n, readers-mayHave)
	}
	if code, body := d.get(c, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d, %s", code, body)
	}
	d.kill() // it would wait for the readers
}

// 1,000 machines that take their image a little at a time, each at an address of its own, have nobody wait: a machine
// that comes after them has all of its image while each of them is still in the midst of its own.
func TestSlowMachinesHoldUpNobody(t *testing.T) {
	lab.NoShort(t)
	const machines, size = 1000, 16 << 20
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err != nil || own.Cur < 8*machines {
		t.Skipf("this process may have %d files open (%v), and the agent needs more", own.Cur, err)
	}
	d := startProcess(t, 0, "")
	write(t, filepath.Join(d.dir, "root/http/big.iso"), strings.Repeat("0123456789abcdef", size/16))
	write(t, filepath.Join(d.dir, "root/tftp/small.cfg"), "small")

	slow := make([]net.Conn, machines)
	var all sync.WaitGroup
	for i := range slow {
		dial := net.Dialer{
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/250), byte(i%250+1))}, Timeout: time.Minute,
			Control: func(_, _ string, c syscall.RawConn) error { // little fits into its own buffer
				return c.Control(func(fd uintptr) {
					_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
				})
			},
		}
		c, err := dial.Dial("tcp4", d.http)
		if err != nil {
			t.Fatalf("machine %d: %v", i, err)
		}
		t.Cleanup(func() { c.Close() })
		slow[i] = c
		all.Go(func() { d.takes(c, i, true) })
	}
	all.Wait()

	if code, body := d.get(d.client("127.2.0.1"), "/big.iso"); code != http.StatusOK || len(body) != size {
		t.Errorf("a fast machine's image: status %d, %d bytes of %d", code, len(body), size)
	}
	if got := d.fetch("127.2.0.2", "small.cfg"); got != "small" {
		t.Errorf("a fast machine's file by TFTP: %q", got)
	}
	c := d.client("127.2.0.3")
	if n := d.metric(c, `pxeagent_requests_in_flight\{protocol="http"\}`); n != machines+1 { // and this one
		t.Errorf("%d requests are under way, want those of %d slow machines and one more", n, machines)
	}
	for i, c := range slow {
		all.Go(func() { d.takes(c, i, false) })
	}
	all.Wait()
}

// takes reads a little of an image, which is asked for first.
func (d *process) takes(c net.Conn, machine int, ask bool) {
	if ask {
		if _, err := fmt.Fprintf(c, "GET /big.iso HTTP/1.1\r\nHost: pxe\r\n\r\n"); err != nil {
			d.t.Errorf("slow machine %d: %v", machine, err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, 1024)); err != nil {
		d.t.Errorf("slow machine %d: %v", machine, err)
	}
}
