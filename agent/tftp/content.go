package tftp

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"pxeagent/agent/guard"
)

const (
	// chunkSize is how much of a file is read at once: a block of 1432 bytes costs a read in every eleventh only.
	chunkSize = 16 << 10
	// keptChunks bounds what is kept of all files, 32 MiB. What transfers wait for is kept beyond that.
	keptChunks = 2048
)

var (
	errShrunk  = errors.New("the file became shorter while it was sent")
	errChanged = errors.New("the file was changed while it was sent")
)

// contents are the files that transfers read. Transfers of files with the same ID share one.
type contents struct {
	mu    sync.Mutex
	known map[any]*content
}

// content is an open file, in chunks.
type content struct {
	File
	id   any // nil: not shared
	size int64

	users int // transfers and reads; contents' lock

	// The rest belongs to the loop.
	chunks map[int64]*chunk
	sends  int // transfers that send it
}

// chunk is a piece of a file, of chunkSize bytes unless the file ends with it. It is used again for another.
type chunk struct {
	of         *content
	at         int64 // in chunks
	data       [chunkSize]byte
	n          int
	read       bool
	order      uint64      // of all reads, when this one ended
	waiting    []*transfer // for the read
	holds      int         // transfers that are about to send it
	prev, next *chunk      // by age of their last use
}

// open takes a file that was opened, or another that is the same, and closes this one.
func (cs *contents) open(f *File, netascii bool) *content {
	c := &content{File: *f, id: f.ID, size: f.Size, users: 1}
	if netascii {
		c.ReaderAt, c.size, c.id = newNetascii(f), -1, nil
	}
	if c.id == nil {
		return c
	}
	cs.mu.Lock()
	same := cs.known[c.id]
	if same != nil {
		same.users++
	} else {
		if cs.known == nil {
			cs.known = make(map[any]*content)
		}
		cs.known[c.id] = c
	}
	cs.mu.Unlock()
	if same == nil {
		return c
	}
	if f.Close != nil {
		_ = f.Close()
	}
	return same
}

// hold keeps c open until it is released once more.
func (cs *contents) hold(c *content) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.users++
}

// release closes the file when nobody has it any more.
func (cs *contents) release(c *content) {
	cs.mu.Lock()
	c.users--
	last := c.users == 0
	if last && c.id != nil {
		delete(cs.known, c.id)
	}
	cs.mu.Unlock()
	if last && c.Close != nil {
		_ = c.Close()
	}
}

// cache holds chunks of files. It belongs to the loop; what is not in memory is read by other goroutines, as a disk may
// be slow, or a server of files not answer.
type cache struct {
	contents *contents
	guard    *guard.Guard
	do       func(func())        // has another goroutine do something
	read     func(*chunk, error) // is called when one was read, from any goroutine
	most     int

	used  chunk // the list's root: used.next was used last
	count int
	order uint64
}

func newCache(cs *contents, g *guard.Guard, do func(func()), read func(*chunk, error)) *cache {
	ca := &cache{contents: cs, guard: g, do: do, read: read, most: keptChunks}
	ca.used.next, ca.used.prev = &ca.used, &ca.used
	return ca
}

var pool = sync.Pool{New: func() any { return new(chunk) }}

// get returns a chunk, which is being read if nobody has asked for it before.
func (ca *cache) get(c *content, at int64) *chunk {
	if ch := c.chunks[at]; ch != nil {
		if ca.used.next != ch {
			ca.unlink(ch)
			ca.link(ch)
		}
		return ch
	}
	ca.shrink()
	ch := pool.Get().(*chunk)
	ch.of, ch.at, ch.read, ch.holds = c, at, false, 0
	if c.chunks == nil {
		c.chunks = make(map[int64]*chunk)
	}
	c.chunks[at] = ch
	ca.link(ch)
	if c.Changed == nil && ca.guard.Do(guard.TFTP, ch.load) == nil { // in memory
		ca.order++
		ch.read, ch.order = true, ca.order
		return ch
	}
	ca.contents.hold(c)
	ca.do(func() {
		err := ca.guard.Do(guard.TFTP, ch.load)
		ca.contents.release(ch.of)
		ca.read(ch, err)
	})
	return ch
}

// load reads the chunk.
func (ch *chunk) load() error {
	off := ch.at * chunkSize
	want := ch.data[:]
	if ch.of.size >= 0 {
		want = want[:min(chunkSize, ch.of.size-off)]
	}
	n, err := ch.of.ReadAt(want, off)
	ch.n = n
	switch {
	case n == len(want) || err == io.EOF && ch.of.size < 0:
		return nil
	case err == io.EOF || err == nil:
		// Ending here would look like success to a client that has not asked for the size.
		return errShrunk
	}
	return fmt.Errorf("reading at %d: %w", off, err)
}

// loaded takes a chunk that was read, and returns the transfers that wait for it.
func (ca *cache) loaded(ch *chunk, err error) []*transfer {
	ca.order++
	ch.read, ch.order = true, ca.order
	waiting := ch.waiting
	ch.waiting = ch.waiting[:0]
	switch {
	case err != nil:
		ca.unlink(ch) // and not for use again: transfers hold it
		delete(ch.of.chunks, ch.at)
	case ch.of.sends == 0:
		ca.drop(ch)
	}
	return waiting
}

// forget drops what is kept of a file that nobody sends any more.
func (ca *cache) forget(c *content) {
	for _, ch := range c.chunks {
		if ch.read {
			ca.drop(ch)
		}
	}
}

// shrink makes room for one more.
func (ca *cache) shrink() {
	for ch := ca.used.prev; ca.count >= ca.most && ch != &ca.used; {
		older := ch.prev
		if ch.read && ch.holds == 0 {
			ca.drop(ch)
		}
		ch = older
	}
}

func (ca *cache) drop(ch *chunk) {
	ca.unlink(ch)
	delete(ch.of.chunks, ch.at)
	pool.Put(ch)
}

func (ca *cache) link(ch *chunk) {
	ca.count++
	ch.prev, ch.next = &ca.used, ca.used.next
	ch.prev.next, ch.next.prev = ch, ch
}

func (ca *cache) unlink(ch *chunk) {
	ca.count--
	ch.prev.next, ch.next.prev = ch.next, ch.prev
}

// have has t hold the chunks from one to another, in order, in place of what it held before, and reports whether they
// were read; else t waits for those that were not. A file whose size is not known may end before the last of them.
func (ca *cache) have(t *transfer, from, to int64) bool {
	ca.let(t)
	for at := from; at <= to; at++ {
		ch := ca.get(t.content, at)
		ch.holds++
		t.held = append(t.held, ch)
		if !ch.read {
			ch.waiting = append(ch.waiting, t)
			t.waits++
		}
		if t.content.size < 0 && (!ch.read || ch.n < chunkSize) {
			break // one after another, to the end
		}
	}
	return t.waits == 0
}

// let has t hold nothing.
func (ca *cache) let(t *transfer) {
	for _, ch := range t.held {
		ch.holds--
	}
	t.held = t.held[:0]
}
