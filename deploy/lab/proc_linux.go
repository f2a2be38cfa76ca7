package lab

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Proc is a process that a test started, with what it printed.
type Proc struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu  sync.Mutex
	out bytes.Buffer
	// more is closed and replaced with each write, so that WaitLine waits without polling.
	more chan struct{}
}

// Start starts a process in h's namespace. It is ended (SIGTERM, after 5 s SIGKILL) with the test,
// whose log gets its output if the test failed.
func (h *Host) Start(name string, args ...string) *Proc {
	h.t.Helper()
	return h.StartCmd(exec.Command(name, args...))
}

// StartCmd is Start for a command with an environment, a folder or standard input of its own.
// Its Stdout and Stderr, if set, are written as well.
func (h *Host) StartCmd(cmd *exec.Cmd) *Proc {
	h.t.Helper()
	return h.startCmd(cmd, func() {})
}

// startCmd is StartCmd with something to do when the process is gone, or could not be started.
func (h *Host) startCmd(cmd *exec.Cmd, gone func()) *Proc {
	h.t.Helper()
	p := &Proc{t: h.t, name: cmd.Path, cmd: cmd, done: make(chan struct{}), more: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = tee(cmd.Stdout, p), tee(cmd.Stderr, p)
	cmd.WaitDelay = 2 * time.Second
	var err error
	h.Do(func() { err = cmd.Start() })
	if err != nil {
		gone()
		h.t.Fatalf("starting %s: %v", p.name, err)
	}
	go func() { p.err = cmd.Wait(); gone(); close(p.done) }()
	h.t.Cleanup(func() {
		p.Stop()
		if h.t.Failed() {
			h.t.Logf("output of %v:\n%s", cmd.Args, p.Output())
		}
	})
	return p
}

// Run runs a process in h's namespace to its end and returns what it printed on both outputs.
func (h *Host) Run(name string, args ...string) (string, error) {
	var out []byte
	var err error
	h.Do(func() { out, err = exec.Command(name, args...).CombinedOutput() })
	return string(out), err
}

// Write takes the process's output. It is not for tests.
func (p *Proc) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	close(p.more)
	p.more = make(chan struct{})
	return len(b), nil
}

// Output is all that the process printed so far.
func (p *Proc) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// WaitOutput waits until the process's output matches the pattern and returns the match with its
// groups. It fails the test after the limit, or when the process ends without.
func (p *Proc) WaitOutput(limit time.Duration, pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	ended := false
	for {
		p.mu.Lock()
		m, more := re.FindStringSubmatch(p.out.String()), p.more
		p.mu.Unlock()
		if m != nil {
			return m
		}
		if ended {
			p.t.Fatalf("%s ended (%v) and never printed %q; it printed:\n%s", p.name, p.err, pattern, p.Output())
		}
		select {
		case <-more:
		case <-p.done:
			ended = true
		case <-timer.C:
			p.t.Fatalf("%s did not print %q in %v; it printed:\n%s", p.name, pattern, limit, p.Output())
		}
	}
}

// Pid is the process's number.
func (p *Proc) Pid() int { return p.cmd.Process.Pid }

// Signal sends sig.
func (p *Proc) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Wait waits for the process to end and returns its exit code, -1 after a signal.
func (p *Proc) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("%s did not end in %v; it printed:\n%s", p.name, limit, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Stop ends the process and waits until it is gone.
func (p *Proc) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// tee joins the writers that are not nil.
func tee(a, b io.Writer) io.Writer {
	if a == nil {
		return b
	}
	return io.MultiWriter(a, b)
}
