package dhcptest

import (
	"errors"
	"testing"

	"pxeagent/agent/dhcp"
)

func planWritesNothing(t *testing.T, b *bench) {
	before := b.look()
	for i, want := range b.Wants {
		p := b.plan(want)
		if p.Empty() {
			t.Errorf("plan for want %d is empty on settings that pxeagent never touched", i)
		}
		if !same(p.Before.Raw, before.own) {
			t.Errorf("plan read the record as %s, it is %s", show(p.Before.Raw), show(before.own))
		}
		if p.After.Boot != want {
			t.Errorf("want %d is not expressed in full: %+v", i, dhcp.Diff(want, p.After.Boot))
		}
	}
	b.wantUntouched("after planning", before)
}

func applyThenPlanIsEmpty(t *testing.T, b *bench) {
	others := b.Others(t)
	for i, want := range b.Wants {
		p := b.apply(want)
		b.wantOwn("after apply", p.After.Raw)
		b.wantOthers("after apply", others)
		b.wantInForce("after apply", want, p)
		again := b.plan(want)
		if !again.Empty() || again.Before.Boot != want || len(dhcp.Diff(again.Before.Boot, again.After.Boot)) != 0 {
			t.Errorf("want %d: plan on what is already so is not empty: %+v", i, again)
		}
	}
	off := b.apply(dhcp.Boot{})
	b.wantInForce("after turning off", dhcp.Boot{}, off)
	if p := b.plan(dhcp.Boot{}); !p.Empty() {
		t.Errorf("plan to turn off what is off is not empty: %+v", p)
	}
	b.wantOthers("after turning off", others)
}

func revertRestores(t *testing.T, b *bench) { revertFromHere(t, b) }

func revertRestoresEdit(t *testing.T, b *bench) {
	b.EditOwn(t, 0)
	revertFromHere(t, b)
}

func revertFromHere(t *testing.T, b *bench) {
	before := b.look()
	p := b.apply(b.Wants[0])
	b.wantInForce("after apply", b.Wants[0], p)
	if err := b.Open(t).Revert(t.Context(), p); err != nil {
		t.Fatalf("reverting: %v", err)
	}
	b.wantOwn("after revert", before.own)
	b.wantOthers("after revert", before.others)
	b.wantWire("after revert", before.wire)
}

func changedBeforeApply(t *testing.T, b *bench) {
	// From nothing, from somebody's settings, and where the other one wrote just what was planned.
	for edit := range 2 {
		p := b.plan(b.Wants[0])
		b.EditOwn(t, edit)
		before := b.look()
		if err := b.Open(t).Apply(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
			t.Errorf("apply on settings that were changed since the plan: %v, want ErrChanged", err)
		}
		b.wantUntouched("after the refused apply", before)
	}
	stale := b.plan(b.Wants[0])
	b.apply(b.Wants[1])
	before := b.look()
	if err := b.Open(t).Apply(t.Context(), stale); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("apply after another pxeagent's: %v, want ErrChanged", err)
	}
	b.wantUntouched("after the refused apply", before)

	inSync := b.plan(b.Wants[1])
	b.EditOwn(t, 0)
	before = b.look()
	if err := b.Open(t).Apply(t.Context(), inSync); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("apply of an empty plan on settings that were changed since: %v, want ErrChanged", err)
	}
	b.wantUntouched("after the refused apply", before)
}

func changedBeforeRevert(t *testing.T, b *bench) {
	p := b.apply(b.Wants[0])
	b.EditOwn(t, 1)
	before := b.look()
	if err := b.Open(t).Revert(t.Context(), p); !errors.Is(err, dhcp.ErrChanged) {
		t.Errorf("revert on settings that were changed since apply: %v, want ErrChanged", err)
	}
	b.wantUntouched("after the refused revert", before)
}

func emptyPlanLoads(t *testing.T, b *bench) {
	b.apply(b.Wants[0])
	before := b.look()
	p := b.apply(b.Wants[0])
	b.wantLoadedOnly("after apply of an empty plan", before)
	b.wantInForce("after apply of an empty plan", b.Wants[0], p)
}

func revertUnwrittenLoads(t *testing.T, b *bench) {
	for _, prepare := range []func(){func() {}, func() { b.EditOwn(t, 0) }} {
		prepare()
		before := b.look()
		p := b.plan(b.Wants[0])
		if err := b.Open(t).Revert(t.Context(), p); err != nil {
			t.Fatalf("reverting a plan that was never applied: %v", err)
		}
		b.wantLoadedOnly("after revert of nothing", before)
		b.wantWire("after revert of nothing", before.wire)
	}
}

func (b *bench) wantLoadedOnly(what string, before snapshot) {
	b.t.Helper()
	b.wantOwn(what, before.own)
	b.wantOthers(what, before.others)
	if b.Written(b.t) != before.written {
		b.t.Errorf("%s: settings were written", what)
	}
	if b.Loaded(b.t) == before.loaded {
		b.t.Errorf("%s: the server did not load its settings", what)
	}
}

func othersSurvive(t *testing.T, b *bench) {
	p := b.plan(b.Wants[0])
	b.EditOthers(t)
	others := b.Others(t)
	if err := b.Open(t).Apply(t.Context(), p); err != nil {
		t.Fatalf("apply after a change to what pxeagent does not own: %v", err)
	}
	b.wantOthers("after apply", others)
	b.EditOthers(t)
	others = b.Others(t)
	if err := b.Open(t).Revert(t.Context(), p); err != nil {
		t.Fatalf("revert after a change to what pxeagent does not own: %v", err)
	}
	b.wantOthers("after revert", others)
	b.wantOwn("after revert", p.Before.Raw)
}
