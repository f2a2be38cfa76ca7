package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// shaped is a server at 10.77.0.1 behind a link of that many bits a second, and the host of its clients.
func shaped(t *testing.T, rate int) (*lab.Proc, *lab.Host) {
	t.Helper()
	s := lab.NewSegment(t)
	h := s.Host("server", "eth1", "10.77.0.1/24")
	clients := s.Host("client", "eth1", "10.77.0.9/24")
	out, err := h.Run("tc", "qdisc", "add", "dev", "eth1", "root", "tbf",
		"rate", fmt.Sprintf("%dbit", rate), "burst", "3200", "limit", "262144")
	if err != nil {
		t.Fatalf("tc: %v: %s", err, out)
	}
	return servingIn(h, "0.0.0.0:69"), clients
}

// byEDK2 fetches a file and acknowledges as EDK2 does: a whole window, the last block, and whatever it did not wait
// for. When it has sent nothing for 4 s it sends its last packet again, five times. It returns the file and
// how many blocks came.
func byEDK2(conn *net.UDPConn, server netip.AddrPort, name string, window int) (all []byte, blocks int, err error) {
	const blksize = 1468
	options := fmt.Sprintf("tsize=0 blksize=%d", blksize)
	if window > 1 {
		options += fmt.Sprintf(" windowsize=%d", window)
	}
	last, to := rrq(name, "octet", options), server
	send := func() error {
		_, err := conn.WriteToUDPAddrPort(last, to)
		return errors.Join(err, conn.SetReadDeadline(time.Now().Add(4*time.Second)))
	}
	err = send()
	var b [2048]byte
	for has, acked, retries := 0, 0, 0; err == nil; {
		n, from, failed := conn.ReadFromUDPAddrPort(b[:])
		done := false
		switch {
		case errors.Is(failed, os.ErrDeadlineExceeded) && retries < 5:
			retries++
			err = send()
			continue
		case failed != nil:
			return all, blocks, failed
		case b[1] == opOACK:
		case b[1] != opDATA:
			return all, blocks, fmt.Errorf("got %.60q", b[:n])
		default:
			blocks++
			if int(b[2])<<8|int(b[3]) == has+1 {
				all = append(all, b[headerLen:n]...)
				has++
				if done = n < headerLen+blksize; has-acked < window && !done {
					continue
				}
			}
		}
		last, to = []byte{0, opACK, byte(has >> 8), byte(has)}, from
		acked, retries = has, 0
		if err = send(); done {
			return all, blocks, err
		}
	}
	return all, blocks, err
}

// A link is used for what it carries: the file once, in the time that its bandwidth allows.
func TestShapedLinks(t *testing.T) {
	lab.NoShort(t)
	lab.Need(t, "tc")
	const size = 1 << 20
	var wg sync.WaitGroup
	for _, rate := range []int{10e6, 5e6, 2e6, 1e6} {
		for _, window := range []int{1, 4, 16, 64} {
			server, clients := shaped(t, rate)
			c := dialingIn(t, clients, "10.77.0.9", "10.77.0.1:69")
			wg.Go(func() {
				began := time.Now()
				got, blocks, err := byEDK2(c.conn, c.server, "1m", window)
				took := time.Since(began)
				const all, frame = size/1468 + 1, 1468 + 4 + 8 + 20 + 14
				least := time.Duration(all) * time.Second * frame * 8 / time.Duration(rate)
				t.Logf("%d bit/s, window %d: %.2f s, %.2f of the least, %d blocks of %d", rate, window,
					took.Seconds(), float64(took)/float64(least), blocks, all)
				if err != nil || !bytes.Equal(got, pattern(size)) {
					t.Errorf("%d bit/s, window %d: got %d bytes, %v", rate, window, len(got), err)
					return
				}
				most := all + all/50
				if window == 1 {
					most = all + all/20 // a busy machine answers a block late now and then
				}
				if blocks > most {
					t.Errorf("%d bit/s, window %d: %d blocks sent of %d", rate, window, blocks, all)
				}
				// The bandwidth's time and 15 % of it, and what lock-step adds, which is a round trip for each block.
				if due := least + least*15/100 + all/time.Duration(window)*2*time.Millisecond; took > 2*due {
					t.Errorf("%d bit/s, window %d: took %v, of which %v are due", rate, window, took, due)
				}
				server.WaitOutput(limit, `ended ok file=1m`)
			})
		}
	}
	wg.Wait()
}

func TestManyOnAShapedLink(t *testing.T) {
	lab.NoShort(t)
	lab.Need(t, "tc")
	var wg sync.WaitGroup
	for _, rate := range []int{10e6, 5e6, 2e6, 1e6} {
		for _, window := range []int{1, 4, 16, 64} {
			if window > 4 && rate < 10e6 {
				continue
			}
			_, clients := shaped(t, rate)
			for range 20 {
				c := dialingIn(t, clients, "10.77.0.9", "10.77.0.1:69")
				wg.Go(func() {
					began := time.Now()
					got, blocks, err := byEDK2(c.conn, c.server, "nbp", window)
					if err != nil || !bytes.Equal(got, pattern(93955)) {
						t.Errorf("%d bit/s, window %d: got %d bytes in %d blocks after %v, %v",
							rate, window, len(got), blocks, time.Since(began), err)
					}
				})
			}
		}
	}
	wg.Wait()
}
