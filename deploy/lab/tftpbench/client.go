package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	server = netip.MustParseAddrPort("127.0.0.1:69")
	// client has an address of its own, so that a rule can tell the server's packets from the client's.
	client = netip.MustParseAddr("10.99.0.2")
)

const blksize = 1432

var errNoWindow = errors.New("not granted")

// result is what a test took.
type result struct {
	took  time.Duration
	each  []time.Duration
	bytes int64
	cpu   time.Duration // of the server
	err   error
}

// better is r or o, whichever was quicker, with the lesser CPU of both.
func (r result) better(o result) result {
	if o.err != nil && r.took > 0 || r.err == nil && r.took > 0 && r.took < o.took {
		r, o = o, r
	}
	if o.err == nil && r.err == nil && r.cpu > 0 {
		o.cpu = min(o.cpu, r.cpu)
	}
	return o
}

func (r result) cell(t test) string {
	if r.err != nil {
		return r.err.Error()
	}
	var parts []string
	if t.volume {
		parts = append(parts, fmt.Sprintf("%.0f", float64(r.bytes)/1e6/r.took.Seconds()))
	} else {
		parts = append(parts, fmt.Sprintf("%.0f", float64(len(r.each))/r.took.Seconds()))
	}
	if t.latency {
		slices.Sort(r.each)
		at := func(p int) int64 { return r.each[(len(r.each)-1)*p/100].Milliseconds() }
		parts = append(parts, fmt.Sprintf("p50 %d ms", at(50)), fmt.Sprintf("p99 %d ms", at(99)))
	}
	if t.perThousand {
		parts = append(parts, fmt.Sprintf("%.2f s", r.cpu.Seconds()*1000/float64(len(r.each))))
	}
	return strings.Join(parts, ", ")
}

// run fetches t's file count times, at at once.
func (t test) run() result {
	r := result{each: make([]time.Duration, t.count), bytes: int64(t.count) * t.size}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, t.at)
	began := time.Now()
	for range t.at {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < t.count; i = int(next.Add(1)) - 1 {
				at := time.Now()
				n, err := fetch(t.file, t.window)
				if err == nil && n != t.size {
					err = fmt.Errorf("%d bytes for %d", n, t.size)
				}
				if err != nil {
					errs <- err
					return
				}
				r.each[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	r.took = time.Since(began)
	if len(errs) > 0 {
		r.err = <-errs
	}
	return r
}

// begin asks, for an answer within a second. Clients ask again: the port may be one that a transfer just had whose
// last ACK the server has not seen yet, and then the request is taken for that transfer's.
func begin(conn *net.UDPConn, rrq []byte) error {
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := conn.WriteToUDPAddrPort(rrq, server)
	return err
}

// fetch reads a file as iPXE does, and is silent until the server sends: what is lost the server must send again.
func fetch(file string, window int) (int64, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: client.AsSlice()})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	rrq := []byte("\x00\x01" + file + "\x00octet\x00blksize\x00" + strconv.Itoa(blksize) + "\x00tsize\x000\x00")
	if window > 1 {
		rrq = append(rrq, "windowsize\x00"+strconv.Itoa(window)+"\x00"...)
	}
	if err := begin(conn, rrq); err != nil {
		return 0, err
	}
	var total int64
	var last uint16 // the last block in order
	unacked, size := 0, 512
	begun, again := false, 0
	b := make([]byte, 2048)
	ack := []byte{0, 4, 0, 0}
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, os.ErrDeadlineExceeded) && again < 20 && !begun {
			again++
			if err := begin(conn, rrq); err != nil {
				return 0, err
			}
			continue
		}
		if err != nil {
			return total, err
		}
		if !begun {
			begun = true
			_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		}
		done := false
		switch binary.BigEndian.Uint16(b) {
		case 6:
			size = blksize
			if window > 1 && !strings.Contains(string(b[:n]), "windowsize") {
				_, _ = conn.WriteToUDPAddrPort([]byte("\x00\x05\x00\x08no window\x00"), from)
				return 0, errNoWindow
			}
		case 3:
			if binary.BigEndian.Uint16(b[2:]) == last+1 {
				last++
				unacked++
				total += int64(n - 4)
				done = n-4 < size
			} else if window > 1 {
				unacked = window // tell at once where to go on
			}
			if !done && unacked < window {
				continue
			}
			unacked = 0
		default:
			continue // tftpd-hpa sends some noise when packets are lost
		}
		binary.BigEndian.PutUint16(ack[2:], last)
		if _, err := conn.WriteToUDPAddrPort(ack, from); err != nil || done {
			return total, err
		}
	}
}
