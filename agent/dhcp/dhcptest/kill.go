package dhcptest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
)

// maxSteps is more than any backend takes for one operation.
const maxSteps = 200

// killing is an operation that is killed at each of its steps in turn.
type killing struct {
	edited bool      // begin from somebody's settings
	from   dhcp.Boot // configured before; the zero Boot: nothing is
	order  order
	// blind: repairs do not probe, so that the journal alone must tell them that a run was killed. Most killings are
	// blind, which also saves most of the time.
	blind bool
	// repair lists what makes it good, each tried after a kill of its own, besides revert.
	repair []dhcp.Boot
}

func killedConfigure(t *testing.T, b *bench) {
	b.killAtEachStep(killing{order: order{Want: b.Wants[0]}, repair: b.Wants[:1]})
}

func killedConfigureOverEdit(t *testing.T, b *bench) {
	b.killAtEachStep(killing{edited: true, blind: true, order: order{Want: b.Wants[0]}})
}

func killedSecondConfigure(t *testing.T, b *bench) {
	b.killAtEachStep(killing{from: b.Wants[0], blind: true, order: order{Want: b.Wants[1]}, repair: b.Wants[:2]})
}

func killedRevert(t *testing.T, b *bench) {
	b.killAtEachStep(killing{from: b.Wants[0], blind: true, order: order{Revert: true}, repair: b.Wants[:1]})
}

func (b *bench) killAtEachStep(k killing) {
	b.t.Helper()
	if k.edited {
		b.EditOwn(b.t, 0)
	}
	first := b.look()
	// What the settings and the wire may be after a kill, and must be after a repair.
	known := map[dhcp.Boot]snapshot{}
	for _, want := range append([]dhcp.Boot{k.order.Want}, k.repair...) {
		if _, have := known[want]; !have && want != (dhcp.Boot{}) {
			b.mustConfigure("for reference", want)
			known[want] = b.look()
		}
	}
	b.blind = k.blind
	b.mustRevert("for reference")
	b.wantAs("after the revert for reference", first)
	old, want := first, known[k.order.Want]
	if k.from != (dhcp.Boot{}) {
		old = known[k.from]
	}
	if k.order.Revert {
		want = first
	}

	for n := 1; n <= maxSteps; n++ {
		for _, repair := range append([]dhcp.Boot{{}}, k.repair...) {
			what := fmt.Sprintf("killed at step %d", n)
			if k.from != (dhcp.Boot{}) {
				b.mustConfigure("before the kill", k.from)
			}
			k.order.KillAt = n
			if !b.child(k.order) {
				if n == 1 {
					b.t.Fatal("the operation never called step")
				}
				b.wantAs("not killed", want)
				b.t.Logf("killed at each of %d steps", n-1)
				return
			}
			b.wantOneOf(what, old, want)
			if repair == (dhcp.Boot{}) {
				b.repairByRevert(what, first)
				continue
			}
			b.mustConfigure(what, repair)
			b.wantAs(what+", then configured", snapshot{own: known[repair].own, others: first.others, wire: known[repair].wire})
			b.repairByRevert(what+", then configured", first)
		}
		if b.t.Failed() {
			return
		}
	}
	b.t.Fatalf("the operation has more than %d steps", maxSteps)
}

func (b *bench) repairByRevert(what string, first snapshot) {
	b.t.Helper()
	// A backend may count steps before the journal exists: then there is nothing to revert, and it must be so.
	if _, err := b.revert(false); err != nil && !b.unproven(err) && !errors.Is(err, dhcp.ErrNoJournal) {
		b.t.Fatalf("%s: revert: %v", what, err)
	}
	b.wantAs(what+", then reverted", first)
}

// wantOneOf fails if a kill left anything but old, new, or new that is not loaded; of a dhcp.Piecewise, also what is
// between them. The server itself may be silent: it may have been killed while it was being restarted.
func (b *bench) wantOneOf(what string, old, new snapshot) {
	b.t.Helper()
	half := func(own []byte) bool {
		p, ok := b.Open(b.t).(dhcp.Piecewise)
		return ok && p.Between(dhcp.State{Raw: own}, dhcp.State{Raw: old.own}, dhcp.State{Raw: new.own})
	}
	if own := b.Own(b.t); !same(own, old.own) && !same(own, new.own) && !half(own) {
		b.t.Errorf("%s: the record is\n%s\nneither the old one\n%s\nnor the new one\n%s", what, show(own), show(old.own),
			show(new.own))
	}
	may := strings.Split(old.wire+"\n"+new.wire, "\n")
	for line := range strings.SplitSeq(b.wire(), "\n") {
		if line != "" && !slices.Contains(may, line) {
			b.t.Errorf("%s: the wire says\n%s\nwhich neither the old nor the new settings say", what, line)
		}
	}
}
