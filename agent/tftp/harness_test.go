package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// limit is how long a test waits for what must come.
const limit = 10 * time.Second

// shelf is an Opener of files in memory, by name.
type shelf map[string]*File

func (s shelf) Open(a boot.Ask) (*File, error) {
	switch f := s[a.Name]; {
	case a.Name == "secret":
		return &File{Artifact: boot.Other}, &fs.PathError{Op: "open", Path: a.Name, Err: fs.ErrPermission}
	case a.Name == "broken":
		return nil, errors.New("input/output error")
	case f == nil:
		return nil, &fs.PathError{Op: "open", Path: a.Name, Err: fs.ErrNotExist}
	default:
		return f, nil
	}
}

func file(b []byte) *File {
	return &File{ReaderAt: bytes.NewReader(b), Size: int64(len(b)), Artifact: boot.NBP}
}

// record is an Observer that keeps what it hears.
type record struct {
	mu    sync.Mutex
	begun int
	over  int
	ended []boot.Transfer // not taken by next yet
	more  chan struct{}   // gets one for each End
}

func newRecord() *record { return &record{more: make(chan struct{}, 1<<16)} }

func (r *record) Begin(*boot.Ask) { r.mu.Lock(); r.begun++; r.mu.Unlock() }

func (r *record) End(t *boot.Transfer) {
	r.mu.Lock()
	r.ended = append(r.ended, *t)
	r.over++
	r.mu.Unlock()
	r.more <- struct{}{}
}

// next waits until one more transfer has ended and returns it.
func (r *record) next(t *testing.T) boot.Transfer {
	t.Helper()
	select {
	case <-r.more:
	case <-time.After(limit):
		t.Fatal("no transfer ended")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	tr := r.ended[0]
	r.ended = r.ended[1:]
	return tr
}

func (r *record) wait(t *testing.T, want boot.Outcome) boot.Transfer {
	t.Helper()
	tr := r.next(t)
	if tr.Outcome != want {
		t.Errorf("ended %s (%v), want %s", tr.Outcome, tr.Err, want)
	}
	return tr
}

// finished is the next transfer of that file that ended well; others are passed over.
func (r *record) finished(t *testing.T, name string) boot.Transfer {
	t.Helper()
	for {
		if tr := r.next(t); tr.Name == name && tr.Outcome == boot.OK {
			return tr
		}
	}
}

// running is a server under test.
type running struct {
	*Server
	addr   netip.AddrPort
	record *record
	stop   context.CancelFunc
	done   chan error
}

// serving runs a server on loopback that ends with t.
func serving(t testing.TB, c Config) *running {
	t.Helper()
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	return servingOn(t, c, l)
}

// servingOn has loopback proven to be a machine: what strangers get of a single port is a test of its own.
func servingOn(t testing.TB, c Config, l *Listener) *running {
	t.Helper()
	return servingStrangers(t, c, l, netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback())
}

// servingStrangers takes none but proven for machines.
func servingStrangers(t testing.TB, c Config, l *Listener, proven ...netip.Addr) *running {
	t.Helper()
	r := &running{addr: l.Addrs()[0], record: newRecord(), done: make(chan error, 1)}
	if c.Observer == nil {
		c.Observer = r.record
	}
	if os.Getenv("TFTP_LOG") != "" {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r.Server = New(c)
	for _, a := range proven {
		r.Proven(a)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() { r.done <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		r.stop()
		if err := <-r.done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.record.mu.Lock()
		defer r.record.mu.Unlock()
		if r.record.over != r.record.begun {
			t.Errorf("%d requests begun, %d ended", r.record.begun, r.record.over)
		}
	})
	return r
}

// client is one end of a transfer, by hand.
type client struct {
	t      *testing.T
	conn   *net.UDPConn
	server netip.AddrPort
	tid    netip.AddrPort // where the last packet came from
	buf    [70000]byte
}

func dialing(t *testing.T, server netip.AddrPort) *client {
	t.Helper()
	host := netip.MustParseAddr("127.0.0.1")
	if server.Addr().Is6() {
		host = netip.IPv6Loopback()
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, server: server}
}

func (c *client) sendTo(to netip.AddrPort, b []byte) {
	c.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort(b, to); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends an RRQ with options as in "blksize=8 tsize=0".
func (c *client) ask(name, options string) {
	c.t.Helper()
	c.sendTo(c.server, rrq(name, "octet", options))
}

func rrq(name, mode, options string) []byte {
	b := []byte("\x00\x01" + name + "\x00" + mode + "\x00")
	return append(b, appendOACK(nil, optionList(options))[2:]...)
}

func (c *client) ack(n int) {
	c.t.Helper()
	c.sendTo(c.tid, []byte{0, opACK, byte(n >> 8), byte(n)})
}

func (c *client) abort(code uint16) {
	c.t.Helper()
	c.sendTo(c.tid, appendError(nil, code, "User aborted the transfer"))
}

// receive waits for a packet, or returns nil after d.
func (c *client) receive(d time.Duration) []byte {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	n, from, err := c.conn.ReadFromUDPAddrPort(c.buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.tid = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return c.buf[:n]
}

func (c *client) expect(op uint16) []byte {
	c.t.Helper()
	b := c.receive(limit)
	if len(b) < 4 || binary.BigEndian.Uint16(b) != op {
		c.t.Fatalf("got %.40q, want opcode %d", b, op)
	}
	return b
}

// data expects a DATA packet of that block and returns its payload.
func (c *client) data(block int) []byte {
	c.t.Helper()
	b := c.expect(opDATA)
	if got := binary.BigEndian.Uint16(b[2:]); got != uint16(block) {
		c.t.Fatalf("got block %d, want %d", got, uint16(block))
	}
	return b[4:]
}

// fresh is data, but passes over blocks before it: where the machine is slow the server sends some again.
func (c *client) fresh(block int) []byte {
	c.t.Helper()
	for {
		b := c.expect(opDATA)
		if behind := uint16(block) - binary.BigEndian.Uint16(b[2:]); behind == 0 {
			return b[4:]
		} else if behind > 2*maxWindow {
			c.t.Fatalf("got block %d, want %d", binary.BigEndian.Uint16(b[2:]), uint16(block))
		}
	}
}

func (c *client) oack(want string) {
	c.t.Helper()
	r, _ := parseRequest(append([]byte("\x00\x01f\x00octet\x00"), c.expect(opOACK)[2:]...))
	if got := optionText(r.options); got != want {
		c.t.Fatalf("OACK %q, want %q", got, want)
	}
}

func (c *client) errorCode(want uint16) {
	c.t.Helper()
	b := c.expect(opERROR)
	if got := binary.BigEndian.Uint16(b[2:]); got != want || b[len(b)-1] != 0 {
		c.t.Fatalf("got error %.60q, want %d", b, want)
	}
}

// quiet expects nothing for a while.
func (c *client) quiet(d time.Duration) {
	c.t.Helper()
	if b := c.receive(d); b != nil {
		c.t.Fatalf("got %.40q, want silence", b)
	}
}

// rest takes all blocks from the given one to the end, and returns them.
func (c *client) rest(block, blksize int) []byte {
	c.t.Helper()
	var all []byte
	for {
		b := c.fresh(block)
		all = append(all, b...)
		c.ack(block)
		if len(b) < blksize {
			return all
		}
		block++
	}
}

// windows fetches a file with blksize=1468, which is granted as blksize, and windows of size blocks where window asks
// for them.
func (c *client) windows(name, window string, blksize, size int) (all []byte) {
	c.t.Helper()
	c.ask(name, "blksize=1468"+window)
	c.oack(fmt.Sprintf("blksize=%d%s", blksize, window))
	for c.ack(0); ; {
		has := len(all) / blksize
		b := c.expect(opDATA)
		if int(b[2])<<8|int(b[3]) != has+1 {
			c.ack(has)
			continue
		}
		if all = append(all, b[headerLen:]...); len(b) < headerLen+blksize {
			c.ack(has + 1)
			return all
		}
		if (has+1)%size == 0 {
			c.ack(has + 1)
		}
	}
}

// bothWays runs a test with a socket for each transfer and with a single port.
func bothWays(t *testing.T, f func(t *testing.T, c Config)) {
	files := shelf{"f": file(pattern(2000)), "empty": file(nil), "text": file([]byte(strings.Repeat("a line\n", 100)))}
	t.Run("port each", func(t *testing.T) { f(t, Config{Opener: files}) })
	t.Run("single port", func(t *testing.T) { f(t, Config{Opener: files, SinglePort: true}) })
}
