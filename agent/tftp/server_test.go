package tftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

func TestResentRequestIsTheSame(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		tid := c.tid
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		if c.tid != tid {
			t.Errorf("a second transfer from %v beside %v", c.tid, tid)
		}
		c.ack(0)
		c.data(1)
		var runs *transfer
		s.table.each(func(tr *transfer) { runs = tr })
		runs.asked.Store(false)
		c.ask("f", "tsize=0") // delayed in the network
		for !runs.asked.Load() {
			runtime.Gosched() // until it is read: after the end it would be a new request
		}
		c.ack(1)
		if got := c.rest(2, 512); !bytes.Equal(got, pattern(2000)[512:]) {
			t.Errorf("got %d bytes", len(got))
		}
		if tr := s.record.wait(t, boot.OK); !slices.Equal(tr.Quirks, []boot.Quirk{boot.AskedAgain}) {
			t.Errorf("quirks %q", tr.Quirks)
		}
		s.record.mu.Lock()
		defer s.record.mu.Unlock()
		if s.record.begun != 1 {
			t.Errorf("%d transfers", s.record.begun)
		}
	})
}

func TestRestartedClientBeginsAnew(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		// Another request from the same port.
		c.ask("f", "blksize=8")
		c.oack("blksize=8")
		c.ask("f", "tsize=0")
		c.oack("tsize=2000")
		s.record.wait(t, boot.Aborted)
		// A probe that was not aborted, as Intel's ROM may leave it.
		c.ask("text", "")
		c.data(1)
		s.record.wait(t, boot.SizeProbe)
		c.ack(1)
		c.fresh(2)
		// The same words, after a silence.
		for end := time.Now().Add(asksAnew + 100*time.Millisecond); time.Now().Before(end); {
			c.receive(time.Until(end))
		}
		c.ask("text", "")
		tr := s.record.wait(t, boot.Aborted)
		if !errors.Is(tr.Err, errReplaced) {
			t.Errorf("%+v", tr)
		}
		if got := c.again(512); len(got) != 700 {
			t.Errorf("got %d bytes", len(got))
		}
		s.record.wait(t, boot.OK)
	})
}

func TestForeignNetworksGetNoAnswer(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": file(nil)}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	c := dialing(t, s.addr)
	c.ask("f", "")
	if tr := s.record.wait(t, boot.Refused); !errors.Is(tr.Err, errForeign) || tr.Name != "f" {
		t.Errorf("%+v", tr)
	}
	c.sendTo(s.addr, []byte{0, opACK, 0, 1})
	c.quiet(50 * time.Millisecond)

	s = serving(t, Config{Opener: shelf{"f": file(nil)}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	c = dialing(t, s.addr)
	c.ask("f", "")
	c.rest(1, 512)
	s.record.wait(t, boot.OK)
}

func TestTooManyTransfers(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.MaxTransfers, cfg.MaxPerClient = 3, 2
		s := serving(t, cfg)
		a, b, c := dialing(t, s.addr), dialing(t, s.addr), dialing(t, s.addr)
		for _, x := range []*client{a, b} {
			x.ask("f", "tsize=0")
			x.oack("tsize=2000")
			x.ack(0)
			x.data(1)
		}
		c.ask("f", "tsize=0") // the third from this address
		if tr := s.record.wait(t, boot.Refused); !errors.Is(tr.Err, errFull) {
			t.Errorf("%+v", tr)
		}
		c.quiet(30 * time.Millisecond)
		a.abort(0)
		s.record.wait(t, boot.Aborted)
		b.abort(0)
		s.record.wait(t, boot.Aborted)
		// Its place is free as soon as the transfer is reported as over, or in a moment.
		for {
			c.ask("f", "tsize=0")
			if b := c.receive(100 * time.Millisecond); b != nil {
				break
			}
			s.record.wait(t, boot.Refused)
		}
		c.abort(0)
		s.record.wait(t, boot.SizeProbe)
	})
}

// Requests with forged addresses fill the table; who really is there must get in all the same.
func TestForgedRequestsMakeRoom(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": file(pattern(2000))}, MaxTransfers: 4, MaxPerClient: 5})
	forged := make([]*client, 4)
	for i := range forged {
		forged[i] = dialing(t, s.addr)
		forged[i].ask("f", "tsize=0")
		forged[i].oack("tsize=2000")
	}
	forged[3].oack("tsize=2000")
	forged[3].quiet(owes)
	c := dialing(t, s.addr)
	c.ask("f", "")
	if got := c.rest(1, 512); len(got) != 2000 {
		t.Errorf("got %d bytes", len(got))
	}
	one, other := s.record.next(t), s.record.next(t)
	if one.Outcome == boot.OK { // the one that was evicted may be reported later
		one, other = other, one
	}
	if one.Outcome != boot.TimedOut || !errors.Is(one.Err, errEvicted) || other.Outcome != boot.OK {
		t.Errorf("%+v, %+v", one, other)
	}
}

func TestManyAtOnce(t *testing.T) {
	lots := 1000
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.MaxTransfers, cfg.MaxPerClient = lots, lots
		s := serving(t, cfg)
		all := make([]*client, lots)
		for i := range all {
			all[i] = dialing(t, s.addr)
			all[i].ask("f", "blksize=1000")
		}
		for _, c := range all {
			c.oack("blksize=1000")
		}
		// All run; each ends now.
		for _, c := range all {
			c.ack(0)
		}
		var got atomic.Int64
		var wg sync.WaitGroup
		for _, c := range all {
			wg.Go(func() { got.Add(int64(len(c.again(1000)))) })
		}
		wg.Wait()
		for range lots {
			s.record.wait(t, boot.OK)
		}
		if got.Load() != int64(lots)*2000 {
			t.Errorf("%d bytes in all", got.Load())
		}
	})
}

// again takes all blocks from the first on, where OACK and blocks may have come more than once.
func (c *client) again(blksize int) []byte {
	var all []byte
	for block := 1; ; {
		b := c.receive(limit)
		if len(b) < 4 {
			c.t.Error("nothing more comes")
			return all
		}
		if b[1] == opDATA && int(b[2])<<8+int(b[3]) == block {
			all = append(all, b[4:]...)
			c.ack(block)
			if len(b)-4 < blksize {
				return all
			}
			block++
		}
	}
}

func TestShutdownLetsTransfersEnd(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.Grace = limit
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "")
		c.data(1)
		s.stop()
		if !cfg.SinglePort {
			// The port is free at once, for a successor.
			for {
				l, err := Listen(s.addr)
				if err == nil {
					l.Close()
					break
				}
				if !errors.Is(err, ErrPortTaken) {
					t.Fatal(err)
				}
				runtime.Gosched()
			}
		}
		c.ack(1)
		if got := c.rest(2, 512); len(got) != 2000-512 {
			t.Errorf("got %d bytes", len(got))
		}
		s.record.wait(t, boot.OK)
		select {
		case err := <-s.done:
			s.done <- err
		case <-time.After(limit):
			t.Fatal("does not end")
		}
	})
}

func TestShutdownAbortsTheRest(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.Grace = 50 * time.Millisecond
		s := serving(t, cfg)
		c := dialing(t, s.addr)
		c.ask("f", "blksize=8")
		c.oack("blksize=8")
		c.ack(0)
		c.data(1)
		s.stop()
		for {
			if b := c.receive(limit); len(b) > 1 && b[1] == opERROR {
				break
			} else if b == nil {
				t.Fatal("no ERROR")
			}
		}
		if tr := s.record.wait(t, boot.Failed); !errors.Is(tr.Err, errStopping) {
			t.Errorf("%+v", tr)
		}
	})
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, single := range []bool{false, true} {
		l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("[::1]:0"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		closed := make(chan struct{}, 10)
		f := file(pattern(2000))
		f.Close = func() error { closed <- struct{}{}; return nil }
		s := New(Config{Opener: shelf{"f": f}, SinglePort: single})
		s.Proven(netip.MustParseAddr("127.0.0.1"))
		go func() { done <- s.Serve(ctx, l) }()
		for range 10 {
			c := dialing(t, l.Addrs()[0])
			c.ask("f", "")
			c.data(1)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if len(closed) != 10 {
			t.Errorf("%d files closed of 10", len(closed))
		}
	}
	for end := time.Now().Add(limit); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, before %d:\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
	}
}

func TestMaxBlksize(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": file(nil)}, MaxBlksize: 1468})
	c := dialing(t, s.addr)
	c.ask("f", "blksize=65464")
	c.oack("blksize=1468")
	c.abort(0)
	s.record.wait(t, boot.Aborted)
}

// errReader fails to read.
type errReader struct{}

func (errReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestFileThatCannotBeRead(t *testing.T) {
	s := serving(t, Config{Opener: shelf{"f": &File{ReaderAt: errReader{}, Size: 5}}})
	c := dialing(t, s.addr)
	c.ask("f", "tsize=0")
	c.oack("tsize=5")
	c.ack(0)
	c.errorCode(codeUndefined)
	if tr := s.record.wait(t, boot.Failed); !errors.Is(tr.Err, io.ErrClosedPipe) {
		t.Errorf("%+v", tr)
	}
}

// disk opens one file, whichever is asked for.
type disk string

func (d disk) Open(boot.Ask) (*File, error) {
	f, err := os.Open(string(d))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	changed := func() bool {
		now, err := f.Stat()
		return err != nil || now.Size() != info.Size() || now.ModTime() != info.ModTime()
	}
	return &File{ReaderAt: f, Size: info.Size(), Artifact: boot.NBP, Changed: changed, Close: f.Close}, nil
}

// What a machine gets is the file that it began to get, or an error: never half of one and half of another.
func TestFileThatIsWrittenToWhileSent(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(name string) error
		end    boot.Outcome
	}{
		"in place": {func(name string) error {
			return os.WriteFile(name, bytes.Repeat([]byte("new"), 20_000), 0o644)
		}, boot.Failed},
		"in place, of the same size": {func(name string) error {
			return os.WriteFile(name, make([]byte, 40_000), 0o644)
		}, boot.Failed},
		"in place, shorter": {func(name string) error { return os.Truncate(name, 20_000) }, boot.Failed},
		"by another": {func(name string) error {
			return errors.Join(os.WriteFile(name+"~", make([]byte, 40_000), 0o644), os.Rename(name+"~", name))
		}, boot.OK},
	} {
		t.Run(name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, pattern(40_000), 0o644); err != nil {
				t.Fatal(err)
			}
			// Long ago: clocks of file systems are coarse.
			if err := os.Chtimes(name, time.Time{}, time.Unix(1e9, 0)); err != nil {
				t.Fatal(err)
			}
			s := serving(t, Config{Opener: disk(name)})
			c := dialing(t, s.addr)
			c.ask("f", "")
			got := append([]byte(nil), c.data(1)...)
			if err := tt.change(name); err != nil {
				t.Fatal(err)
			}
			c.ack(1)
			for block := 2; ; block++ {
				b := c.receive(limit)
				if len(b) > 3 && b[1] == opERROR && tt.end == boot.Failed {
					if tr := s.record.wait(t, boot.Failed); !errors.Is(tr.Err, errChanged) && !errors.Is(tr.Err, errShrunk) {
						t.Errorf("%+v", tr)
					}
					return
				}
				if len(b) < 4 || b[1] != opDATA {
					t.Fatalf("got %.40q", b)
				}
				got = append(got, b[4:]...)
				c.ack(block)
				if len(b) < 516 {
					break
				}
			}
			if tr := s.record.wait(t, tt.end); !bytes.Equal(got, pattern(40_000)) {
				t.Errorf("got %d bytes, %+v", len(got), tr)
			}
		})
	}
}

// counted counts how often a file is read and closed.
type counted struct {
	*bytes.Reader
	reads, closed atomic.Int64
}

func (c *counted) ReadAt(b []byte, off int64) (int, error) {
	c.reads.Add(1)
	return c.Reader.ReadAt(b, off)
}

// Transfers at the same time of what is the same file read it once. It stays open until the last has ended.
func TestTransfersShareWhatIsRead(t *testing.T) {
	const clients, size = 20, 100_000
	content := &counted{Reader: bytes.NewReader(pattern(size))}
	f := &File{ReaderAt: content, Size: size, ID: "f", Close: func() error { content.closed.Add(1); return nil }}
	s := serving(t, Config{Opener: shelf{"f": f}})
	all := make([]*client, clients)
	for i := range all {
		all[i] = dialing(t, s.addr)
		all[i].ask("f", "blksize=1432")
		all[i].oack("blksize=1432")
	}
	for _, c := range all {
		c.ack(0)
	}
	for _, c := range all {
		if got := c.again(1432); !bytes.Equal(got, pattern(size)) {
			t.Errorf("got %d bytes", len(got))
		}
	}
	for range clients {
		s.record.wait(t, boot.OK)
	}
	if reads, want := content.reads.Load(), int64(size/chunkSize+1); reads > 2*want {
		t.Errorf("read %d times for %d chunks", reads, want)
	}
	if n := content.closed.Load(); n != clients {
		t.Errorf("closed %d times", n)
	}
}
