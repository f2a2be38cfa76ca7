package tftp

import (
	"math"
	"time"
)

const (
	// burst is how many blocks of a flight go at once: every queue has room for them, and UEFI asks for no more.
	burst = 4
	// leastGap is the least time between two blocks that is worth a timer. What carries more than some 25 Mbit/s
	// gets its flights in one piece.
	leastGap = 500 * time.Microsecond
	// mostSpread is how long a flight may take to be sent: UEFI gives up waiting for the end of a window after 4 s.
	mostSpread = 2 * time.Second
	// lostGuess is what a block may take where all that is known is that a flight at once is too much.
	lostGuess = 2 * time.Millisecond
)

// pace spreads the blocks of a flight, so that they do not fill the queue before a slow link. They are sent a
// little faster than what the path carried, or an estimate that is too slow would prove itself right.
type pace struct {
	block time.Duration // what the path took for a block, zero if not known
	most  time.Duration // the longest that is believed
	lossy bool          // a block was lost since the last flight that arrived whole
}

// arrived takes how long a flight of n blocks took that arrived whole, apart from the round trip.
func (p *pace) arrived(took time.Duration, n int) {
	block := took / time.Duration(n)
	rest := took - p.at(int64(n-1)) // after the last block was sent
	switch {
	case p.gap() > 0 && rest < p.gap():
		p.block = max(rest, p.block/4) // no block had to wait for the one before it
	case p.lossy || p.block == 0 || block < p.block:
		p.block = block
	case block > p.block+p.block/4:
		p.block /= 2 // it is not the path that takes the time, but the client: waiting for it longer only adds to it
	}
	p.lossy = false
}

// lost takes how long n blocks of a flight took, of which the last showed that one is missing.
func (p *pace) lost(took time.Duration, n int) {
	block := took / time.Duration(n)
	switch {
	case n < burst:
		block = min(block, lostGuess) // too few to say more than that
	case p.gap() > 0 && took-p.at(int64(n-1)) < p.gap():
		return // they did not wait for each other: no queue was full
	}
	p.lossy, p.block = true, min(max(p.block, block), p.most)
}

// full is for when a queue was full and took nothing more.
func (p *pace) full() { p.lossy, p.block = true, min(max(2*p.block, lostGuess), p.most) }

// gap is the time between two blocks, zero where a flight is sent at once.
func (p *pace) gap() time.Duration {
	if g := p.block * 4 / 5; g >= leastGap {
		return g
	}
	return 0
}

// at is when a block of a flight is due, counted from zero, after the flight's beginning.
func (p *pace) at(block int64) time.Duration {
	return time.Duration(max(0, block-p.burst()+1)) * p.gap()
}

// burst is how many blocks go at once. Where blocks were lost the queue is full, and has room for a block when one has
// left.
func (p *pace) burst() int64 {
	if p.lossy {
		return 1
	}
	return burst
}

// due is how many blocks of a flight may be sent that long after its beginning.
func (p *pace) due(after time.Duration) int64 {
	g := p.gap()
	if g == 0 {
		return math.MaxInt32
	}
	return p.burst() + int64(after/g)
}
