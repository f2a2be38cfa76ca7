package agent_test

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/ipxe"
)

// logged is a log that tests read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) wait(t *testing.T, part string) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(l.String()) {
			if strings.Contains(line, part) {
				return line
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no line has %q:\n%s", part, l)
		}
	}
}

func (l *logged) to(c *agent.Config) { c.Log = slog.New(slog.NewTextHandler(l, nil)) }

// asIPXE fetches a file by TFTP as iPXE does, at an address that is not the agent's: what comes from that one is taken
// for a check.
func (r *running) asIPXE(name string) {
	r.t.Helper()
	c := r.askFrom(net.IPv4(127, 0, 0, 9), name, "blksize", "1432", "tsize", "0")
	c.rest(c.receive(), 1432)
}

// With the breaker off iPXE is given itself, and the doctor names the machine once, with what to change.
func TestLoopIsSeenAndNamed(t *testing.T) {
	var log logged
	r := start(t, func(c *agent.Config) { log.to(c); c.Chain = ipxe.ChainOff })
	if n := r.metric("pxeagent_loops_seen_total"); n != 0 {
		t.Fatalf("%v loops were seen before anyone asked", n)
	}
	for range 5 {
		r.asIPXE("undionly.kpxe")
	}
	r.until("pxeagent_loops_seen_total", 1)
	line := log.wait(t, "msg=\"loop: ")
	for _, want := range []string{"level=WARN", "client=127.0.0.9", "file=undionly.kpxe", "asked_by=\"[ipxe ipxe " +
		"ipxe]\"", "set chain: auto"} {
		if !strings.Contains(line, want) {
			t.Errorf("the log lacks %q:\n%s", want, line)
		}
	}
	r.until(`pxeagent_requests_total\{artifact="nbp",class="ipxe",outcome="ok",protocol="tftp"\}`, 5)
	if n := r.metric("pxeagent_loops_seen_total"); n != 1 || strings.Count(log.String(), "msg=\"loop: ") != 1 {
		t.Errorf("%v loops counted of one, and logged:\n%s", n, &log)
	}
}

func TestNoLoopIsSeenWhereTheBreakerAnswers(t *testing.T) {
	r := start(t, nil)
	for range 4 {
		r.asIPXE("undionly.kpxe")
	}
	r.until(`pxeagent_loops_broken_total\{protocol="tftp"\}`, 4)
	if n := r.metric("pxeagent_loops_seen_total"); n != 0 {
		t.Errorf("%v loops were seen", n)
	}
}

// Whoever asks for a name that is nearly right is told so in the log.
func TestNotFoundNamesWhatIsNear(t *testing.T) {
	var log logged
	r := start(t, log.to)
	c := r.ask("undionly.kpx", "blksize", "1456")
	if b := c.receive(); b[1] != 5 {
		t.Fatalf("answered %q", b)
	}
	if line := log.wait(t, "file=undionly.kpx "); !strings.Contains(line, `there is \"undionly.kpxe\"`) ||
		!strings.Contains(line, "outcome=not_found") {
		t.Errorf("by TFTP: %s", line)
	}
	r.get("/ipxe/bootstrap.ipx", "iPXE/1.21.1")
	if line := log.wait(t, "file=/ipxe/bootstrap.ipx "); !strings.Contains(line, `there is \"ipxe/bootstrap.ipxe\"`) {
		t.Errorf("by HTTP: %s", line)
	}
}
