// Package dhcptest is the conformance suite of DHCP backends: what every implementation of
// dhcp.Server must do for pxeagent to be allowed near a site's DHCP server. It assumes
// neither files nor processes, only what Backend asks for.
//
// A backend's test package has
//
//	func TestMain(m *testing.M) { os.Exit(dhcptest.Main(m, openChild)) }
//	func TestConformance(t *testing.T) { dhcptest.Run(t, newBackend) }
//
// where openChild opens the backend in a process that the suite kills half-way.
package dhcptest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Backend is one DHCP server made for one test, serving, with settings that pxeagent has never
// touched. Its functions fail the test themselves where they cannot do what they promise.
type Backend struct {
	// Open opens the backend as a new process does: nothing is kept from an earlier Open.
	Open func(t testing.TB) dhcp.Server
	// Args are handed to the open function of Main in a child process, which opens the same
	// backend with them: folders, a URL.
	Args []string
	// Start starts a child process where the backend can be reached, a network namespace for
	// example. nil: cmd.Start.
	Start func(cmd *exec.Cmd) error

	// Wants are two or three configurations that this backend can express in full. The first two
	// have different next-servers.
	Wants []dhcp.Boot
	// EditOwn changes the settings that pxeagent owns as a person would, and has the server load
	// them. Edits 0 and 1 differ from each other, from every one of Wants and from how the backend
	// began, on the wire too.
	EditOwn func(t testing.TB, edit int)
	// EditOthers changes, without loading, something that pxeagent does not own, differently each
	// time it is called and without a consequence for network boot.
	EditOthers func(t testing.TB)

	// Own is the record that pxeagent owns, as it lies there; nil: there is none.
	Own func(t testing.TB) []byte
	// Others is everything else that pxeagent could have touched, in a form that can be compared:
	// other files with their names, other keys. Leftovers of a killed run are part of it.
	Others func(t testing.TB) []byte
	// Written and Loaded change their value each time that settings are written, and each time
	// that the server loads them: a counter, a file's times, a process's start.
	Written func(t testing.TB) string
	Loaded  func(t testing.TB) string

	// Probe is what the server offers to these clients now.
	Probe func(ctx context.Context, clients []firmware.Client) ([]firmware.Offer, error)
	// Within is how long after loading the server may take to answer rightly. 0: 10 s.
	Within time.Duration
}

// Run runs the whole suite. fresh is called once for each subtest; they run beside each other.
func Run(t *testing.T, fresh func(t *testing.T) Backend) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		// The longest first.
		{"killed second configure", killedSecondConfigure},
		{"killed configure", killedConfigure},
		{"killed revert", killedRevert},
		{"killed configure over an edit", killedConfigureOverEdit},
		{"plan", planWritesNothing},
		{"apply", applyThenPlanIsEmpty},
		{"revert to nothing", revertRestores},
		{"revert to somebody's settings", revertRestoresEdit},
		{"changed between plan and apply", changedBeforeApply},
		{"changed between apply and revert", changedBeforeRevert},
		{"empty plan only loads", emptyPlanLoads},
		{"revert of what was not written only loads", revertUnwrittenLoads},
		{"settings of others", othersSurvive},
		{"configure twice", configureTwice},
		{"configure twice and revert", configureTwiceAndRevert},
		{"edit in between", editInBetween},
		{"configure over an edit", configureOverEdit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newBench(t, fresh(t)))
		})
	}
}
