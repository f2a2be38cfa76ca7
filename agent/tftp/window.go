package tftp

// window counts the blocks of a transfer, from 1; only on the wire they are modulo 65536.
// It is stop-and-wait where size is 1 (RFC 1350), else RFC 7440.
type window struct {
	size  int   // blocks that may be under way
	acked int64 // every block up to this one has arrived
	sent  int64 // the highest block ever sent; the client has none above it
}

// verdict is what an ACK means.
type verdict int

const (
	stale    verdict = iota // of a block long acknowledged, or never sent: RFC 1123 forbids to answer it
	repeated                // of the last acknowledged block, once more
	progress                // of a block under way
)

// ack takes the block number of an ACK.
func (w *window) ack(number uint16) verdict {
	step := int64(number - uint16(w.acked)) // in uint16: right across a roll-over, as size is far below 32768
	switch {
	case step == 0:
		return repeated
	case step > w.sent-w.acked:
		return stale
	}
	w.acked += step
	return progress
}

// ahead reports whether number is of a block that was not sent yet.
func (w *window) ahead(number uint16) bool {
	step := int16(number - uint16(w.acked))
	return int64(step) > w.sent-w.acked
}
