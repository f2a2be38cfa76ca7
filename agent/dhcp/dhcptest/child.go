package dhcptest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
)

const childEnv = "PXEAGENT_DHCPTEST_CHILD"

// order is what a child process is told to do.
type order struct {
	Args   []string
	State  string // folder of the journal
	Revert bool   // else configure Want
	Want   dhcp.Boot
	KillAt int // the step at which the process kills itself, from 1; 0: never
}

// Main is a TestMain. In a child process of the suite it opens the backend with Backend.Args, carries the
// order out and dies at the step it was told; everywhere else it runs the tests, four parallel ones at a time unless
// -parallel says otherwise, since the suite waits more than it works. open's
// backend must call step before each thing it does that changes anything outside its own
// memory: each file operation, request, command; and after the last one. It returns the exit code.
func Main(m *testing.M, open func(args []string, step func()) (dhcp.Server, error)) int {
	text, child := os.LookupEnv(childEnv)
	if !child {
		_ = flag.Set("test.parallel", "4")
		return m.Run()
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, "reading the order:", err)
		return 2
	}
	if err := o.carryOut(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (o order) carryOut(open func([]string, func()) (dhcp.Server, error)) error {
	steps := 0
	step := func() {
		if steps++; steps == o.KillAt {
			die()
		}
	}
	server, err := open(o.Args, step)
	if err != nil {
		return fmt.Errorf("opening the backend: %w", err)
	}
	journal, err := dhcp.OpenJournal(o.State, journalKey)
	if err != nil {
		return err
	}
	// The step between what the backend did and the journal's note of it is one to die at, too.
	report := func(s dhcp.Step) {
		if s.Code == dhcp.StepApplied || s.Code == dhcp.StepReverted {
			step()
		}
	}
	// Without a probe: the wire is looked at by the parent, which outlives the child.
	if o.Revert {
		_, err = dhcp.Revert{Server: server, Journal: journal, Report: report}.Run(context.Background())
	} else {
		_, err = dhcp.Configure{Server: server, Journal: journal, Want: o.Want, Report: report}.Run(context.Background())
	}
	if err != nil && !errors.Is(err, dhcp.ErrNotProven) {
		return err
	}
	return journal.Close()
}

// die ends this process as a power cut would: no deferred function, no signal handler.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// child carries o out in a process of its own and reports whether that was killed.
func (b *bench) child(o order) (killed bool) {
	b.t.Helper()
	o.Args, o.State = b.Args, b.state
	text, err := json.Marshal(o)
	if err != nil {
		b.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stdout, cmd.Stderr = &out, &out
	start := b.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(cmd); err != nil {
		b.t.Fatalf("starting a child process: %v", err)
	}
	err = cmd.Wait()
	switch {
	case err == nil:
		return false
	case cmd.ProcessState.ExitCode() == -1: // ended by a signal
		return true
	}
	b.t.Fatalf("the child process failed: %v: %s", err, out.String())
	return false
}
