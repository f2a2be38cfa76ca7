package pfsense_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
	"pxeagent/pfsense"
)

// meter passes connections on to a firewall and counts the bytes of both directions. At the byte that is set it kills a
// process.
type meter struct {
	net.Listener
	to string

	mu     sync.Mutex
	passed int
	at     int         // 0: never
	victim *os.Process // nil: not started yet
	open   int         // connections
	fewer  *sync.Cond  // open went down
}

func newMeter(t *testing.T, to string) *meter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{Listener: l, to: to}
	m.fewer = sync.NewCond(&m.mu)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.open++
			m.mu.Unlock()
			go m.serve(c)
		}
	}()
	return m
}

// serve ends when the firewall has closed the connection too: what it was asked is done then.
func (m *meter) serve(c net.Conn) {
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.open--
		m.fewer.Broadcast()
	}()
	defer c.Close()
	fw, err := net.Dial("tcp", m.to)
	if err != nil {
		return
	}
	defer fw.Close()
	go func() {
		io.Copy(fw, counted{c, m})
		fw.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(io.Discard, io.TeeReader(counted{fw, m}, ignoring{c}))
}

// ignoring writes to a peer that may have closed the connection.
type ignoring struct{ io.Writer }

func (w ignoring) Write(p []byte) (int, error) {
	w.Writer.Write(p)
	return len(p), nil
}

type counted struct {
	io.Reader
	m *meter
}

// Read reads little at a time, so that a process can be killed within a message.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 64)])
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	before := c.m.passed
	if c.m.passed += n; c.m.victim != nil && before < c.m.at && c.m.passed >= c.m.at {
		c.m.victim.Kill()
	}
	return n, err
}

// configure runs a configure in a process of its own, killed at that byte, and returns how many passed.
func (m *meter) configure(t *testing.T, o pfsense.ChildOrder, at int) (passed int, killed bool) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), pfsense.ChildEnv+"="+string(text))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	m.mu.Lock()
	m.passed, m.at, m.victim = 0, at, nil
	if err := cmd.Start(); err != nil {
		m.mu.Unlock()
		t.Fatal(err)
	}
	m.victim = cmd.Process
	m.mu.Unlock()
	err = cmd.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.open > 0 {
		m.fewer.Wait()
	}
	if err != nil && cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child failed: %v: %s", err, out.String())
	}
	return m.passed, err != nil
}

// A process that is killed at any byte of its conversation leaves old or new, and the journal resolves it, by a next
// configure or by a revert, on the wire too.
func TestKilledAnywhere(t *testing.T) {
	lab.NoShort(t)
	t.Parallel()
	const points = 50
	for _, transport := range []string{"rest", "xmlrpc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "isc", transport)
			m := newMeter(t, s.URL().Host)
			want := s.boot("10.99.0.5")
			order := pfsense.ChildOrder{Reach: s.reach, Want: want}
			order.Reach.URL = "https://" + m.Addr().String()
			old, others := s.own(), s.others()

			// How long the conversation is, and what it leaves.
			order.State = t.TempDir()
			total, _ := m.configure(t, order, 0)
			written := s.own()
			s.undo(t, order, old)

			kills, left := 0, map[string]int{}
			for i := range points {
				order.State = t.TempDir()
				_, killed := m.configure(t, order, 1+i*total/points)
				if killed {
					kills++
				}
				now := s.own()
				switch {
				case slices.Equal(now, old):
					left["old"]++
				case slices.Equal(now, written):
					left["new"]++
				default:
					t.Fatalf("killed at point %d: the settings are %s", i, now)
				}
				if i%2 == 0 {
					j := openJournal(t, order)
					_, err := dhcp.Configure{Server: s.open(), Journal: j, Want: want, Probe: s.wire}.Run(t.Context())
					j.Close()
					if err != nil || !slices.Equal(s.own(), written) {
						t.Fatalf("killed at point %d, then configured: %v; %s", i, err, s.own())
					}
				}
				s.undo(t, order, old)
				if !slices.Equal(s.others(), others) {
					t.Fatalf("killed at point %d: something of others' changed", i)
				}
			}
			t.Logf("%d bytes; %d of %d killed; left %v", total, kills, points, left)
			if kills < points-2 || left["old"] == 0 || left["new"] == 0 {
				t.Errorf("%d of %d were killed, they left %v: this shows too little", kills, points, left)
			}
		})
	}
}

func openJournal(t *testing.T, o pfsense.ChildOrder) *dhcp.Journal {
	t.Helper()
	j, err := dhcp.OpenJournal(o.State, pfsense.JournalKey)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// undo reverts by the journal. Where that has nothing yet, nothing was changed.
func (s *site) undo(t *testing.T, o pfsense.ChildOrder, old []byte) {
	t.Helper()
	j := openJournal(t, o)
	defer j.Close()
	_, err := dhcp.Revert{Server: s.open(), Journal: j, Probe: s.wire}.Run(t.Context())
	if err != nil && !errors.Is(err, dhcp.ErrNoJournal) {
		t.Fatalf("reverting: %v", err)
	}
	if !slices.Equal(s.own(), old) {
		t.Fatalf("reverted to %s, want %s", s.own(), old)
	}
	offers, err := s.probe(t.Context(), firmware.Clients())
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.open().Plan(t.Context(), dhcp.Boot{})
	if v := dhcp.Verify(dhcp.Boot{}, p, offers); err != nil || !v.Agrees() {
		t.Fatalf("the wire after the revert: %+v %v", v.Wrong, err)
	}
}
