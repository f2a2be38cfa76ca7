package tftp

import (
	"net/netip"
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
	}{
		{"first block", 0, 1, 1, progress, 1},
		{"once more", 1, 2, 1, repeated, 1},
		{"long past", 5, 6, 3, stale, 5},
		{"never sent", 5, 6, 9, stale, 5},
		{"whole window", 8, 12, 12, progress, 12},
		{"mid-window", 8, 12, 10, progress, 10},
		{"before the window", 8, 12, 7, stale, 8},
		{"after the window", 8, 12, 13, stale, 8},
		{"roll-over", 65535, 65536, 0, progress, 65536},
		{"roll-over in a window", 65534, 65538, 1, progress, 65537},
		{"second roll-over", 131071, 131072, 0, progress, 131072},
		{"repeated across a roll-over", 65536, 65540, 0, repeated, 65536},
		{"past across a roll-over", 65536, 65540, 65535, stale, 65536},
	} {
		w := window{size: 4, acked: tt.acked, sent: tt.sent}
		if got := w.ack(tt.number); got != tt.want || w.acked != tt.then {
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

func TestNetworksWhereFlightsAreLost(t *testing.T) {
	var w windows
	now := time.Now()
	here := networkOf(netip.MustParseAddr("10.77.0.9"))
	limit := func(client string, after time.Duration) int {
		t.Helper()
		return w.limit(networkOf(netip.MustParseAddr(client)), now.Add(after))
	}
	w.learn(here, &sender{window: window{size: 64}, lost: 1}, now)
	for _, tt := range []struct {
		client string
		after  time.Duration
		want   int
	}{
		{"10.77.0.200", 0, 32},
		{"10.77.1.9", 0, maxWindow},
		{"10.77.0.200", windowsKept, maxWindow},
	} {
		if got := limit(tt.client, tt.after); got != tt.want {
			t.Errorf("%s after %v: %d, want %d", tt.client, tt.after, got, tt.want)
		}
	}
	w.learn(here, &sender{window: window{size: 4}}, now) // asked for less: tells nothing
	if got := limit("10.77.0.9", 0); got != 32 {
		t.Errorf("after a small window %d", got)
	}
	for range 3 {
		w.learn(here, &sender{window: window{size: 2}, lost: 1}, now)
	}
	if got := limit("10.77.0.9", 0); got != 1 {
		t.Errorf("after windows of 2 were lost %d", got)
	}
	w.learn(here, &sender{window: window{size: 1, acked: 9}, last: 9}, now)
	if got := limit("10.77.0.9", 0); got != 2 {
		t.Errorf("after one that was not %d", got)
	}
	for i := range 5000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
		w.learn(networkOf(a), &sender{window: window{size: 4}, lost: 1}, now)
	}
	if len(w.known) > windowsMost {
		t.Errorf("%d networks are remembered", len(w.known))
	}
}
