package logging

import (
	"fmt"
	"testing"
)

func TestOnce(t *testing.T) {
	var o Once
	for i, step := range []struct {
		thing, state string
		want         bool
	}{
		{"a", "bad", true}, {"a", "bad", false}, {"b", "bad", true}, {"a", "worse", true}, {"a", "worse", false},
		{"a", "bad", true},
	} {
		if got := o.First(step.thing, step.state); got != step.want {
			t.Errorf("step %d, %s is %s: %v, want %v", i, step.thing, step.state, got, step.want)
		}
	}
	o.Forget("a")
	if !o.First("a", "bad") || o.First("b", "bad") {
		t.Error("a is not forgotten, or b is")
	}
	for i := range 2 * maxThings {
		o.First(fmt.Sprint(i), "")
	}
	if len(o.states) != maxThings || o.First("b", "bad") || !o.First("b", "good") || o.First("b", "good") {
		t.Errorf("%d things are remembered, and b is not as before", len(o.states))
	}
	for range 2 {
		if !o.First("late", "") {
			t.Error("what is beyond the bound is not said every time")
		}
	}
}
