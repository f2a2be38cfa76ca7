package tftp

import (
	"testing"
	"time"
)

func TestWindowAcks(t *testing.T) {
	for _, tt := range []struct {
		what        string
		acked, sent int64
		number      uint16
		want        verdict
		then        int64
		again       bool
	}{
		{"first block", 0, 1, 1, progress, 1, false},
		{"once more", 1, 2, 1, repeated, 1, false},
		{"long past", 5, 6, 3, stale, 5, false},
		{"never sent", 5, 6, 9, stale, 5, false},
		{"whole window", 8, 12, 12, progress, 12, false},
		{"mid-window", 8, 12, 10, progress, 10, true},
		{"before the window", 8, 12, 7, stale, 8, false},
		{"after the window", 8, 12, 13, stale, 8, false},
		{"roll-over", 65535, 65536, 0, progress, 65536, false},
		{"roll-over in a window", 65534, 65538, 1, progress, 65537, true},
		{"second roll-over", 131071, 131072, 0, progress, 131072, false},
		{"repeated across a roll-over", 65536, 65540, 0, repeated, 65536, false},
		{"past across a roll-over", 65536, 65540, 65535, stale, 65536, false},
	} {
		w := window{size: 4, acked: tt.acked, sent: tt.sent}
		if got := w.ack(tt.number); got != tt.want || w.acked != tt.then || w.again != tt.again {
			t.Errorf("%s: %v, %+v", tt.what, got, w)
		}
	}
}

func TestResendTimer(t *testing.T) {
	r := newResend(0)
	if r.wait() != firstGuess {
		t.Errorf("before any sample %v", r.wait())
	}
	for range 20 {
		r.sample(time.Millisecond)
	}
	if d := r.wait(); d < leastSlack || d > leastSlack+2*time.Millisecond {
		t.Errorf("on a fast network %v", d)
	}
	r.doubled = 1
	if d := r.wait(); d < 2*leastSlack {
		t.Errorf("once doubled %v", d)
	}
	for r.doubled = range 200 {
		if d := r.wait(); d > longest || d <= 0 {
			t.Fatalf("doubled %d times %v", r.doubled, d)
		}
	}
	for range 100 {
		r.sample(300 * time.Millisecond)
	}
	if d := r.wait(); d < 300*time.Millisecond || d > 400*time.Millisecond {
		t.Errorf("on a slow network %v", d)
	}
	if r := newResend(time.Second); true {
		r.doubled = 30
		if r.wait() != time.Second {
			t.Errorf("the client's timeout: %v", r.wait())
		}
	}
}
