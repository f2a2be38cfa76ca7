package check

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"pxeagent/agent/firmware"
)

// How clients ask by TFTP: their options, in their order. A server that knows iPXE, or gives each firmware the file
// that it can run, goes by both.
const (
	asksROM  = "tsize\x000\x00blksize\x001456\x00"
	asksEDK2 = "tsize\x000\x00blksize\x001468\x00windowsize\x004\x00"
	asksIPXE = "blksize\x001432\x00tsize\x000\x00"
)

// asks is how firmware asks for its NBP.
func asks(arch firmware.Arch) string {
	if arch == firmware.BIOS {
		return asksROM
	}
	return asksEDK2
}

// fetchWait is how long one packet's answer is waited for, and fetchTries how often it is asked for.
const (
	fetchWait  = time.Second
	fetchTries = 3
)

// errSilent: a server by TFTP does not answer.
var errSilent = fmt.Errorf("no answer in %v", fetchWait*fetchTries)

// tftpHead fetches the beginning of a file, at least limit bytes where it has as many, and returns the size that the
// server announced (RFC 2349 tsize), or -1 where it announced none. The transfer is then aborted, as a ROM does that
// asks for the size.
func tftpHead(ctx context.Context, server netip.AddrPort, name, options string, limit int) ([]byte, int64, error) {
	t := transfer{peer: server, enough: limit, limit: limit + maxBlock}
	err := t.fetch(ctx, name, options)
	switch {
	case err != nil:
		return nil, -1, err
	case len(t.data) == 0:
		return nil, -1, errEmpty
	case t.whole:
		return t.data, int64(len(t.data)), nil
	}
	return t.data, t.size, nil
}

// tftpAll fetches a file of at most limit bytes.
func tftpAll(ctx context.Context, server netip.AddrPort, name, options string, limit int) ([]byte, error) {
	t := transfer{peer: server, enough: limit + 1, limit: limit}
	err := t.fetch(ctx, name, options)
	return t.data, err
}

// packetConn is what a transfer needs of a *net.UDPConn.
type packetConn interface {
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	SetReadDeadline(time.Time) error
}

// maxBlock is the longest block that any of the clients asks for.
const maxBlock = 1468

// transfer is one file's. pin/tftp, which keeps options in a map, cannot promise their order.
type transfer struct {
	peer   netip.AddrPort // the server's port changes with its first answer (RFC 1350 section 4)
	enough int            // with that many bytes it is aborted
	limit  int            // more bytes are an error

	ctx     context.Context
	conn    packetConn
	blksize int
	size    int64 // as announced; -1: it was not
	data    []byte
	whole   bool
	block   uint16
}

func (t *transfer) fetch(ctx context.Context, name, options string) error {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t.ctx, t.conn = ctx, conn
	err = t.run("\x00\x01" + name + "\x00octet\x00" + options)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return err
}

// aborted is the ERROR packet with which EDK2 ends a transfer of which it wanted the size.
const aborted = "\x00\x05\x00\x08User aborted the transfer\x00"

func (t *transfer) run(request string) error {
	t.blksize, t.size = 512, -1 // RFC 1350
	send := []byte(request)
	buf := make([]byte, 4+maxBlock)
	for {
		n, err := t.exchange(send, buf)
		if err != nil {
			return err
		}
		reply, err := t.take(buf[:n])
		switch {
		case err != nil:
			return err
		case !t.whole && len(t.data) >= t.enough:
			reply = []byte(aborted)
		case !t.whole:
			send = reply
			continue
		}
		_, err = t.conn.WriteToUDPAddrPort(reply, t.peer)
		return err
	}
}

// exchange sends a packet until something comes from the server.
func (t *transfer) exchange(send, buf []byte) (int, error) {
	first := binary.BigEndian.Uint16(send) == 1
	for range fetchTries {
		if _, err := t.conn.WriteToUDPAddrPort(send, t.peer); err != nil {
			return 0, err
		}
		if err := t.ctx.Err(); err != nil {
			return 0, err
		}
		t.conn.SetReadDeadline(time.Now().Add(fetchWait))
		for {
			n, from, err := t.conn.ReadFromUDPAddrPort(buf)
			var nerr net.Error
			if errors.As(err, &nerr) && nerr.Timeout() {
				break
			}
			if err != nil {
				return 0, err
			}
			from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
			if n < 4 || from.Addr() != t.peer.Addr() || (!first && from.Port() != t.peer.Port()) {
				continue
			}
			t.peer = from
			return n, nil
		}
	}
	return 0, errSilent
}

// take handles one packet of at least 4 bytes and says what to answer.
func (t *transfer) take(p []byte) (reply []byte, err error) {
	switch op := binary.BigEndian.Uint16(p); op {
	case 6: // OACK, RFC 2347
		t.options(strings.Split(string(p[2:]), "\x00"))
		return []byte{0, 4, 0, 0}, nil
	case 3: // DATA
		block := binary.BigEndian.Uint16(p[2:])
		if block == t.block+1 {
			t.block = block
			t.data = append(t.data, p[4:]...)
			t.whole = len(p)-4 < t.blksize
		}
		if len(t.data) > t.limit {
			return nil, fmt.Errorf("over %d bytes", t.limit)
		}
		return binary.BigEndian.AppendUint16([]byte{0, 4}, t.block), nil
	case 5: // ERROR, in the server's own words, which may be anything
		text, _, _ := strings.Cut(string(p[4:]), "\x00")
		return nil, fmt.Errorf("the server says: error %d %q", binary.BigEndian.Uint16(p[2:]), text)
	default:
		return nil, fmt.Errorf("the server sent a packet with opcode %d", op)
	}
}

// options takes what the server agrees to (RFC 2348, RFC 2349).
func (t *transfer) options(agreed []string) {
	for i := 0; i+1 < len(agreed); i += 2 {
		n, err := strconv.ParseInt(agreed[i+1], 10, 64)
		switch {
		case err != nil || n < 0:
		case strings.EqualFold(agreed[i], "blksize") && n >= 8 && n <= maxBlock:
			t.blksize = int(n)
		case strings.EqualFold(agreed[i], "tsize"):
			t.size = n
		}
	}
}
