package tftp

// window counts the blocks of a transfer, from 1; only on the wire they are modulo 65536.
// It is stop-and-wait where size is 1 (RFC 1350), else RFC 7440.
type window struct {
	size  int   // blocks that may be under way
	acked int64 // every block up to this one has arrived
	sent  int64 // the last block sent; acked+1 … sent are under way
	// again tells that the flight after acked was already sent again because of an ACK. More such ACKs come from
	// the blocks of the first flight that arrived out of order and must not each bring a flight.
	again bool
}

// verdict is what an ACK means.
type verdict int

const (
	stale    verdict = iota // of a block long acknowledged: RFC 1123 forbids to answer it
	repeated                // of the last acknowledged block, once more
	progress                // of a block under way
)

// ack takes the block number of an ACK. After progress the next flight begins at acked+1, which sends
// again what followed if the ACK was of a block in mid-window (RFC 7440 section 4).
func (w *window) ack(number uint16) verdict {
	step := int64(number - uint16(w.acked)) // in uint16: right across a roll-over, as size is far below 32768
	switch {
	case step == 0:
		return repeated
	case step > w.sent-w.acked:
		return stale
	}
	w.again = step < w.sent-w.acked
	w.acked += step
	return progress
}
