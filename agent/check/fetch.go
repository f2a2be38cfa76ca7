// Package check follows the boot path of a machine after its DHCP offer: the NBP
// by TFTP or HTTP, then the script, then the files that the script names.
package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"time"

	"github.com/pin/tftp/v3"

	"pxeagent/agent/guard"
)

// errEnough stops a transfer of which the beginning is all that was wanted.
var errEnough = errors.New("enough")

var errEmpty = errors.New("the file is empty")

// fetchWait is how long one packet's answer is waited for, and fetchTries how often it is asked for.
const (
	fetchWait  = time.Second
	fetchTries = 3
)

// tftpHead fetches the first block of a file, at most 512 bytes, and returns the size the server announced (RFC 2349
// tsize), or -1 where it announced none. The transfer is then aborted, as a ROM does that asks for the size.
func tftpHead(ctx context.Context, g *guard.Guard, server netip.AddrPort, name string) (head []byte, size int64,
	err error) {
	client, err := tftp.NewClient(server.String())
	if err != nil {
		return nil, -1, err
	}
	client.SetTimeout(fetchWait)
	client.SetRetries(fetchTries)
	client.SetBackoff(func(int) time.Duration { return 0 })
	client.RequestTSize(true)
	type result struct {
		head []byte
		size int64
		err  error
	}
	// pin/tftp knows no context. Its own limits bound the goroutine.
	done := make(chan result, 1)
	go func() {
		var r result
		r.err = g.Do(guard.Check, func() (err error) {
			r.head, r.size, err = receiveHead(client, name)
			return err
		})
		done <- r
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return nil, -1, context.Cause(ctx)
	}
	var nerr net.Error
	if errors.As(r.err, &nerr) && nerr.Timeout() {
		r.err = fmt.Errorf("no answer in %v", fetchWait*(fetchTries+1))
	}
	if r.err != nil {
		return nil, -1, said(r.err)
	}
	return r.head, r.size, nil
}

// saidRE is how pin/tftp ends an error with what an ERROR packet says.
var saidRE = regexp.MustCompile(`(?s)code: (\d+), (?:error|message): ([^\x00]*)`)

// said quotes a server's own words in an error, which may hold anything.
func said(err error) error {
	if m := saidRE.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("the server says: error %s %q", m[1], m[2])
	}
	return err
}

func receiveHead(client *tftp.Client, name string) (head []byte, size int64, err error) {
	size = -1
	w, err := client.Receive(name, "octet")
	if err != nil {
		return nil, size, err
	}
	if t, ok := w.(tftp.IncomingTransfer); ok {
		if n, known := t.Size(); known {
			size = n
		}
	}
	var first headWriter
	if _, err = w.WriteTo(&first); errors.Is(err, errEnough) {
		err = nil
	}
	return first.Bytes(), size, err
}

// headWriter takes the first write and refuses the second.
type headWriter struct{ bytes.Buffer }

func (w *headWriter) Write(b []byte) (int, error) {
	if w.Len() > 0 {
		return 0, errEnough
	}
	return w.Buffer.Write(b)
}

// maxScript is more than any script that iPXE was seen to run.
const maxScript = 1 << 20

// As whom a file is asked for: the answer to iPXE is another than that to firmware, and to a browser another again.
const (
	asIPXE     = "iPXE/pxeagent-check"
	asFirmware = "UefiHttpBoot/1.0"
)
