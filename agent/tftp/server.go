package tftp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// Opener finds what a request asks for.
//
// The error is fs.ErrNotExist, fs.ErrPermission, or another, each possibly wrapped; the client gets code 1, 2 or 0
// of RFC 1350. With an error File may be set to tell what is known of it; it is not closed then. Open may block:
// it holds up its own request only.
type Opener interface {
	Open(boot.Ask) (*File, error)
}

// File is an opened file. Its ReadAt must return Size bytes in all, or the transfer fails.
type File struct {
	io.ReaderAt
	Size       int64
	Artifact   boot.Artifact
	Given      boot.Given   // see boot.Transfer
	LoopBroken bool         // see boot.Transfer
	Quirks     []boot.Quirk // see boot.Transfer
	// Changed reports whether the content is another than when the file was opened. It is asked before the last block
	// is sent, which is withheld then: the client must not take a mixture of two files for one. nil: the file is in
	// memory, where it does not change and is read without waiting
	Changed func() bool
	// ID is the same for files with the same content, so that they are read once for transfers at the same time. It
	// must be comparable. nil: it is shared with none
	ID    any
	Close func() error // nil: nothing to close
}

// Config is how a Server serves. Opener is needed, all else has a default.
type Config struct {
	Opener   Opener
	Observer boot.Observer // nil: no observer
	// Networks are those that are served; empty: all. Others get no answer at all.
	Networks []netip.Prefix
	// SinglePort sends everything from the listening port, for clients behind NAT or firewalls that do not know TFTP,
	// and for servers in containers. It costs some speed, as all packets go through one socket. An answer proves
	// nothing of an address then, as it can be forged like the request. So an address that has completed no transfer
	// and opened no connection for HTTP (Proven) within an hour gets one transfer at a time, without windows, at 512
	// KiB/s, and all of them 10 MB/s.
	SinglePort bool
	// MaxTransfers is how many run at once, 1024 if 0. A request beyond waits for its turn, and is dropped without a
	// word where too many do: firmware asks again after some seconds, while an ERROR would end its boot.
	MaxTransfers int
	// MaxPerClient is the same for one address, half of MaxTransfers if 0: a whole room may be behind one NAT.
	MaxPerClient int
	// MaxBlksize limits what blksize is granted, 8 to 65464 bytes. If 0 it is what fits a frame of the interface, so
	// that nothing is sent in fragments, which many boot ROMs cannot put together.
	MaxBlksize int
	// Silence is how long a client that has answered before may be silent, 30 s if 0: a switch port takes
	// that long to come back.
	Silence time.Duration
	// Grace is how long transfers may go on when the server is to stop.
	Grace time.Duration
	Guard *guard.Guard // ends a request or transfer that panics; nil: nothing does
	// Log hears of faults of the server's own, not of requests: those are the Observer's. nil: none
	Log *slog.Logger
}

// Server is a read-only TFTP server.
type Server struct {
	Config
	nics       interfaces
	table      table
	windows    windows
	strangers  *strangers
	warnings   rate          // in the log
	news       rate          // of requests that are reported though nothing proves that a machine sent them
	unreported atomic.Uint64 // requests that were too many for it
	ignored    atomic.Uint64 // requests that got no answer, and did not wait for one
	unread     unread
	contents   contents
	workers    *workers
	loop       *loop
	running    sync.WaitGroup
}

// New makes a server. It opens nothing.
func New(c Config) *Server {
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.MaxTransfers <= 0 {
		c.MaxTransfers = 1024
	}
	if c.MaxPerClient <= 0 {
		c.MaxPerClient = max(c.MaxTransfers/2, 1)
	}
	if c.Silence <= 0 {
		c.Silence = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c}
	s.workers = newWorkers()
	s.table.init(c.MaxTransfers, c.MaxPerClient)
	s.strangers = newStrangers(firstSends * c.MaxPerClient)
	s.news = perSecond(newsRate, newsBurst)
	s.warnings = rate{each: time.Minute}
	return s
}

// newsRate and newsBurst bound what the Observer hears of requests in a flood, so that it has time for the machines.
const newsRate, newsBurst = 100, 500

// Proven has the server take addr for a machine's for the next hour, as it has opened a TCP connection.
func (s *Server) Proven(addr netip.Addr) { s.strangers.proven.add(addr, time.Now()) }

// Serve answers requests until ctx ends, then takes no more, lets transfers end within Grace, aborts the rest with an
// ERROR to the client, and returns nil when all is over. It closes l. An error is that of a socket that
// cannot be read any more; it ends the other sockets as well. A Server serves once.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	var err error
	if s.loop, err = newLoop(s); err != nil {
		l.Close()
		return fmt.Errorf("waiting for many sockets: %w", err)
	}
	if s.SinglePort {
		for _, sock := range l.sockets {
			if err := sock.noteICMP(); err != nil {
				s.Log.Warn("ICMP about the TFTP port is not heard", "err", err)
			}
		}
	}
	s.unread.watch(l.sockets)
	looped := make(chan struct{})
	go func() { s.loop.run(); close(looped) }()
	defer func() { s.loop.close(); <-looped; s.workers.close() }()
	reading, stop := context.WithCancel(context.Background())
	g, failed := errgroup.WithContext(reading)
	for _, sock := range l.sockets {
		g.Go(func() error { return s.receive(failed, sock) })
	}
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	s.table.close()
	if !s.SinglePort {
		stop()
		l.Close() // the port is free for a successor while transfers end
	}
	s.drain()
	stop()
	l.Close()
	return g.Wait()
}

// drain waits for transfers, for Grace, then ends them.
func (s *Server) drain() {
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	grace := time.NewTimer(s.Grace)
	defer grace.Stop()
	select {
	case <-done:
		return
	case <-grace.C:
	}
	s.table.each(func(t *transfer) { t.tell(stops) })
	<-done
}

// receive reads a listening socket until it is closed and ctx is over.
func (s *Server) receive(ctx context.Context, sock *socket) error {
	b := make([]byte, 2048)
	control := make([]byte, 256)
	bad := 0
	for {
		n, cn, _, client, err := sock.conn.ReadMsgUDPAddrPort(b, control)
		if err == nil {
			bad = 0
			s.guarded(func() { s.packet(sock, b[:n], control[:cn], client) })
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if s.SinglePort && s.refusals(sock) {
			continue
		}
		// Some errors are of a single packet; a socket that has nothing else is given up.
		if bad++; bad > 10 {
			return err
		}
		s.Log.Warn("reading the TFTP socket", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Millisecond << bad):
		}
	}
}

// guarded calls f, and keeps a panic in it from ending more than that. The guard logs it.
func (s *Server) guarded(f func()) {
	_ = s.Guard.Do(guard.TFTP, func() error { f(); return nil })
}

// finish tells of the end of a request.
func (s *Server) finish(t boot.Transfer) {
	t.Took = time.Since(t.Start)
	s.Observer.End(&t)
}

// nobody is the Observer that ignores everything.
type nobody struct{}

func (nobody) Begin(*boot.Ask)    {}
func (nobody) End(*boot.Transfer) {}
