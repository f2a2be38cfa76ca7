package agent

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/web"
)

func roadWish() dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr("192.0.2.1"), Script: "http://192.0.2.1/s"}
	b.NBP[dhcp.BIOS], b.NBP[dhcp.EFI64] = "undionly.kpxe", "ipxe.efi"
	return b
}

// hopsOf writes hops as "bios offer ok".
func hopsOf(lines ...string) (out []check.Hop) {
	for _, line := range lines {
		f := strings.Fields(line)
		h := check.Hop{Stage: f[1], What: f[1] + " " + f[len(f)-1], OK: f[2] == "ok", Bytes: -1}
		if err := h.Client.UnmarshalText([]byte(f[0])); err != nil {
			panic(err)
		}
		out = append(out, h)
	}
	return out
}

// hopValues are the values of pxeagent_check_ok in the order of the road, "-" where there is none.
func hopValues(t *testing.T, reg *prometheus.Registry) []string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "pxeagent_check_ok" && l.GetName() == "hop" {
					by[l.GetValue()] = fmt.Sprint(m.GetGauge().GetValue())
				}
			}
		}
	}
	var values []string
	for _, hop := range web.HopNames() {
		values = append(values, cmp.Or(by[hop], "-"))
	}
	return values
}

func TestRoads(t *testing.T) {
	for name, test := range map[string]struct {
		hops    []check.Hop
		change  func(*Watch, *probeResult)
		want    string // client: its states, "go on as"
		metrics string // by hop; - for none
	}{
		"all is there": {
			hopsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios kernel ok", "bios image ok", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok ok ok; efi64: ok ok ok ok as bios; ipxe: ok none ok ok as bios", "1 1 1 1"},
		"a file is missing for all": {
			hopsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios kernel ok", "bios image no", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok ok wrong; efi64: ok ok ok wrong as bios; ipxe: ok none ok wrong as bios", "1 1 1 0"},
		"one NBP is missing": {
			hopsOf("bios offer ok", "bios nbp no", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok wrong unknown unknown; efi64: ok ok ok ok; ipxe: ok none ok ok as efi64", "1 0 1 1"},
		"no offer at all": {
			hopsOf("bios offer no", "efi64 offer no", "ipxe offer no"), nil,
			"bios: wrong unknown unknown unknown; efi64: wrong unknown unknown unknown; ipxe: wrong none unknown unknown", "0 0 0 0"},
		"an offer that leads somewhere else": {
			hopsOf("bios offer ok", "bios nbp ok", "bios script ok S", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"),
			func(_ *Watch, r *probeResult) { r.ok[dhcp.ClientEFI64] = false },
			"bios: ok ok ok ok; efi64: wrong ok ok ok as bios; ipxe: ok none ok ok as bios", "0 1 1 1"},
		"a script behind the first one": {
			hopsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios script no T", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok wrong unknown; efi64: ok ok wrong unknown as bios; ipxe: ok none wrong unknown as bios", "1 1 0 0"},
		"the DHCP server cannot be asked": {
			hopsOf("bios offer ok", "bios nbp ok", "bios script ok S", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"),
			func(w *Watch, r *probeResult) { w.Blind, r.ok = true, nil },
			"bios: unknown ok ok ok; efi64: unknown ok ok ok as bios; ipxe: unknown none ok ok as bios", "- 1 1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := Watch{Interface: "lab", Want: roadWish()}
			clients := []dhcp.Client{dhcp.ClientBIOS, dhcp.ClientEFI64, dhcp.ClientIPXE}
			r := probeResult{clients: clients, ok: map[dhcp.Client]bool{}}
			for _, c := range clients {
				r.ok[c] = true
			}
			if test.change != nil {
				test.change(&w, &r)
			}
			road := roads(w, r, test.hops)
			var got []string
			for _, c := range road {
				line := c.Name + ":"
				for _, hop := range web.HopNames() {
					mark := c.State[hop]
					if mark == "" {
						mark = "none"
					}
					line += " " + string(mark)
				}
				if c.As != "" {
					line += " as " + c.As
				}
				got = append(got, line)
			}
			if diff := gocmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			reg := prometheus.NewRegistry()
			newMetrics(reg).road("lab", road)
			values := hopValues(t, reg)
			if got := strings.Join(values, " "); got != test.metrics {
				t.Errorf("metrics are %q, want %q", got, test.metrics)
			}
		})
	}
}

func TestStepsAreBoundedAndFaultsComeFirst(t *testing.T) {
	var hops []check.Hop
	for i := range 4 * maxSteps {
		hops = append(hops, check.Hop{Client: dhcp.ClientBIOS, Stage: "image", What: fmt.Sprint(i), OK: i%50 != 49, Text: strings.Repeat("é", 10_000)})
	}
	road := roads(Watch{Want: roadWish()}, probeResult{clients: []dhcp.Client{dhcp.ClientBIOS}}, hops)
	c, bad := road[0], 0
	for _, s := range c.Steps {
		if !s.OK {
			bad++
		}
		if len(s.Text) > maxText+40 || !utf8.ValidString(s.Text) {
			t.Fatalf("a text of %d bytes", len(s.Text))
		}
	}
	if len(c.Steps) != maxSteps || c.More != 3*maxSteps || bad != 8 {
		t.Errorf("%d steps, %d wrong ones, %d more", len(c.Steps), bad, c.More)
	}
}

// The largest that a status can be is within its bound.
func TestStatusIsBounded(t *testing.T) {
	long := strings.Repeat("\x01\U0001F4A9<", 5000)
	var watches []Watch
	for range 40 {
		watches = append(watches, Watch{Interface: strings.Repeat("n", 64), Want: roadWish()})
	}
	l := newPageState(web.Running{Version: "test"}, nil, watches)
	var hops []check.Hop
	r := probeResult{clients: dhcp.Clients(), wrong: map[dhcp.Client][]string{}}
	for _, c := range dhcp.Clients() {
		for range 100 {
			r.wrong[c] = append(r.wrong[c], long)
			r.foreign = append(r.foreign, long)
			hops = append(hops, check.Hop{Client: c, Stage: "image", What: long, Text: long})
		}
	}
	for i, w := range watches {
		n := w.network(r, fmt.Errorf("%s", long))
		n.Clients = roads(w, r, hops)
		l.end(i, n, slog.New(slog.DiscardHandler))
	}
	for range 2 * maxEvents {
		l.note(web.Event{Text: long})
	}
	l.images = func() (out []web.Image) {
		for range 2 * maxListed {
			out = append(out, web.Image{Key: strings.Repeat("k", 128), Title: strings.Repeat("t", 128), Error: cut(long)})
		}
		return out
	}
	s := l.Status()
	b, err := s.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Events) != maxEvents || len(s.Images) != maxListed || len(s.Networks) != maxNetworks {
		t.Errorf("%d events, %d images, %d networks", len(s.Events), len(s.Images), len(s.Networks))
	}
	t.Logf("%d bytes", len(b))
}

func TestOwnRequestsAreNoMachines(t *testing.T) {
	ask := func(client, local string, proto boot.Proto, check bool) boot.Ask {
		return boot.Ask{Client: netip.MustParseAddrPort(client), Local: netip.MustParseAddrPort(local), Proto: proto, Check: check}
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
		if own(tc.Ask) != tc.own {
			t.Errorf("%s: own is %v", name, !tc.own)
		}
	}
}
