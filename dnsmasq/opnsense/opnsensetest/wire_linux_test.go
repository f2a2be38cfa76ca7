package opnsensetest

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
)

// probeMAC is the machine's that was offered addresses in the recordings.
var probeMAC = net.HardwareAddr{0x0a, 0x0a, 0x4f, 0xf2, 0x79, 0xda}

// recordedClients are those that the recordings have.
var recordedClients = []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientEFIBC,
	firmware.ClientEFI32, firmware.ClientARM64, firmware.ClientHTTP64, firmware.ClientIPXE}

// said is what an offer says, without what differs each time.
func said(t *testing.T, o firmware.Offer) string {
	t.Helper()
	o.Via, o.After, o.LastCode = "", 0, 0
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ask(t *testing.T, client *lab.Host, device string, limit time.Duration) (offers []firmware.Offer) {
	t.Helper()
	var report probe.Report
	var err error
	client.Do(func() {
		report, err = probe.Run(t.Context(), probe.Config{Device: device, MAC: probeMAC, Limit: limit,
			Clients: recordedClients, Quiet: 300 * time.Millisecond})
	})
	if err != nil {
		t.Fatal(err)
	}
	return report.Offers
}

// A real Dnsmasq with what the stand-in makes of the recorded calls offers what was recorded.
func TestOffersAsRecorded(t *testing.T) {
	lab.NoShort(t)
	segment := lab.NewSegment(t)
	server, client := segment.Host("opnsense", "igc1", "10.77.0.1/24"), segment.Host("client", "cl0", "10.77.0.7/24")
	load := server.Reloader()
	offersAsRecorded(t, func(conf string) error { return load(Elsewhere(conf)) },
		func(limit time.Duration) []firmware.Offer { return ask(t, client, "cl0", limit) })
}

// So does the one that is written in Go.
func TestOffersOnLoopback(t *testing.T) {
	daemon, err := dnsmasqtest.Start("igc1", netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	offersAsRecorded(t, daemon.Load, func(limit time.Duration) []firmware.Offer {
		report, err := probe.Run(t.Context(), probe.Config{Server: daemon.Addr(), RelayPort: probe.AnyPort, MAC: probeMAC,
			Clients: recordedClients, Limit: limit, Quiet: 30 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		for i := range report.Offers {
			report.Offers[i].From = netip.MustParseAddr("10.77.0.1")
		}
		return report.Offers
	})
}

// offersAsRecorded replays each recording on a stand-in whose Dnsmasq is started by load, and compares what it offers.
func offersAsRecorded(t *testing.T, load func(string) error, ask func(limit time.Duration) []firmware.Offer) {
	t.Helper()
	for name, version := range recordings(t) {
		want := recorded(t, name)
		f := open(t, Options{Version: version, Load: load})
		for _, c := range want.calls {
			call(t, f, c[0], c[1], c[2])
		}
		limit := 5 * time.Second
		if len(want.offers) == 0 {
			limit = 300 * time.Millisecond
		}
		var got, wanted []string
		for _, o := range ask(limit) {
			got = append(got, said(t, o))
		}
		for _, line := range want.offers {
			var o firmware.Offer
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatal(err)
			}
			wanted = append(wanted, said(t, o))
		}
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: offered is\n%s\nrecorded\n%s", name, strings.Join(got, "\n"), strings.Join(wanted, "\n"))
		}
		if f.Running() != (len(want.offers) > 0) {
			t.Errorf("%s: running: %v", name, f.Running())
		}
	}
}

// A real Kea with what the stand-in makes of the recorded calls offers what was recorded.
func TestKeaOffersAsRecorded(t *testing.T) {
	lab.NoShort(t)
	segment := lab.NewSegment(t)
	server, client := segment.Host("opnsense", "igc1", "10.77.0.1/24"), segment.Host("client", "cl0", "10.77.0.7/24")
	load, hooks := server.KeaReloader(), lab.KeaHooks(t)
	f := keaSite(t, Options{LoadKea: func(conf []byte) error {
		old, err := OldKea(conf, hooks)
		if err != nil {
			return err
		}
		return load(old)
	}})
	for _, c := range keaCalls(t, "26.7.2") {
		call(t, f, c[0], c[1], c[2])
	}
	if _, got := call(t, f, "POST", "api/kea/service/restart", "{}"); got != `{"response":"OK"}` || !f.KeaRunning() {
		t.Fatalf("restart: %s, running: %v", got, f.KeaRunning())
	}
	text, err := os.ReadFile("testdata/kea-26.7.2-options.offers.txt")
	if err != nil {
		t.Fatal(err)
	}
	offers := ask(t, client, "cl0", 5*time.Second)
	for _, o := range offers {
		file, where := o.BootFile()
		var row []string
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 5 && words[0] == o.Client.String() {
				row = words
				break
			}
		}
		if row == nil || row[1] != o.Server.String() || row[3] != o.NextServer.String() || row[4] != file ||
			where != "option 67" {
			t.Errorf("%v: %s in %s, next-server %s; recorded %q", o.Client, file, where, o.NextServer, row)
		}
	}
	if len(offers) != 7 {
		t.Errorf("%d offers", len(offers))
	}
}
