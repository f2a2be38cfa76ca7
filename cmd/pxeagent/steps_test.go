package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pxeagent/agent/dhcp"
)

// An error is shown with its step, unless it ends the run: then it is the last line, and said once.
func TestStepsErrorIsSaidOnce(t *testing.T) {
	const full = "the journal's disk is full"
	for _, c := range []struct {
		name string
		end  error
		want string
	}{
		{"the run goes on", nil, "  FAIL  noted: " + full + "\n  ok    probed\n"},
		{"it ends with that", fmt.Errorf("writing: %s", full), "  ok    probed\n  FAIL  noted\n"},
		{"it ends with something else", errors.New("another"), "  ok    probed\n  FAIL  noted: " + full + "\n"},
	} {
		var out bytes.Buffer
		l := &teller{out: &out}
		failed, probed := dhcp.Step{Text: "noted", Error: full}, dhcp.Step{Text: "probed"}
		if c.end == nil {
			l.step(failed)
			l.step(probed)
		} else {
			l.step(probed)
			l.step(failed)
		}
		l.release(c.end)
		if out.String() != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, out.String(), c.want)
		}
	}
}
