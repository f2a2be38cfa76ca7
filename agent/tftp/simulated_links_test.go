package tftp

import (
	"fmt"
	"testing"
	"time"
)

var (
	rates = []int{10e6, 5e6, 2e6, 1e6}
	asked = []int{1, 4, 16, 64}
)

// What the protocol allows is reached: a link carries the file as fast as its bandwidth and the round trips let it.
func TestSlowLinks(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond, 200 * time.Millisecond} {
		for _, rate := range rates {
			for _, window := range asked {
				for _, twice := range []bool{false, true} {
					p := path{rate: rate, delay: delay, twice: twice}
					r := simulate(t, p, window, 1, 1)[0]
					if limit := p.ideal(window) * 115 / 100; r.done > limit || r.failed {
						t.Errorf("%+v, window %d: %v, want at most %v", p, window, r.done, limit)
					}
					if r.packets > simulated+1 {
						t.Errorf("%+v, window %d: %d blocks sent of %d", p, window, r.packets, simulated)
					}
				}
			}
		}
	}
}

// A queue that holds less than a window loses some of the first; from then on blocks come no faster than they leave.
func TestWindowsLargerThanTheQueue(t *testing.T) {
	for _, rate := range rates {
		p := path{rate: rate, delay: time.Millisecond, queue: 64 << 10}
		r := simulate(t, p, 64, 1, 1)[0]
		if limit := p.ideal(64)*115/100 + flightGuess; r.done > limit || r.failed {
			t.Errorf("%d bit/s: %v, want at most %v", rate, r.done, limit)
		}
		if r.packets > simulated+64 || r.sender.lost == 0 {
			t.Errorf("%d bit/s: %d blocks sent, %d flights lost", rate, r.packets, r.sender.lost)
		}
	}
}

func TestManyOnASlowLink(t *testing.T) {
	const clients = 20
	for _, rate := range rates {
		for _, window := range asked {
			if window > 4 && rate < 10e6 {
				continue // the window alone takes longer than a client waits
			}
			for _, queue := range []int{0, 1 << 20, 256 << 10} {
				p := path{rate: rate, delay: time.Millisecond, queue: queue}
				t.Run(fmt.Sprintf("%d bit/s, queue %d, window %d", rate, queue, window), func(t *testing.T) {
					for i, r := range simulate(t, p, window, clients, 1) {
						if r.failed || r.done == 0 {
							t.Errorf("client %d failed with %d of %d blocks", i, r.has, r.last)
						}
					}
				})
			}
		}
	}
}

// Whatever is lost, and though ACKs come twice, every transfer ends, and soon.
func TestLossyLinks(t *testing.T) {
	for _, tt := range []struct {
		loss   float64
		most   float64 // of the file's blocks that are sent
		window int
	}{
		{0.01, 1.05, 1}, {0.01, 1.10, 4}, {0.02, 1.20, 4}, {0.02, 1.5, 16}, {0.02, 2.5, 64}, {0.05, 1.5, 4}, {0.05, 2, 16},
	} {
		for _, twice := range []bool{false, true} {
			p := path{delay: time.Millisecond, loss: tt.loss, twice: twice}
			packets, runs := 0, 100
			var took time.Duration
			for seed := range runs {
				r := simulate(t, p, tt.window, 1, uint64(seed))[0]
				packets += r.packets
				took += r.done
				if r.failed || r.done == 0 {
					t.Errorf("%+v, window %d, seed %d: failed with %d blocks", p, tt.window, seed, r.has)
				}
			}
			if sent := float64(packets) / float64(runs*simulated); sent > tt.most {
				t.Errorf("%+v, window %d: %.2f times the file sent", p, tt.window, sent)
			}
			t.Logf("%+v, window %d: %v on average", p, tt.window, took/time.Duration(runs))
		}
	}
}
