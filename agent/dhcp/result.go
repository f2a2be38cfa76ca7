package dhcp

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"pxeagent/agent/firmware"
)

// Codes of steps, in the order in which they come. They are stable: --json has them.
const (
	StepPlan      = "plan"       // the settings were read; Changes and Problems say what that means
	StepPreflight = "preflight"  // next-server was asked for what machines will fetch
	StepBaseline  = "baseline"   // the wire before anything was changed: Offers
	StepRebased   = "rebased"    // somebody changed the settings since pxeagent did; a revert now goes to theirs
	StepJournal   = "journal"    // the old state is on disk
	StepApplied   = "applied"    // the settings were written and loaded
	StepReadBack  = "read-back"  // and read again
	StepReloaded  = "reloaded"   // nothing was to be written; the server loaded what was written before
	StepVerify    = "verify"     // one look at the wire: Offers and Verdict
	StepKept      = "kept"       // the server was told to keep the settings, which it else puts back by itself
	StepReverted  = "reverted"   // the old settings are back and loaded
	StepWireAfter = "wire-after" // the wire after the old settings were put back: Offers; Error if it is not as before
)

// Step is one thing that a run did, told as it happens.
type Step struct {
	Code     string           `json:"step"`
	Text     string           `json:"text"`            // one line of fact
	Error    string           `json:"error,omitempty"` // why the step did not succeed
	Changes  []Change         `json:"changes,omitempty"`
	Problems []Problem        `json:"problems,omitempty"`
	Offers   []firmware.Offer `json:"offers,omitempty"`
	Verdict  *Verdict         `json:"verdict,omitempty"`
}

// Result is what a run found and did. It is filled as far as the run came, whatever error it returns.
type Result struct {
	Server   string    `json:"server"`
	InSync   bool      `json:"in_sync"` // the settings were as wanted when the run began
	Changes  []Change  `json:"changes"`
	Problems []Problem `json:"problems"`
	Wrote    bool      `json:"wrote"`    // this run changed the settings, and they stayed
	Reloaded bool      `json:"reloaded"` // the server loaded settings that this run did not write
	Reverted bool      `json:"reverted"` // the old settings were put back
	// with Reverted: the DHCP server was stopped, as it did not run before
	Stopped  bool             `json:"stopped,omitempty"`
	Baseline []firmware.Offer `json:"baseline,omitempty"`
	Offers   []firmware.Offer `json:"offers,omitempty"` // of the last look at the wire
	// the last one on the settings that were wanted, also where they were put back; nil: not looked
	Verdict *Verdict `json:"verdict,omitempty"`
	Plan    Plan     `json:"-"`
}

const (
	withinDefault = 30 * time.Second
	// pause lies between two looks at the wire, each of which takes its own time.
	pause = 500 * time.Millisecond
	// Putting back and looking at the wire after it have limits of their own: by then the caller's context may be
	// cancelled.
	revertWithin = 2 * time.Minute
	settleWithin = 10 * time.Second
	notProbed    = "not probed: this machine has no address in that network"
)

// wire is what these clients were offered at one time.
type wire struct {
	Clients []firmware.Client `json:"clients"`
	Offers  []firmware.Offer  `json:"offers"`
}

// run is what Configure and Revert have in common.
type run struct {
	Result
	server  Server
	want    Boot
	journal *Journal
	probe   Probe
	begun   *Look  // for ask; nil: none
	enough  Enough // ends a look; nil: each takes its full time
	within  time.Duration
	report  func(Step)
}

// newRun makes the empty lists of the result [] in JSON and not null.
func newRun(s Server, j *Journal, probe Probe, within time.Duration, report func(Step)) *run {
	return &run{server: s, journal: j, probe: probe, within: cmp.Or(within, withinDefault), report: report,
		Result: Result{Server: s.String(), Changes: []Change{}, Problems: []Problem{}}}
}

func (r *run) tell(s Step) {
	if r.report != nil {
		r.report(s)
	}
}

// step reports a step that has only a text and perhaps an error.
func (r *run) step(code string, err error, format string, args ...any) {
	s := Step{Code: code, Text: fmt.Sprintf(format, args...)}
	if err != nil {
		s.Error = err.Error()
	}
	r.tell(s)
}

// note writes the journal after the fact. Where that fails the settings are not worse for it: the next run
// finds an intent whose end is not known and loads once more.
func (r *run) note(rec record) {
	if err := r.journal.write(rec); err != nil {
		r.step(StepJournal, err, "the journal could not be brought up to date; the next run will load the settings once more")
	}
}

func joinFindings(findings []Finding) string {
	var texts []string
	for _, f := range findings {
		texts = append(texts, f.Text)
	}
	return strings.Join(texts, "; ")
}
