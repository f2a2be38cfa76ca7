package tftp

import (
	"time"

	"pxeagent/agent/boot"
)

// send sends the OACK or blocks, as soon as they may be sent and the file's chunks with them were read.
func (l *loop) send(t *transfer, p packets) {
	if t.unsent = p; t.limited && !t.mayNow(p) {
		return
	}
	if p.oack {
		t.unsent, t.waited = packets{}, false
		l.transmit(t, t.oack, len(t.oack))
		return
	}
	if t.stuck() {
		return
	}
	size := int64(t.terms.blksize)
	from, to := (p.from-1)*size, (p.from-1+int64(p.count))*size
	if t.content.size >= 0 {
		to = min(to, t.content.size)
	}
	if from >= to { // an empty block is the last
		l.cache.let(t)
	} else if !l.cache.have(t, from/chunkSize, (to-1)/chunkSize) {
		return
	}
	if !l.check(t, to) {
		return
	}
	t.unsent, t.waited = packets{}, false
	if t.content.size < 0 {
		p.count = l.found(t, p, to)
	}
	if p.count > 0 {
		l.blocks(t, p)
	}
	l.cache.let(t)
	if next := (to-1)/chunkSize + 1; from < to && t.content.size > next*chunkSize && t.phase == active {
		l.cache.get(t.content, next) // read ahead
	}
}

// mayNow reports whether p may be sent now by t's rate; else there is a timer.
func (t *transfer) mayNow(p packets) bool {
	if t.waited || t.after > 0 {
		return t.waited
	}
	n := (headers + headerLen + t.terms.blksize) * p.count
	if p.oack {
		n = headers + len(t.oack)
	}
	now := time.Now()
	wait := t.server.strangers.wait(t.key.client.Addr(), n, now)
	if t.waited = wait == 0; !t.waited {
		t.after = now.Sub(t.end.Start) + wait
	}
	return t.waited
}

// resume goes on with t, which may have waited for what is there now.
func (l *loop) resume(t *transfer, err error) {
	switch {
	case t.phase != active:
	case err != nil:
		t.sendError(codeUndefined, "the file cannot be read")
		l.end(t, boot.Failed, err)
	case !t.stuck():
		if t.unsent != (packets{}) {
			l.guarded(t, func() { l.send(t, t.unsent) })
		}
		l.arm(t)
	}
}

// check reports whether the file's last block may be sent. Whoever gets that one takes the file for whole, so it must
// not be a mixture of two: what was read before is asked for whether it was changed since the file was opened.
func (l *loop) check(t *transfer, to int64) bool {
	c := t.content
	if c.Changed == nil || c.size >= 0 && to < c.size {
		return true
	}
	last := uint64(1)
	for _, ch := range t.held {
		last = max(last, ch.order)
		if c.size < 0 && ch.n == chunkSize {
			return true
		}
	}
	if last <= t.checked {
		return true
	}
	t.checking = true
	order := max(l.cache.order, 1)
	l.server.workers.do(func() {
		var err error
		if c.Changed() {
			err = errChanged
		}
		l.post(message{t: t, order: order, err: err})
	})
	return false
}

// found looks for the end of a file whose size is not known, and returns how many blocks of p there are.
func (l *loop) found(t *transfer, p packets, to int64) int {
	last := t.held[len(t.held)-1]
	end := last.at*chunkSize + int64(last.n)
	if end >= to || last.n == chunkSize {
		return p.count
	}
	block := end/int64(t.terms.blksize) + 1
	t.size = end
	var out output
	t.session, out = t.session.step(event{what: ends, block: block}, t.now())
	t.due = out.due
	return max(0, min(p.count, int(block-p.from+1)))
}

// blocks sends p, of which the chunks that t holds are the payload.
func (l *loop) blocks(t *transfer, p packets) {
	size := headerLen + t.terms.blksize
	// The first flight of a single port goes in packets: of what is sent in one piece Linux lets routers make fragments,
	// and they would not say that it is too large for them.
	most := 1
	if (t.session.acked > 0 || !t.server.SinglePort) && t.session.pace.gap() == 0 {
		most = maySend(size)
	}
	b := l.out[:0]
	for i := range p.count {
		block := p.from + int64(i)
		b = b[:len(b)+headerLen]
		putData(b[len(b)-headerLen:], block)
		b = t.payload(b, (block-1)*int64(t.terms.blksize), t.terms.blksize)
		if (i+1)%most == 0 || i+1 == p.count {
			if !l.transmit(t, b, size) {
				return
			}
			b = l.out[:0]
		}
	}
}

// payload adds at most n bytes of the chunks to b, from off on in the file.
func (t *transfer) payload(b []byte, off int64, n int) []byte {
	for _, ch := range t.held {
		skip := off - ch.at*chunkSize
		if skip < 0 || skip >= int64(ch.n) || n == 0 {
			continue
		}
		k := min(n, ch.n-int(skip))
		b = append(b, ch.data[skip:int(skip)+k]...)
		off, n = off+int64(k), n-k
	}
	return b
}
