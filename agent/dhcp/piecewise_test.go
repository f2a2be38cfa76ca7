package dhcp_test

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
)

const halfWritten = "# the first of two requests\n"

// pieces is a scene whose server writes by two requests.
type pieces struct {
	*scene
	asked [][2]string // from and to, of Between
}

func (p *pieces) Between(now, from, to dhcp.State) bool {
	p.asked = append(p.asked, [2]string{string(from.Raw), string(to.Raw)})
	return string(now.Raw) == halfWritten
}

// half is a site where a run was killed after the first of its requests.
func half(t *testing.T) *pieces {
	t.Helper()
	p := &pieces{scene: newScene(t)}
	p.set(edits[0], true)
	p.conf.Server = p
	p.afterApply = func() error { p.set(halfWritten, false); return syscall.ECONNRESET }
	p.revert = func() error { return syscall.ECONNRESET }
	if _, err := p.run(); !errors.Is(err, dhcp.ErrRevertFailed) {
		t.Fatalf("the run that is cut short: %v", err)
	}
	p.afterApply, p.revert = nil, nil
	return p
}

// What a killed run left half-written is pxeagent's own: the next run goes on from it, and a revert to what was before.
func TestHalfWritten(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(*pieces) error
		left string // what the settings are then
	}{
		{"reverted", func(p *pieces) error { return p.revertAll() }, edits[0]},
		{"configured and reverted", func(p *pieces) error {
			if _, err := p.run(); err != nil {
				return err
			}
			if slices.Contains(p.steps, dhcp.StepRebased) {
				return fmt.Errorf("steps %v: it is taken for somebody's change", p.steps)
			}
			return p.revertAll()
		}, edits[0]},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := half(t)
				if err := c.run(p); err != nil {
					t.Fatal(err)
				}
				if got := string(p.read("settings")); got != c.left {
					t.Errorf("the settings are %q, want %q", got, c.left)
				}
				if len(p.asked) == 0 || p.asked[0][0] != edits[0] {
					t.Errorf("asked whether it is between %q", p.asked)
				}
			})
		})
	}
	// What is not between is somebody's.
	synctest.Test(t, func(t *testing.T) {
		p := half(t)
		p.set(edits[1], true)
		if err := p.revertAll(); !errors.Is(err, dhcp.ErrChanged) {
			t.Errorf("reverting somebody's change: %v", err)
		}
	})
}

func (p *pieces) revertAll() error {
	_, err := p.runRevert(func(r *dhcp.Revert) { r.Server = p })
	return err
}
