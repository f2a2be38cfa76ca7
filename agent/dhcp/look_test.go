package dhcp_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// watched is a scene that notes when it is asked what.
type watched struct {
	*scene
	events []string // "plan", "preflight", "apply", and of a look "begins" and "ends"
	looks  []dhcp.Enough
	// held are events that wait until so many looks have begun.
	held  map[string]int
	begun chan struct{} // has one element for each look
}

func newWatched(t *testing.T) *watched {
	w := &watched{scene: newScene(t), held: map[string]int{}, begun: make(chan struct{}, 100)}
	w.conf.Server, w.conf.Probe = w, w.look
	w.conf.Preflight = func(context.Context, dhcp.Boot) error { w.event("preflight"); return nil }
	return w
}

func (w *watched) event(name string) {
	for ; w.held[name] > 0; w.held[name]-- {
		<-w.begun
	}
	w.events = append(w.events, name)
}

func (w *watched) Plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	w.event("plan")
	return w.scene.Plan(ctx, want)
}

func (w *watched) Apply(ctx context.Context, p dhcp.Plan) error {
	w.event("apply")
	return w.scene.Apply(ctx, p)
}

func (w *watched) look(ctx context.Context, clients []firmware.Client, enough dhcp.Enough) ([]firmware.Offer, error) {
	w.looks = append(w.looks, enough)
	w.begun <- struct{}{}
	return w.probe(ctx, clients, enough)
}

// The wire is looked at beside reading and asking next-server, and again beside reading back: each of these waits here
// until that look has begun.
func TestLooksGoOnBesideOtherWork(t *testing.T) {
	for _, c := range []struct {
		name   string
		scene  func(*watched)
		waits  string // for the first look
		looks  int
		events string
	}{
		{name: "plan", waits: "plan", looks: 2, events: "plan preflight apply plan"},
		{name: "preflight", waits: "preflight", looks: 2, events: "plan preflight apply plan"},
		{name: "in sync", waits: "plan", looks: 1, events: "plan", scene: func(w *watched) { inPlace(w.scene) }},
		{name: "dry run", waits: "plan", looks: 1, events: "plan", scene: func(w *watched) { w.conf.DryRun = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t)
				if c.scene != nil {
					c.scene(w)
				}
				w.held[c.waits] = 1
				if _, err := w.run(); err != nil {
					t.Fatal(err)
				}
				if events := strings.Join(w.events, " "); events != c.events || len(w.looks) != c.looks {
					t.Errorf("%s, %d looks; want %s, %d", events, len(w.looks), c.events, c.looks)
				}
			})
		})
	}
	t.Run("reading back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched(t)
			w.afterApply = func() error { w.held["plan"] = 2; return nil } // the baseline's is one
			if _, err := w.run(); err != nil || len(w.looks) != 2 {
				t.Errorf("%v, %d looks", err, len(w.looks))
			}
		})
	})
}

// A look that the caller has begun is the baseline, if it asks as every client that matters.
func TestBegunLookIsTheBaseline(t *testing.T) {
	for _, c := range []struct {
		name    string
		clients []firmware.Client
		looks   int
	}{
		{"all clients", firmware.Clients(), 2},
		{"the desired ones", dhcp.ProbeClients(wantA), 2},
		{"too few", []firmware.Client{firmware.ClientBIOS}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t)
				w.conf.Begun = w.conf.Probe.Begin(t.Context(), c.clients, nil)
				r, err := w.run()
				if err != nil || len(w.looks) != c.looks {
					t.Errorf("%v after %d looks, want %d", err, len(w.looks), c.looks)
				}
				// Nobody else's offers come into the journal.
				for _, o := range r.Baseline {
					if !slices.Contains(dhcp.ProbeClients(wantA), o.Client) {
						t.Errorf("the baseline has an offer to %s", o.Client)
					}
				}
				if len(r.Baseline) != len(dhcp.ProbeClients(wantA)) {
					t.Errorf("%d offers before the change", len(r.Baseline))
				}
			})
		})
	}
}

// A run that ends before it needs the look ends that as well.
func TestRefusedPlanEndsTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		w.scene.plan = func(p *dhcp.Plan) { p.Problems = []dhcp.Problem{dhcp.Refusal("engine", "it cannot")} }
		ended := false
		w.conf.Probe = func(ctx context.Context, _ []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		}
		if _, err := w.run(); err == nil || !ended {
			t.Errorf("%v, ended %v", err, ended)
		}
	})
}

// Only after a baseline that heard nobody else may the look after the change end before its time.
func TestLookEndsEarlyOnlyAlone(t *testing.T) {
	second := func(s *scene) { s.wire = joined(func(*firmware.Offer) {}) }
	for _, c := range []struct {
		name  string
		scene func(*scene)
		early bool
	}{
		{"alone", func(*scene) {}, true},
		{"nobody answered before", func(s *scene) {
			s.wire = func(o []firmware.Offer) []firmware.Offer {
				if !s.applied {
					return nil
				}
				return o
			}
		}, true},
		{"another server", second, false},
		{"two servers, and the plan cannot tell which is ours", func(s *scene) {
			second(s)
			s.plan = func(p *dhcp.Plan) { p.Own = nil }
		}, false},
		{"one server, and the plan cannot tell that it is ours", func(s *scene) {
			s.plan = func(p *dhcp.Plan) { p.Own = nil }
		}, true},
		{"a failover partner", func(s *scene) {
			s.plan = func(p *dhcp.Plan) { p.Peers = []netip.Addr{otherAddr} }
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(t)
				c.scene(w.scene)
				if _, err := w.run(); err != nil {
					t.Fatal(err)
				}
				if len(w.looks) != 2 || w.looks[0] != nil || (w.looks[1] != nil) != c.early {
					t.Errorf("%d looks: before the change it may end early: %v, after it: %v, want %v", len(w.looks),
						w.looks[0] != nil, w.looks[len(w.looks)-1] != nil, c.early)
				}
			})
		})
	}
}

// enoughAfter is what ends the look after a change to want.
func enoughAfter(t *testing.T, want dhcp.Boot, settings string) (enough dhcp.Enough, s *scene) {
	t.Helper()
	w := newWatched(t)
	w.set(settings, true)
	w.conf.Want = want
	if _, err := w.run(); err != nil || len(w.looks) != 2 || w.looks[1] == nil {
		t.Fatalf("%v after %d looks", err, len(w.looks))
	}
	return w.looks[1], w.scene
}

// It is enough when each client has the desired answer from our server.
func TestWhatIsEnough(t *testing.T) {
	for _, c := range []struct {
		name string
		wire func([]firmware.Offer) []firmware.Offer
		want bool
	}{
		{"all", func(o []firmware.Offer) []firmware.Offer { return o }, true},
		{"none", silence(), false},
		{"one is missing", silence(firmware.ClientEFIBC), false},
		{"one is another server's", func(o []firmware.Offer) []firmware.Offer {
			o[0].Server, o[0].From = otherAddr, otherAddr
			return o
		}, false},
		{"one is wrong", func(o []firmware.Offer) []firmware.Offer { o[0].File = "old.0"; return o }, false},
		{"another server misleads", joined(func(o *firmware.Offer) { o.File = "other.0" }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				enough, s := enoughAfter(t, wantA, "")
				offers, err := s.fake.probe(t.Context(), dhcp.ProbeClients(wantA))
				if err != nil {
					t.Fatal(err)
				}
				if got := enough(c.wire(offers)); got != c.want {
					t.Errorf("enough: %v, want %v", got, c.want)
				}
			})
		})
	}
	// With network boot turned off every client has to answer that it is told nothing.
	synctest.Test(t, func(t *testing.T) {
		enough, s := enoughAfter(t, dhcp.Boot{}, edits[0])
		offers, err := s.fake.probe(t.Context(), firmware.Clients())
		if err != nil || !enough(offers) || enough(offers[1:]) || enough(nil) {
			t.Errorf("%v: with all %v, without one %v, with none %v", err, enough(offers), enough(offers[1:]), enough(nil))
		}
	})
}
