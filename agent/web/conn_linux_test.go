package web

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel wakes nobody before a third of a socket's buffer is free. A slow client acknowledges many times until
// then, and has not stalled.
func TestProgressIsWhatTheClientAcknowledges(t *testing.T) {
	t.Parallel()
	const stall, size, piece = time.Second, 4000 << 10, 40 << 10
	path := filepath.Join(t.TempDir(), "file")
	data := random(size)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func(net.Conn) (int64, error){
		"memory": func(c net.Conn) (int64, error) { n, err := c.Write(data); return int64(n), err },
		"file": func(c net.Conn) (int64, error) {
			f, err := os.Open(path)
			if err != nil {
				return 0, err
			}
			defer f.Close()
			return c.(*conn).ReadFrom(io.LimitReader(f, size))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			ln := Limit(tcp, Limits{Total: 1, PerAddress: 1, stall: stall})
			defer ln.Close()
			// Segments as on Ethernet: those of loopback are larger than what the client takes at a time.
			dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
				return c.Control(func(fd uintptr) {
					_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1460)
					_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10)
				})
			}}
			client, err := dialer.Dial("tcp4", tcp.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.(*conn).SetWriteBuffer(1 << 20); err != nil {
				t.Fatal(err)
			}
			type result struct {
				n    int64
				err  error
				took time.Duration
			}
			sent := make(chan result, 1)
			go func() {
				began := time.Now()
				n, err := send(c)
				sent <- result{n, err, time.Since(began)}
				c.Close()
			}()
			tick := time.NewTicker(stall / 7)
			defer tick.Stop()
			got := make([]byte, 0, size)
			for len(got) < size {
				<-tick.C // the pace of a slow network
				n, err := io.ReadFull(client, got[len(got):min(len(got)+piece, size)])
				got = got[:len(got)+n]
				if err != nil {
					t.Errorf("cut off at %d bytes: %v", len(got), err)
					break
				}
			}
			if r := <-sent; r.n != size || r.err != nil || r.took < 2*stall {
				t.Errorf("%d bytes sent in %v: %v", r.n, r.took, r.err)
			}
			if string(got) != string(data) {
				t.Errorf("what came is not what was sent")
			}
		})
	}
}
