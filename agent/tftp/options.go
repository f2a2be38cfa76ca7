package tftp

import (
	"strconv"
	"strings"
	"time"

	"pxeagent/agent/boot"
)

const (
	minBlksize = 8     // RFC 2348
	maxBlksize = 65464 // RFC 2348
	maxWindow  = 64    // of RFC 7440's 65535: more fills a switch's queue and gains nothing
	// maxFlight bounds what a window may hold in memory. With it 1024 transfers take 256 MiB at the very worst.
	maxFlight = 256<<10 - headerLen
)

// terms is what a transfer goes by.
type terms struct {
	blksize int           // payload bytes of a full block
	window  int           // blocks sent before an ACK is due
	timeout time.Duration // the timeout that the client asked for; 0: none
	tsize   bool          // the size was sent to the client
	oack    []boot.Option // what was granted, in the client's order and spelling; empty: no OACK
}

// negotiate grants what can be granted. size is the file's, negative where it is not known before the end (netascii);
// limit is the largest block that may be sent, window the most blocks in a flight. An option that is unknown, malformed
// or duplicate is left out of the OACK and does not count (RFC 2347). blksize and windowsize may be granted smaller
// than asked (RFC 2348, RFC 7440 section 3); a blksize above the RFC's limit is taken as asking for as much as
// possible.
func negotiate(asked []boot.Option, size int64, limit, window int) terms {
	t := terms{blksize: defaultSize, window: 1}
	seen := make(map[string]bool, len(asked))
	granted := -1 // where windowsize stands in the OACK
	for _, o := range asked {
		name := strings.ToLower(o.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		n, err := strconv.ParseUint(o.Value, 10, 63)
		if err != nil {
			continue
		}
		switch {
		case name == "blksize" && n >= minBlksize:
			t.blksize = int(min(n, uint64(limit), maxBlksize))
			o.Value = strconv.Itoa(t.blksize)
		case name == "tsize" && size >= 0:
			t.tsize = true
			o.Value = strconv.FormatInt(size, 10)
		case name == "timeout" && n >= 1 && n <= 255:
			t.timeout = time.Duration(n) * time.Second
		case name == "windowsize" && n >= 1 && n <= 65535:
			t.window, granted = int(min(n, uint64(window))), len(t.oack)
		default:
			continue
		}
		t.oack = append(t.oack, o)
	}
	if granted >= 0 {
		// Only now, as blksize may come after it.
		t.window = max(1, min(t.window, maxFlight/t.blksize))
		t.oack[granted].Value = strconv.Itoa(t.window)
	}
	return t
}
