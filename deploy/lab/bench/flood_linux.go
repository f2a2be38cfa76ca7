package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"pxeagent/deploy/lab/flood"
)

// forgedRate is how many forged requests a second come in a flood.
const forgedRate = 50_000

// newcomers counts the machines that booted in floods. Each has an address that no server has seen.
var newcomers atomic.Int32

// newcomer is a machine that asks for 1 MB as iPXE does, and gives up when that does.
type newcomer struct{ server *server }

func (n newcomer) fetch() (int64, error) {
	second := time.Second
	c := &tftpClient{
		server: n.server.addr, client: clientAddr(40_000 + int(newcomers.Add(1))), file: mbFile,
		waits: []time.Duration{second / 4, second / 2, second, 2 * second, 4 * second, 8 * second},
	}
	return c.fetch()
}

func (newcomer) close() {}

// flooded has machines boot while requests come from addresses where nobody is.
func flooded(_ *bench, s *server, t test) (sample, error) {
	t.client = func(s *server, _ netip.Addr) client { return newcomer{s} }
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	to, from := netip.AddrPortFrom(s.addr, 69), netip.MustParsePrefix(forgedNet).Addr()
	var sent int
	var err error
	over := make(chan struct{})
	go func() {
		sent, err = flood.Send(ctx, to, from, readRequest(nbpFile), forgedRate)
		close(over)
	}()
	out := t.load(s)
	stop()
	<-over
	if err != nil {
		return out, fmt.Errorf("forging requests: %w", err)
	}
	out.flood = float64(sent) / out.took.Seconds()
	return out, nil
}
