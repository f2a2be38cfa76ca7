package dhcp_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// scene is a fake server on a wire that can be spoilt, and one run of Configure or Revert on it.
type scene struct {
	*fake
	t     *testing.T
	state string
	steps []string // codes, in order
	start time.Time

	plan        func(*dhcp.Plan)                        // changes what Plan returns
	beforeApply func() error                            // may fail instead of Apply
	afterApply  func() error                            // may fail after it
	revert      func() error                            // may fail instead of Revert
	onRevert    func(dhcp.Plan)                         // hears of it
	wire        func([]firmware.Offer) []firmware.Offer // changes what is heard
	probeErr    func() error
	probes      int
	applied     bool
	cancel      context.CancelCauseFunc
	conf        dhcp.Configure
}

func newScene(t *testing.T) *scene {
	f := fakeIn(t, "")
	s := &scene{fake: f, t: t, state: t.TempDir(), start: time.Now()}
	s.conf = dhcp.Configure{Server: s, Want: wantA, Probe: s.probe, Report: s.report,
		Preflight: func(context.Context, dhcp.Boot) error { return nil }}
	return s
}

func fakeIn(t *testing.T, flaw string) *fake {
	f := &fake{dir: t.TempDir(), step: func() {}, flaw: map[string]bool{flaw: true}}
	f.must(os.WriteFile(f.file("others"), []byte("somebody's"), 0o600))
	return f
}

func (s *scene) report(st dhcp.Step) { s.steps = append(s.steps, st.Code) }

func (s *scene) Plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	p, err := s.fake.Plan(ctx, want)
	if s.plan != nil {
		s.plan(&p)
	}
	return p, err
}

func (s *scene) Apply(ctx context.Context, p dhcp.Plan) error {
	if s.beforeApply != nil {
		if err := s.beforeApply(); err != nil {
			return err
		}
	}
	err := s.fake.Apply(ctx, p)
	if s.applied = true; err == nil && s.afterApply != nil {
		err = s.afterApply()
	}
	return err
}

func (s *scene) Revert(ctx context.Context, p dhcp.Plan) error {
	if s.onRevert != nil {
		s.onRevert(p)
	}
	if s.revert != nil {
		if err := s.revert(); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.applied = false
	return s.fake.Revert(ctx, p)
}

// probe takes half a second of the test's clock.
func (s *scene) probe(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
	s.probes++
	select {
	case <-time.After(500 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.probeErr != nil {
		if err := s.probeErr(); err != nil {
			return nil, err
		}
	}
	offers, err := s.fake.probe(ctx, clients)
	if s.wire != nil {
		offers = s.wire(offers)
	}
	return offers, err
}

// run is one process's Configure.
func (s *scene) run() (dhcp.Result, error) {
	s.t.Helper()
	j := s.journal()
	defer j.Close()
	c := s.conf
	c.Journal = j
	s.steps, s.start = nil, time.Now()
	ctx, cancel := context.WithCancelCause(s.t.Context())
	defer cancel(nil)
	s.cancel = cancel
	return c.Run(ctx)
}

func (s *scene) runRevert(change func(*dhcp.Revert)) (dhcp.Result, error) {
	s.t.Helper()
	j := s.journal()
	defer j.Close()
	r := dhcp.Revert{Server: s, Journal: j, Probe: s.probe, Report: s.report}
	if change != nil {
		change(&r)
	}
	s.steps, s.start = nil, time.Now()
	return r.Run(s.t.Context())
}

func (s *scene) journal() *dhcp.Journal {
	s.t.Helper()
	j, err := dhcp.OpenJournal(s.state, "fake-eth1")
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// revertible is the record that a revert would go back to.
func (s *scene) revertible() (string, bool) {
	j := s.journal()
	defer j.Close()
	first, ok := j.First()
	return string(first.Raw), ok
}

// set makes somebody's settings, loaded or not.
func (s *scene) set(raw string, load bool) {
	s.must(os.WriteFile(s.file("settings"), []byte(raw), 0o600))
	if load {
		s.must(os.WriteFile(s.file("loaded"), []byte(raw), 0o600))
	}
}

// touched is what was written and loaded so far.
func (s *scene) touched() [2]int { return [2]int{len(s.read("written")), len(s.read("loads"))} }

// silence is a wire function: nobody answers these clients, or any where none are given.
func silence(clients ...firmware.Client) func([]firmware.Offer) []firmware.Offer {
	return func(offers []firmware.Offer) []firmware.Offer {
		return slices.DeleteFunc(offers, func(o firmware.Offer) bool {
			return len(clients) == 0 || slices.Contains(clients, o.Client)
		})
	}
}

// joined is a wire function: another server answers every client that ours answers, as change makes it.
func joined(change func(*firmware.Offer)) func([]firmware.Offer) []firmware.Offer {
	return func(offers []firmware.Offer) []firmware.Offer {
		both := slices.Clone(offers)
		for _, o := range offers {
			o.Server, o.From = otherAddr, otherAddr
			change(&o)
			both = append(both, o)
		}
		return both
	}
}

func wantError(t *testing.T, err error, is, not []error, text []string) {
	t.Helper()
	if (err != nil) != (is != nil) {
		t.Errorf("error %v", err)
		return
	}
	for _, want := range is {
		if !errors.Is(err, want) {
			t.Errorf("error %q is not %q", err, want)
		}
	}
	for _, no := range not {
		if errors.Is(err, no) {
			t.Errorf("error %q is %q", err, no)
		}
	}
	if err == nil {
		return
	}
	rest := err.Error()
	for _, want := range text {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Errorf("error %q does not say %q there", err, want)
			continue
		}
		rest = after
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has more than one line: %q", err)
	}
}

func untouched(t *testing.T, s *scene, r dhcp.Result) {
	t.Helper()
	if s.touched() != [2]int{} || r.Wrote || r.Reloaded || r.Reverted {
		t.Errorf("touched %v; %+v", s.touched(), r)
	}
	s.must(os.MkdirAll(s.state, 0o700))
	nothingToRevert(t, s, r)
}

func nothingToRevert(t *testing.T, s *scene, r dhcp.Result) {
	t.Helper()
	if first, ok := s.revertible(); ok {
		t.Errorf("the journal would revert to %q", first)
	}
	if r.Wrote {
		t.Error("the result says that settings were written and stayed")
	}
}

// unreadable is a server whose settings cannot be read.
type unreadable struct {
	dhcp.Server
	err error
}

func (u unreadable) Plan(context.Context, dhcp.Boot) (dhcp.Plan, error) { return dhcp.Plan{}, u.err }

// leased makes every offer one of that address, with a mask of 24 bits and no router.
func leased(addr string) func([]firmware.Offer) []firmware.Offer {
	return func(offers []firmware.Offer) []firmware.Offer {
		for i, o := range offers {
			server := o.Server.As4()
			o.YourIP, o.Type = netip.MustParseAddr(addr), 2
			o.Options = map[byte][]byte{1: {255, 255, 255, 0}, 54: server[:]}
			if o.Option67 != "" {
				o.Options[67] = []byte(o.Option67)
			}
			offers[i] = o
		}
		return offers
	}
}
