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
)

// tftpAsIPXE fetches a file with the very request that iPXE sends, of at most limit bytes. A server that breaks
// chainload loops knows iPXE by that request's options and their order, which pin/tftp, keeping them in a map, cannot
// promise.
func tftpAsIPXE(ctx context.Context, server netip.AddrPort, name string, limit int) ([]byte, error) {
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t := ipxeTransfer{ctx: ctx, conn: conn, peer: server, blksize: 512, limit: limit}
	err = t.run("\x00\x01" + name + "\x00octet\x00blksize\x001432\x00tsize\x000\x00")
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return t.data, err
}

// packetConn is what a transfer needs of a *net.UDPConn.
type packetConn interface {
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	SetReadDeadline(time.Time) error
}

type ipxeTransfer struct {
	ctx     context.Context
	conn    packetConn
	peer    netip.AddrPort // the server's port changes with its first answer (RFC 1350 section 4)
	blksize int
	limit   int
	data    []byte
	block   uint16
}

func (t *ipxeTransfer) run(request string) error {
	send := []byte(request)
	buf := make([]byte, 4+1432)
	for {
		n, err := t.exchange(send, buf)
		if err != nil {
			return err
		}
		last, reply, err := t.take(buf[:n])
		if err != nil {
			return err
		}
		if last {
			_, err := t.conn.WriteToUDPAddrPort(reply, t.peer)
			return err
		}
		send = reply
	}
}

// exchange sends a packet until something comes from the server.
func (t *ipxeTransfer) exchange(send, buf []byte) (int, error) {
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
	return 0, fmt.Errorf("no answer in %v", fetchWait*fetchTries)
}

// take handles one packet of at least 4 bytes and says what to answer.
func (t *ipxeTransfer) take(p []byte) (last bool, reply []byte, err error) {
	switch op := binary.BigEndian.Uint16(p); op {
	case 6: // OACK, RFC 2347
		opts := strings.Split(string(p[2:]), "\x00")
		for i := 0; i+1 < len(opts); i += 2 {
			if n, err := strconv.Atoi(opts[i+1]); strings.EqualFold(opts[i], "blksize") && err == nil && n >= 8 && n <= 1432 {
				t.blksize = n
			}
		}
		return false, []byte{0, 4, 0, 0}, nil
	case 3: // DATA
		block := binary.BigEndian.Uint16(p[2:])
		if block == t.block+1 {
			t.block = block
			t.data = append(t.data, p[4:]...)
			last = len(p)-4 < t.blksize
		}
		if len(t.data) > t.limit {
			return false, nil, fmt.Errorf("over %d bytes", t.limit)
		}
		return last, binary.BigEndian.AppendUint16([]byte{0, 4}, t.block), nil
	case 5: // ERROR
		text, _, _ := strings.Cut(string(p[4:]), "\x00")
		return false, nil, fmt.Errorf("the server says: error %d %q", binary.BigEndian.Uint16(p[2:]), text)
	default:
		return false, nil, fmt.Errorf("the server sent a packet with opcode %d", op)
	}
}
