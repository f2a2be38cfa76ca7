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
	cpu   time.Duration   // of the server
	peak  int64           // most memory that the server had resident, bytes
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
	t.client = func(s *server, from netip.Addr) client { return &machineBoot{s, from} }
	return t.load(s), nil
}

// machineBoot is the boot of one machine.
type machineBoot struct {
	server *server
	from   netip.Addr
}

func (m *machineBoot) fetch() (total int64, err error) {
	for _, c := range []client{
		tftpGet(nbpFile, 0)(m.server, m.from), httpGet(menuPath)(m.server, m.from),
		httpGet("/"+roomFile)(m.server, m.from),
	} {
		n, err := c.fetch()
		c.close()
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

func (m *machineBoot) close() {}
