package tftp

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// torn is a file whose reading panics.
type torn struct{}

func (torn) ReadAt([]byte, int64) (int, error) { panic("a torn file") }

// bursting is an Opener that panics for one name.
type bursting struct{ shelf }

func (b bursting) Open(a boot.Ask) (*File, error) {
	if a.Name == "burst" {
		panic("a burst Opener")
	}
	return b.shelf.Open(a)
}

// A panic ends one transfer, and the next are served.
func TestAPanicEndsOneTransfer(t *testing.T) {
	var log lockedBuffer
	s := serving(t, Config{
		Opener: bursting{shelf{"good": file([]byte("good")), "torn": {ReaderAt: torn{}, Size: 9}}},
		Guard:  guard.New(slog.New(slog.NewTextHandler(&log, nil))),
	})
	for range 3 {
		for _, name := range []string{"burst", "torn"} {
			dialing(t, s.addr).ask(name, "")
			if tr := s.record.wait(t, boot.Failed); tr.Err == nil || !strings.Contains(tr.Err.Error(), "panic in tftp") {
				t.Errorf("%s: %v", name, tr.Err)
			}
		}
	}
	c := dialing(t, s.addr)
	c.ask("good", "")
	if got := string(c.rest(1, 512)); got != "good" {
		t.Errorf("got %q", got)
	}
	s.record.wait(t, boot.OK)
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := strings.Count(log.String(), "msg=panic"); n != 2 {
		t.Errorf("%d panics are logged, want one a place:\n%s", n, log.String())
	}
}
