package tftp

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"

	"pxeagent/agent/boot"
)

// batch is what a window's packets are put together in. Headers are apart from the payload, which is sent from where
// it was read to.
type batch struct {
	messages []ipv4.Message
	headers  [][headerLen]byte
}

func newBatch(window int) *batch {
	b := &batch{messages: make([]ipv4.Message, window), headers: make([][headerLen]byte, window)}
	parts := make([][]byte, 2*window)
	for i := range b.messages {
		b.messages[i].Buffers = parts[2*i : 2*i+2]
		b.messages[i].Buffers[0] = b.headers[i][:]
	}
	return b
}

// send sends the OACK or blocks of the flight under way.
func (t *transfer) send(p packets) (boot.Outcome, error) {
	if p == (packets{}) || !t.answered.Load() && !t.server.unproven.allow(t.key.client.Addr(), time.Now()) {
		return "", nil
	}
	if p.oack {
		return t.judge(t.link.write(t.oack))
	}
	// All blocks that the client may yet need are held, whichever of them are sent now.
	flight := t.sender.acked + 1
	at, length, n, err := t.source.flight(flight, t.sender.size)
	if err != nil {
		t.sendError(codeUndefined, "the file cannot be read")
		return boot.Failed, err
	}
	if size := t.source.blksize; length < n*size {
		t.lastSize = length - (n-1)*size
		t.sender.ends(t.sender.acked + int64(n))
	}
	end := at + length
	skip := int(p.from - flight)
	at, n = at+skip*t.source.blksize, min(p.count, n-skip)
	if t.batch == nil {
		// The header takes the place of the end of the block before, which is acknowledged and not needed any more.
		packet := t.source.buf[at-headerLen : end]
		putData(packet, p.from)
		return t.judge(t.link.write(packet))
	}
	for i := range n {
		putData(t.batch.headers[i][:], p.from+int64(i))
		begin := at + i*t.source.blksize
		t.batch.messages[i].Buffers[1] = t.source.buf[begin:min(begin+t.source.blksize, end)]
	}
	return t.judge(t.link.writeBatch(t.batch.messages[:n]))
}

// judge takes the error of a send. All but one are as if the packet were lost: a firewall, a queue that is full, an
// address without an ARP answer.
func (t *transfer) judge(err error) (boot.Outcome, error) {
	t.sendErr = err
	if errors.Is(err, syscall.ECONNREFUSED) {
		return t.gone()
	}
	return "", nil
}

// sendError tells the client, once: RFC 1350 section 7 has it neither acknowledged nor sent again.
func (t *transfer) sendError(code uint16, text string) {
	t.sendErr = t.link.write(appendError(t.in[:0], code, text))
}
