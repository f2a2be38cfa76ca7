package dhcptest

import (
	"context"
	"errors"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

const journalKey = "conformance"

// configure is dhcp.Configure as a process of its own runs it.
func (b *bench) configure(want dhcp.Boot, dry bool) (dhcp.Result, error) {
	b.t.Helper()
	j := b.journal()
	defer j.Close()
	return dhcp.Configure{Server: b.Open(b.t), Want: want, Journal: j, Probe: b.probe(), Within: b.Within,
		DryRun: dry}.Run(b.t.Context())
}

func (b *bench) mustConfigure(what string, want dhcp.Boot) dhcp.Result {
	b.t.Helper()
	r, err := b.configure(want, false)
	if err != nil && !b.unproven(err) {
		b.t.Fatalf("%s: configure: %v", what, err)
	}
	return r
}

func (b *bench) revert(discard bool) (dhcp.Result, error) {
	b.t.Helper()
	j := b.journal()
	defer j.Close()
	return dhcp.Revert{Server: b.Open(b.t), Journal: j, Probe: b.probe(), Within: b.Within,
		DiscardLaterChanges: discard}.Run(b.t.Context())
}

func (b *bench) mustRevert(what string) {
	b.t.Helper()
	if _, err := b.revert(false); err != nil && !b.unproven(err) {
		b.t.Fatalf("%s: revert: %v", what, err)
	}
}

// probe is what a run looks at the wire with; nil where the run is to be blind.
func (b *bench) probe() dhcp.Probe {
	if b.blind {
		return nil
	}
	return func(ctx context.Context, clients []firmware.Client, _ dhcp.Enough) ([]firmware.Offer, error) {
		return b.Probe(ctx, clients)
	}
}

func (b *bench) unproven(err error) bool { return b.blind && errors.Is(err, dhcp.ErrNotProven) }

func (b *bench) journal() *dhcp.Journal {
	b.t.Helper()
	j, err := dhcp.OpenJournal(b.state, journalKey)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// wantAs fails if settings, others or the wire are not as in s.
func (b *bench) wantAs(what string, s snapshot) {
	b.t.Helper()
	b.wantOwn(what, s.own)
	b.wantOthers(what, s.others)
	b.wantWire(what, s.wire)
}

func configureTwice(t *testing.T, b *bench) {
	before := b.look()
	if r, err := b.configure(b.Wants[0], true); err != nil || r.InSync {
		t.Errorf("dry run on settings that differ: in sync %v, %v", r.InSync, err)
	}
	b.wantUntouched("after a dry run", before)

	if r := b.mustConfigure("first", b.Wants[0]); !r.Wrote || r.InSync {
		t.Errorf("first configure: %+v", r)
	}
	before = b.look()
	if r := b.mustConfigure("second", b.Wants[0]); r.Wrote || r.Reloaded || !r.InSync {
		t.Errorf("second configure: %+v", r)
	}
	b.wantUntouched("after the second configure", before)
	if r, err := b.configure(b.Wants[0], true); err != nil || !r.InSync {
		t.Errorf("dry run on settings that are as wanted: in sync %v, %v", r.InSync, err)
	}
}

func configureTwiceAndRevert(t *testing.T, b *bench) {
	prepare := []func(){func() {}, func() { b.EditOwn(t, 0) }}
	for _, p := range prepare {
		p()
		before := b.look()
		for _, want := range append(b.Wants, dhcp.Boot{}, b.Wants[1]) {
			b.mustConfigure("one after the other", want)
			b.wantOthers("after configure", before.others)
		}
		b.mustRevert("after several configures")
		b.wantAs("after revert", before)
		if _, err := b.revert(false); !errors.Is(err, dhcp.ErrNoJournal) {
			t.Errorf("revert of what was reverted: %v, want ErrNoJournal", err)
		}
		b.wantAs("after the second revert", before)
	}
}

func editInBetween(t *testing.T, b *bench) {
	first := b.look()
	b.mustConfigure("before the edit", b.Wants[0])
	b.EditOwn(t, 1)
	edited := b.look()
	if _, err := b.revert(false); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("revert after somebody's edit: %v, want ErrChanged", err)
	}
	b.wantUntouched("after the refused revert", edited)
	if _, err := b.revert(true); err != nil {
		t.Fatalf("revert that discards somebody's edit: %v", err)
	}
	b.wantAs("after the revert that discards", first)
}

func configureOverEdit(t *testing.T, b *bench) {
	b.mustConfigure("before the edit", b.Wants[0])
	b.EditOwn(t, 1)
	edited := b.look()
	b.mustConfigure("over the edit", b.Wants[1])
	b.mustRevert("to the edit")
	b.wantAs("after the revert to the edit", edited)
}
