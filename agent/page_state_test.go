package agent

import (
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/watch"
	"pxeagent/agent/web"
)

// The largest that a status can be beside its networks leaves these half of its bound.
func TestStatusIsBounded(t *testing.T) {
	long := strings.Repeat("\x01\U0001F4A9<", 5000)
	p := newPageState(web.Running{Version: "test"}, nil)
	for range 2 * maxEvents {
		p.note(web.Event{Text: long})
		p.watched(watch.Event{Text: long})
	}
	p.images = func() (out []web.Image) {
		for range 2 * maxListed {
			out = append(out,
				web.Image{Key: strings.Repeat("k", 128), Title: strings.Repeat("t", 128), Error: cut(long)})
		}
		return out
	}
	s := p.Status()
	b, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Events) != maxEvents || len(s.Images) != maxListed || len(b) > web.MaxStatus/2 {
		t.Errorf("%d events, %d images, %d bytes", len(s.Events), len(s.Images), len(b))
	}
}

func TestOwnRequestsAreNoMachines(t *testing.T) {
	ask := func(client, local string, proto boot.Proto, check bool) boot.Ask {
		return boot.Ask{
			Client: netip.MustParseAddrPort(client),
			Local:  netip.MustParseAddrPort(local),
			Proto:  proto,
			Check:  check,
		}
	}
	for name, tc := range map[string]struct {
		boot.Ask
		own bool
	}{
		"by hand":           {ask("192.0.2.1:40000", "192.0.2.1:80", boot.HTTP, false), true},
		"ours":              {ask("127.0.0.1:40000", "127.0.0.1:80", boot.HTTP, true), true},
		"ours by TFTP":      {ask("127.0.0.1:40000", "127.0.0.1:69", boot.TFTP, false), true},
		"a machine":         {ask("192.0.2.9:2070", "192.0.2.1:69", boot.TFTP, false), false},
		"a machine's lie":   {ask("192.0.2.9:2070", "192.0.2.1:80", boot.HTTP, true), false},
		"tried on loopback": {ask("127.0.0.1:40000", "127.0.0.1:80", boot.HTTP, false), false},
		"from nowhere":      {boot.Ask{}, false},
	} {
		if own(&tc.Ask) != tc.own {
			t.Errorf("%s: own is %v", name, !tc.own)
		}
	}
}
