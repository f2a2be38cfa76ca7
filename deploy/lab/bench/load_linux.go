package main

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// sample is what one test took with one server once.
type sample struct {
	took  time.Duration
	each  []time.Duration // of those that came whole
	bytes int64           // that came
	lost  int             // those that did not come whole
	why   error           // of the first of these
	extra int             // blocks of TFTP that came in vain
	none  bool            // a window was asked for and not granted
	flood float64         // forged requests a second that came meanwhile
	cpu   time.Duration   // of the server
	peak  int64           // most memory that the server had resident, bytes
	after []int64         // what it had resident after each quarter of the work, bytes; nil: it was not looked at
}

// load fetches count times, by clients that each have an address of their own.
func (t test) load(s *server) sample {
	var out sample
	var mu sync.Mutex
	var next atomic.Int64
	var ready, all sync.WaitGroup
	begin := make(chan struct{})
	for n := range t.at {
		ready.Add(1)
		all.Go(func() {
			c := t.client(s, clientAddr(n))
			defer c.close()
			if t.warm {
				_, _ = (&tftpClient{server: s.addr, client: clientAddr(n), file: smallFile}).fetch()
			}
			ready.Done()
			<-begin
			for int(next.Add(1)) <= t.count {
				began := time.Now()
				bytes, err := c.fetch()
				took := time.Since(began)
				mu.Lock()
				out.bytes += bytes
				if err == nil {
					out.each = append(out.each, took)
				} else if out.lost++; out.why == nil {
					out.why = fmt.Errorf("client %d: %w", n, err)
				}
				mu.Unlock()
			}
			if c, ok := c.(*tftpClient); ok {
				mu.Lock()
				out.extra += c.extra
				out.none = out.none || c.ungranted
				mu.Unlock()
			}
		})
	}
	ready.Wait()
	began := time.Now()
	close(begin)
	all.Wait()
	out.took = time.Since(began)
	return out
}

// powerCut has machines lose power, half of them in the midst of their NBP and half in the midst of their image. Then
// all boot from the beginning, at once. What is measured is that second boot: NBP, menu and image of each.
func powerCut(_ *bench, s *server, t test) (sample, error) {
	const image = "/" + roomFile
	cut := make([]error, t.at)
	var all sync.WaitGroup
	for n := range t.at {
		all.Go(func() {
			if n%2 == 0 {
				c := &tftpClient{server: s.addr, client: clientAddr(n), file: nbpFile, until: 20 * blksize}
				_, cut[n] = c.fetch()
				return
			}
			c := &httpClient{server: s.addr, client: clientAddr(n), path: image, until: 1 << 20}
			if _, cut[n] = c.fetch(); cut[n] == nil {
				cut[n] = c.vanish()
			}
		})
	}
	all.Wait()
	for n, err := range cut {
		if err != nil {
			return sample{}, fmt.Errorf("machine %d before the power cut: %w", n, err)
		}
	}
	t.client = func(s *server, from netip.Addr) client {
		return boots{s, func() netip.Addr { return from }, []string{menuPath, image}}
	}
	return t.load(s), nil
}

const quarters = 4

// soak is at machines that each boot once, and looks at the server's memory meanwhile.
func soak(_ *bench, s *server, t test) (sample, error) {
	var out sample
	var next atomic.Int64
	t.count /= quarters
	t.client = func(s *server, _ netip.Addr) client {
		from := func() netip.Addr { return clientAddr(int(next.Add(1)) - 1) }
		return boots{s, from, []string{menuPath, fragmentPath, kernelPath}}
	}
	for range quarters {
		q := t.load(s)
		out.took += q.took
		out.each = append(out.each, q.each...)
		out.bytes += q.bytes
		out.lost += q.lost
		if out.why == nil {
			out.why = q.why
		}
		now, err := resident(s.cmd.Process.Pid)
		if err != nil {
			return out, err
		}
		out.after = append(out.after, now)
	}
	return out, nil
}

// boots are those of machines: an NBP by TFTP, and then files by HTTP.
type boots struct {
	server *server
	from   func() netip.Addr // the machine's
	paths  []string
}

func (b boots) fetch() (total int64, err error) {
	from := b.from()
	fetches := []client{tftpGet(nbpFile, 0)(b.server, from)}
	for _, path := range b.paths {
		fetches = append(fetches, httpGet(path)(b.server, from))
	}
	for _, c := range fetches {
		n, err := c.fetch()
		c.close()
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func (boots) close() {}
