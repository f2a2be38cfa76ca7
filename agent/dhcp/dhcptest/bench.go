package dhcptest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// bench is a Backend with what the tests ask of it again and again.
type bench struct {
	Backend
	t     *testing.T
	state string // folder of the journal
	// blind runs do not look at the wire themselves; the suite does.
	blind bool
}

func newBench(t *testing.T, b Backend) *bench {
	t.Helper()
	if _, child := os.LookupEnv(childEnv); child {
		t.Fatal("a child process of the suite runs tests: the package's TestMain must call dhcptest.Main")
	}
	if len(b.Wants) < 2 || b.Wants[0].NextServer == b.Wants[1].NextServer {
		t.Fatal("Backend.Wants needs two configurations with different next-servers")
	}
	if b.Within == 0 {
		b.Within = 10 * time.Second
	}
	return &bench{Backend: b, t: t, state: t.TempDir()}
}

func (b *bench) plan(want dhcp.Boot) dhcp.Plan {
	b.t.Helper()
	p, err := b.Open(b.t).Plan(b.t.Context(), want)
	if err != nil {
		b.t.Fatalf("planning: %v", err)
	}
	if q, refused := p.Refused(); refused {
		b.t.Fatalf("the plan is refused: %s: %s", q.Code, q.Text)
	}
	return p
}

// apply plans and applies want, each as a process of its own, and returns the plan.
func (b *bench) apply(want dhcp.Boot) dhcp.Plan {
	b.t.Helper()
	p := b.plan(want)
	if err := b.Open(b.t).Apply(b.t.Context(), p); err != nil {
		b.t.Fatalf("applying: %v", err)
	}
	return p
}

// snapshot is everything that an operation may or may not change.
type snapshot struct {
	own, others     []byte
	written, loaded string
	wire            string
}

// look takes a snapshot. The wire is asked for all clients.
func (b *bench) look() snapshot {
	b.t.Helper()
	return snapshot{own: b.Own(b.t), others: b.Others(b.t), written: b.Written(b.t), loaded: b.Loaded(b.t), wire: b.wire()}
}

func (b *bench) wire() string {
	b.t.Helper()
	offers, err := b.Probe(b.t.Context(), firmware.Clients())
	if err != nil {
		b.t.Fatalf("probing: %v", err)
	}
	return wireText(offers)
}

// wireText is what offers say about network boot, without what may differ from one probe to the next.
func wireText(offers []firmware.Offer) string {
	var lines []string
	for _, o := range offers {
		name, where := o.BootFile()
		lines = append(lines, fmt.Sprintf("%s: %s siaddr %s, %s %q, option 66 %q, option 60 %q, proxy %v",
			o.Client, o.Server, o.NextServer, cmp.Or(where, "no file"), name, o.Option66, o.Vendor, o.Proxy))
	}
	slices.Sort(lines)
	// One server heard twice (raw and udp) is one answer.
	return strings.Join(slices.Compact(lines), "\n")
}

// wantWire waits until the wire is as given. A server that has just been restarted may need a moment.
func (b *bench) wantWire(what, want string) {
	b.t.Helper()
	b.await(what, func() string {
		if got := b.wire(); got != want {
			return fmt.Sprintf("the wire says\n%s\nwant\n%s", got, want)
		}
		return ""
	})
}

// wantInForce waits until the wire agrees with want.
func (b *bench) wantInForce(what string, want dhcp.Boot, p dhcp.Plan) {
	b.t.Helper()
	b.await(what, func() string {
		offers, err := b.Probe(b.t.Context(), dhcp.ProbeClients(want))
		if err != nil {
			return "probing: " + err.Error()
		}
		if v := dhcp.Verify(want, p, offers); !v.Agrees() {
			return fmt.Sprintf("offers differ from the desired ones: %+v", v.Wrong)
		}
		return ""
	})
}

// await asks until there is no complaint.
func (b *bench) await(what string, complaint func() string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), b.Within)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		c := complaint()
		if c == "" {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			b.t.Fatalf("%s: after %v %s", what, b.Within, c)
		}
	}
}

func (b *bench) wantOwn(what string, want []byte) {
	b.t.Helper()
	if got := b.Own(b.t); !same(got, want) {
		b.t.Errorf("%s: the record is\n%s\nwant\n%s", what, show(got), show(want))
	}
}

func (b *bench) wantOthers(what string, want []byte) {
	b.t.Helper()
	if got := b.Others(b.t); !bytes.Equal(got, want) {
		b.t.Errorf("%s: what pxeagent does not own was changed; it is\n%s\nwant\n%s", what, got, want)
	}
}

// wantUntouched fails if anything was written or loaded since s.
func (b *bench) wantUntouched(what string, s snapshot) {
	b.t.Helper()
	b.wantOwn(what, s.own)
	b.wantOthers(what, s.others)
	if b.Written(b.t) != s.written {
		b.t.Errorf("%s: settings were written", what)
	}
	if b.Loaded(b.t) != s.loaded {
		b.t.Errorf("%s: the server loaded its settings", what)
	}
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func show(record []byte) string {
	if record == nil {
		return "(none)"
	}
	return fmt.Sprintf("%q", record)
}
