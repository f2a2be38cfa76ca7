package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
)

// outcome is one network's run, for --json.
type outcome struct {
	Interface string           `json:"interface"`
	Changed   bool             `json:"changed"` // the server is otherwise than before; with --dry-run: it would be
	Result    dhcp.Result      `json:"result"`
	Steps     []dhcp.Step      `json:"steps"`
	Error     *cli.FailureJSON `json:"error"`
}

// teller shows a run step by step, or keeps it for --json.
type teller struct {
	out     io.Writer // nil with --json
	steps   []dhcp.Step
	changed bool
	held    *dhcp.Step // failed and not shown yet; nil: none is held
}

// step shows a step. One that failed is shown with what comes next: where its error ends the run, that is said once.
func (t *teller) step(s dhcp.Step) {
	t.steps = append(t.steps, s)
	if t.out == nil {
		return
	}
	t.release(nil)
	if s.Error != "" {
		t.held = &s
		return
	}
	t.show(s, "")
}

// release shows a step that is held; end is what the run ended with, nil: it goes on, or ended well.
func (t *teller) release(end error) {
	if t.held == nil {
		return
	}
	s := *t.held
	t.held = nil
	if end != nil && strings.Contains(end.Error(), s.Error) {
		t.show(s, "")
		return
	}
	t.show(s, s.Error)
}

// show prints one line for a step, with err, and under the plan its diff and problems.
func (t *teller) show(s dhcp.Step, err string) {
	mark := "ok"
	switch {
	case s.Error != "":
		mark = "FAIL"
	case s.Verdict != nil && !s.Verdict.Agrees():
		mark = "wait"
	}
	fmt.Fprintf(t.out, "  %-5s %s%s\n", mark, s.Text, suffix(err))
	printChanges(t.out, s.Changes)
	for _, p := range s.Problems {
		mark := "note"
		if p.Refuse {
			mark = "STOP"
		}
		fmt.Fprintf(t.out, "  %-5s %s (%s)\n", mark, p.Text, p.Code)
	}
	if s.Verdict == nil {
		return
	}
	for _, f := range s.Verdict.Wrong {
		fmt.Fprintf(t.out, "        %s\n", f.Text)
	}
	for _, f := range s.Verdict.Foreign {
		fmt.Fprintf(t.out, "  %-5s %s\n", "note", f.Text)
	}
}

func suffix(err string) string {
	if err == "" {
		return ""
	}
	return ": " + err
}

// printChanges is the plan as a diff.
func printChanges(w io.Writer, changes []dhcp.Change) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		fmt.Fprintf(tw, "          %s\t%s\t->  %s\n", c.Field, cli.Value(c.Before), cli.Value(c.After))
	}
	tw.Flush()
}

// finish ends one network's run: it prints the error where a person reads, or files it for --json.
func (t *teller) finish(a *app, n network, r dhcp.Result, err error) (outcome, cli.Code) {
	t.release(err)
	o := outcome{Interface: n.name, Changed: t.changed, Result: r, Steps: t.steps}
	if err == nil {
		return o, cli.Done
	}
	f := a.explain(err)
	j := f.JSON()
	o.Error = &j
	if t.out != nil {
		f.Print(a.stderr)
	}
	return o, f.Code
}

// summary is the last line about a network that was brought to what was wanted.
func summary(r dhcp.Result, dryRun bool) string {
	switch {
	case dryRun && r.InSync:
		return "in sync; a dry run writes nothing"
	case dryRun:
		return "differs; a dry run writes nothing"
	case r.Reverted && r.Stopped:
		return "done: the old settings are back, and the DHCP server does not run, as before"
	case r.Reverted:
		return "done: the old settings are back"
	case r.Wrote:
		return "done: written, loaded and proven on the wire"
	case r.Reloaded:
		return "done: the settings were right but not loaded; now they are"
	}
	return "in sync: nothing was written, nothing was restarted"
}
