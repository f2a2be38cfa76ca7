package pfsense_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

// virtual is a clock that only sleeping moves.
type virtual struct {
	mu  sync.Mutex
	now time.Time
}

func (v *virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

func (v *virtual) Sleep(_ context.Context, d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(d)
}

// newClockedSite is one whose firewall and backend live by a virtual clock.
func newClockedSite(t *testing.T, engine, transport string) (*site, *virtual) {
	v := &virtual{now: time.Unix(1_790_000_000, 0)}
	s := newSite(t, engine, transport)
	s.SetClock(v.Now)
	return s, v
}

func transports(t *testing.T, do func(t *testing.T, transport string)) {
	for _, transport := range []string{"rest", "xmlrpc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			do(t, transport)
		})
	}
}

// TestOutageAtEachRequest: the firewall's PHP is gone for a while at any one request of a configure. A run that had
// written goes on to its end; one that had not says so, and the settings are the old ones.
func TestOutageAtEachRequest(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		calm, _ := newClockedSite(t, "isc", transport)
		total := calm.requests()
		for _, outage := range []time.Duration{200 * time.Millisecond, 3 * time.Second, 20 * time.Second} {
			for request := range total {
				s, clock := newClockedSite(t, "isc", transport)
				old := s.own()
				s.Order(pfsensetest.Fault{Kind: pfsensetest.BadGateway, Skip: request, For: outage})
				err := s.configure(t, clock)
				at := fmt.Sprintf("%v at request %d of %d", outage, request+1, total)
				switch written := s.Writes() > 0; {
				case err == nil && (!written || s.sends() != "10.99.0.5"):
					t.Errorf("%s: it says that all is well, wrote %v, and sends %q", at, written, s.sends())
				case err != nil && (!errors.Is(err, pfsense.ErrGateway) || written || !slices.Equal(s.own(), old)):
					t.Errorf("%s: %v; the settings are %s", at, err, s.own())
				case err != nil && errors.Is(err, dhcp.ErrRevertFailed):
					t.Errorf("%s: %v", at, err)
				case err != nil && (s.Loaded() == nil || s.sends() != ""):
					t.Errorf("%s: %v, and the daemon sends %q, running %v", at, err, s.sends(), s.Loaded() != nil)
				}
				s.Close()
			}
		}
	})
}

// TestKilledWriteIsFinished: PHP dies after it saved and before it loaded, with the DHCP daemon down, and is away for a
// while. The run loads what was written and proves it.
func TestKilledWriteIsFinished(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		for _, outage := range []time.Duration{time.Millisecond, 500 * time.Millisecond, 20 * time.Second} {
			s, clock := newClockedSite(t, "isc", transport)
			s.Order(pfsensetest.Fault{Kind: pfsensetest.Killed, Op: "write", Times: 1})
			s.Order(pfsensetest.Fault{Kind: pfsensetest.BadGateway, Skip: s.requestsTo("write"), For: outage})
			if err := s.configure(t, clock); err != nil || s.Loaded() == nil || s.Writes() != 1 {
				t.Errorf("%v: %v; %d writes, running: %v", outage, err, s.Writes(), s.Loaded() != nil)
			}
			if next, _ := s.Loaded().Text("dhcpd/opt1/nextserver"); next != "10.99.0.5" {
				t.Errorf("%v: the daemon runs with next-server %q", outage, next)
			}
		}
	})
}

// TestOutageForGood: it does not come back. The run gives up after its time, and what it left is said.
func TestOutageForGood(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, clock := newClockedSite(t, "isc", transport)
		begun := clock.Now()
		s.Order(pfsensetest.Fault{Kind: pfsensetest.Killed, Op: "write", Times: 1})
		s.Order(pfsensetest.Fault{Kind: pfsensetest.BadGateway, Skip: s.requestsTo("write"), For: time.Hour})
		err := s.configure(t, clock)
		if !errors.Is(err, dhcp.ErrRevertFailed) || !strings.Contains(err.Error(), "502") {
			t.Errorf("%v", err)
		}
		if took := clock.Now().Sub(begun); took < time.Minute || took > 2*time.Minute {
			t.Errorf("it waited for %v, want 30 s for the write and 30 s for the revert", took)
		}
	})
}

// TestProxyTimesOutOverPutBack: a proxy answers 504 while the firewall puts the settings back by itself, as its daemon
// did not start with them.
func TestProxyTimesOutOverPutBack(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s, clock := newClockedSite(t, "isc", transport)
		old := s.own()
		s.Order(pfsensetest.Fault{Kind: pfsensetest.GatewayTime, Op: "write", Times: 1})
		s.FailLoads(1)
		if err := s.configure(t, clock); !errors.Is(err, dhcp.ErrReload) || !errors.Is(err, pfsense.ErrGateway) {
			t.Errorf("%v, want %v", err, dhcp.ErrReload)
		}
		if !slices.Equal(s.own(), old) || s.Loaded() == nil {
			t.Errorf("the settings are %s, running: %v", s.own(), s.Loaded() != nil)
		}
	})
}

// sends is the next-server that the daemon runs with; "" where it sends none.
func (s *site) sends() string {
	if _, on := s.Loaded().Text("dhcpd/opt1/netboot"); !on {
		return ""
	}
	next, _ := s.Loaded().Text("dhcpd/opt1/nextserver")
	return next
}

// requestsTo is how many requests a fault that counts all of them lets through up to the one that does op.
func (s *site) requestsTo(op string) int {
	s.t.Helper()
	calm := newSite(s.t, s.engine, s.reach.Transport)
	calm.requests()
	return slices.IndexFunc(calm.Requests(), func(r pfsensetest.Request) bool { return r.Op == op })
}

// requests is how many a configure takes without faults.
func (s *site) requests() int {
	s.t.Helper()
	if err := s.configure(s.t, &virtual{}); err != nil {
		s.t.Fatal(err)
	}
	return len(s.Requests())
}

func (s *site) configure(t *testing.T, v *virtual) error {
	t.Helper()
	j, err := dhcp.OpenJournal(t.TempDir(), "outage")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	_, err = dhcp.Configure{Server: s.open().At(v.Now, v.Sleep), Journal: j, Want: s.boot("10.99.0.5"), Probe: s.wire,
		Within: 2 * time.Second}.Run(t.Context())
	return err
}

// TestRevertOutlastsOutage: once a revert has read what there is, an outage at any of its requests does not end it.
func TestRevertOutlastsOutage(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		for request := 0; ; request++ {
			s, clock := newClockedSite(t, "isc", transport)
			old := s.own()
			server := s.open().At(clock.Now, clock.Sleep)
			p, err := server.Plan(t.Context(), s.boot("10.99.0.5"))
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			before := len(s.Requests())
			s.Order(pfsensetest.Fault{Kind: pfsensetest.BadGateway, Skip: request, For: 20 * time.Second})
			err = server.Revert(t.Context(), p)
			if err != nil || !slices.Equal(s.own(), old) || s.Loaded() == nil {
				t.Errorf("outage at request %d: %v; the settings are %s", request+1, err, s.own())
			}
			total := len(s.Requests()) - before
			s.Close()
			if request+1 >= total {
				break
			}
		}
	})
}

// TestFirewallIsReadOnceBeforeItIsWritten: finding the interface and planning are one reading.
func TestFirewallIsReadOnceBeforeItIsWritten(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s := newSite(t, "isc", transport)
		server := s.open()
		if _, err := server.Found(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, err := server.Plan(t.Context(), s.boot("10.99.0.5"))
		if err != nil {
			t.Fatal(err)
		}
		if n := s.count("read"); n != 1 {
			t.Errorf("%d readings before the write, want 1", n)
		}
		if err := server.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if again, err := server.Plan(t.Context(), s.boot("10.99.0.5")); err != nil || !again.Empty() || s.count("read") != 2 {
			t.Errorf("reading back: %v, empty %v, %d readings", err, again.Empty(), s.count("read"))
		}
		if n, want := len(s.Requests()), map[string]int{"rest": 12, "xmlrpc": 3}[transport]; n != want {
			t.Errorf("%d requests to read, write and read back, want %d", n, want)
		}
	})
}

// TestKeaIsReadOnceBeforeItIsWritten: the site's own configuration for Kea is kept as it was read with the settings. It
// is read again only where somebody has changed it since.
func TestKeaIsReadOnceBeforeItIsWritten(t *testing.T) {
	transports(t, func(t *testing.T, transport string) {
		s := newTellingSite(t, transport)
		server := s.open()
		if _, err := server.Found(t.Context()); err != nil {
			t.Fatal(err)
		}
		write := func(next string, wantReads, wantWrites int, edit func()) {
			t.Helper()
			reads, writes := s.count("read"), s.count("write")
			p, err := server.Plan(t.Context(), s.boot(next))
			if err != nil {
				t.Fatal(err)
			}
			edit()
			if err := server.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if r, w := s.count("read")-reads, s.count("write")-writes; r != wantReads || w != wantWrites {
				t.Errorf("%s: %d readings and %d writing programs, want %d and %d", next, r, w, wantReads, wantWrites)
			}
			if got := s.siteKeaAlone(); !strings.Contains(got, "phones") || !strings.Contains(s.kea(), next) {
				t.Errorf("%s: Kea's configuration is %s", next, s.kea())
			}
		}
		write("10.99.0.5", 0, 1, func() {}) // Found has read
		write("10.99.0.6", 1, 1, func() {})
		write("10.99.0.7", 2, 2, func() { s.setKea(strings.Replace(s.kea(), `"edit": 0`, `"edit": 7`, 1)) })
		if !strings.Contains(s.kea(), `"edit": 7`) {
			t.Errorf("what somebody changed meanwhile is gone: %s", s.kea())
		}
	})
}

// count is how many programs of that kind were run.
func (s *site) count(op string) (n int) {
	for _, r := range s.Requests() {
		if r.Op == op {
			n++
		}
	}
	return n
}
