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
	"time"
)

// blksize is what iPXE asks for.
const blksize = 1432

// again is after how long a client that got no answer asks again.
const again = time.Second

// tftpClient fetches a file as iPXE does, and is silent until the server sends: what is lost the server must send
// again.
type tftpClient struct {
	server, client netip.Addr
	file           string
	window         int             // windowsize; up to 1: it is not asked for
	waits          []time.Duration // for the first answer, each after a request; nil: 20 times again
	until          int64           // bytes after which it stops for ever, as a machine that loses power; 0: at the end

	extra     int  // blocks that came more than once or not in their turn
	ungranted bool // it asked for a window and was given none
	conn      *net.UDPConn
	gap       bool
	unacked   int
	last      uint16 // the last block in order
	total     int64
	blockSize int
}

// fetch returns how many bytes came.
func (c *tftpClient) close() {}

func (c *tftpClient) fetch() (int64, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: c.client.AsSlice()})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	c.conn, c.unacked, c.last, c.total, c.blockSize, c.gap = conn, 0, 0, 0, 512, false
	b := make([]byte, 2048)
	n, from, err := c.ask(b)
	if err != nil {
		return 0, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	for {
		send, done, err := c.take(b[:n])
		if err != nil {
			return c.total, err
		}
		if send {
			ack := [4]byte{1: 4}
			binary.BigEndian.PutUint16(ack[2:], c.last)
			if _, err := conn.WriteToUDPAddrPort(ack[:], from); err != nil {
				return c.total, err
			}
		}
		if done || c.until > 0 && c.total >= c.until {
			return c.total, nil
		}
		if n, _, err = conn.ReadFromUDPAddrPort(b); err != nil {
			return c.total, err
		}
	}
}

// readRequest asks for a file as iPXE does.
func readRequest(file string) []byte {
	return []byte("\x00\x01" + file + "\x00octet\x00blksize\x00" + strconv.Itoa(blksize) + "\x00tsize\x000\x00")
}

// ask sends the request until the first packet comes.
func (c *tftpClient) ask(b []byte) (int, netip.AddrPort, error) {
	rrq := readRequest(c.file)
	if c.window > 1 {
		rrq = append(rrq, "windowsize\x00"+strconv.Itoa(c.window)+"\x00"...)
	}
	waits := c.waits
	if waits == nil {
		waits = slices.Repeat([]time.Duration{again}, 20)
	}
	for _, wait := range waits {
		if err := c.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, netip.AddrPort{}, err
		}
		if _, err := c.conn.WriteToUDPAddrPort(rrq, netip.AddrPortFrom(c.server, 69)); err != nil {
			return 0, netip.AddrPort{}, err
		}
		n, from, err := c.conn.ReadFromUDPAddrPort(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, from, err
		}
	}
	return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
}

// take takes a packet, and says whether to acknowledge the last block in order, and whether the file is whole.
func (c *tftpClient) take(p []byte) (ack, done bool, err error) {
	if len(p) < 4 {
		return false, false, nil
	}
	switch binary.BigEndian.Uint16(p) {
	case 6:
		c.blockSize = blksize
		c.ungranted = c.window > 1 && !strings.Contains(string(p), "windowsize")
	case 3:
		if binary.BigEndian.Uint16(p[2:]) != c.last+1 {
			c.extra++
			said := c.gap // of a window it says once where to go on
			c.gap = c.window > 1 && !c.ungranted
			return !said, false, nil
		}
		c.gap = false
		c.last++
		c.unacked++
		c.total += int64(len(p) - 4)
		done = len(p)-4 < c.blockSize
		if !done && !c.ungranted && c.unacked < c.window {
			return false, false, nil
		}
	case 5:
		return false, false, fmt.Errorf("the server says %q", p[4:])
	default:
		return false, false, nil // tftpd-hpa sends some noise when packets are lost
	}
	c.unacked = 0
	return true, done, nil
}
