package watch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func wanted() dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr("192.0.2.1"), Script: "http://192.0.2.1/s"}
	b.NBP[firmware.BIOS], b.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	return b
}

// stepsOf writes steps as "bios offer ok".
func stepsOf(lines ...string) (out []check.Step) {
	for _, line := range lines {
		f := strings.Fields(line)
		h := check.Step{Stage: f[1], What: f[1] + " " + f[len(f)-1], OK: f[2] == "ok", Bytes: -1}
		if err := h.Client.UnmarshalText([]byte(f[0])); err != nil {
			panic(err)
		}
		out = append(out, h)
	}
	return out
}

// stepValues are the values of pxeagent_check_ok in the order of the boot path, "-" where there is none.
func stepValues(t *testing.T, reg *prometheus.Registry) []string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "pxeagent_check_ok" && l.GetName() == "step" {
					by[l.GetValue()] = fmt.Sprint(m.GetGauge().GetValue())
				}
			}
		}
	}
	var values []string
	for _, step := range StepNames() {
		values = append(values, cmp.Or(by[step], "-"))
	}
	return values
}

func TestPaths(t *testing.T) {
	for name, test := range map[string]struct {
		steps   []check.Step
		change  func(*Network, *probeResult)
		want    string // client: its states, "go on as"
		metrics string // by step; - for none
	}{
		"all is there": {
			stepsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios kernel ok", "bios image ok", "efi64 offer ok",
				"efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok ok ok; efi64: ok ok ok ok as bios; ipxe: ok none ok ok as bios", "1 1 1 1"},
		"a file is missing for all": {
			stepsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios kernel ok", "bios image no", "efi64 offer ok",
				"efi64 nbp ok", "efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok ok wrong; efi64: ok ok ok wrong as bios; ipxe: ok none ok wrong as bios", "1 1 1 0"},
		"one NBP is missing": {
			stepsOf("bios offer ok", "bios nbp no", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S", "ipxe offer ok",
				"ipxe script ok S"), nil,
			"bios: ok wrong unknown unknown; efi64: ok ok ok ok; ipxe: ok none ok ok as efi64", "1 0 1 1"},
		"no offer at all": {
			stepsOf("bios offer no", "efi64 offer no", "ipxe offer no"), nil,
			"bios: wrong unknown unknown unknown; efi64: wrong unknown unknown unknown; ipxe: wrong none unknown unknown",
			"0 0 0 0"},
		"an offer that leads somewhere else": {
			stepsOf("bios offer ok", "bios nbp ok", "bios script ok S", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S",
				"ipxe offer ok", "ipxe script ok S"),
			func(_ *Network, r *probeResult) { r.ok[firmware.ClientEFI64] = false },
			"bios: ok ok ok ok; efi64: wrong ok ok ok as bios; ipxe: ok none ok ok as bios", "0 1 1 1"},
		"a script behind the first one": {
			stepsOf("bios offer ok", "bios nbp ok", "bios script ok S", "bios script no T", "efi64 offer ok", "efi64 nbp ok",
				"efi64 script ok S", "ipxe offer ok", "ipxe script ok S"), nil,
			"bios: ok ok wrong unknown; efi64: ok ok wrong unknown as bios; ipxe: ok none wrong unknown as bios", "1 1 0 0"},
		"the DHCP server cannot be asked": {
			stepsOf("bios offer ok", "bios nbp ok", "bios script ok S", "efi64 offer ok", "efi64 nbp ok", "efi64 script ok S",
				"ipxe offer ok", "ipxe script ok S"),
			func(w *Network, r *probeResult) { w.NoProbe, r.ok = true, nil },
			"bios: unknown ok ok ok; efi64: unknown ok ok ok as bios; ipxe: unknown none ok ok as bios", "- 1 1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := Network{Interface: "lab", Want: wanted()}
			clients := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientIPXE}
			r := probeResult{clients: clients, ok: map[firmware.Client]bool{}}
			for _, c := range clients {
				r.ok[c] = true
			}
			if test.change != nil {
				test.change(&w, &r)
			}
			path := w.paths(r, test.steps, 1)
			var got []string
			for _, c := range path {
				line := c.Name + ":"
				for _, step := range StepNames() {
					mark := c.State[step]
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
			newMetrics(reg).path("lab", path)
			values := stepValues(t, reg)
			if got := strings.Join(values, " "); got != test.metrics {
				t.Errorf("metrics are %q, want %q", got, test.metrics)
			}
		})
	}
}

// Reason and doubt are the client's, of right answers too; where nobody was asked there are none.
func TestClientsHaveTheirReason(t *testing.T) {
	checked := []check.Step{
		{Client: firmware.ClientBIOS, Stage: StepOffer, OK: true, Reason: "a names b", Doubt: "some ROMs",
			Text: "a names b; some ROMs"},
		{Client: firmware.ClientEFI64, Stage: StepOffer, Reason: "no boot file", Text: "no boot file (PXE-E53)"},
	}
	r := probeResult{clients: []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}}
	n := Network{Want: wanted()}
	path := n.paths(r, checked, 1)
	for i, want := range []Client{{Reason: "a names b", Doubt: "some ROMs"}, {Reason: "no boot file"}} {
		if path[i].Reason != want.Reason || path[i].Doubt != want.Doubt {
			t.Errorf("%+v, want %+v", path[i], want)
		}
	}
	if path[0].Steps[0].Text != "" || path[1].Steps[0].Text != "no boot file (PXE-E53)" {
		t.Errorf("the steps say %q and %q", path[0].Steps[0].Text, path[1].Steps[0].Text)
	}
	n.NoProbe = true
	if got := n.paths(r, checked, 1)[0]; got.Reason != "" || got.Doubt != "" {
		t.Errorf("nobody was asked, and %+v", got)
	}
}

func TestStepsAreBoundedAndFaultsComeFirst(t *testing.T) {
	var checked []check.Step
	for i := range 4 * maxSteps {
		checked = append(checked, check.Step{Client: firmware.ClientBIOS, Stage: "image", What: fmt.Sprint(i),
			OK: i%50 != 49, Text: strings.Repeat("é", 10_000)})
	}
	path := Network{Want: wanted()}.paths(probeResult{clients: []firmware.Client{firmware.ClientBIOS}}, checked, 1)
	c, bad := path[0], 0
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

// maxStates is more than all States have as JSON, in bytes: half of what the page's status may have.
const maxStates = 1 << 20

// The largest that all states can be is within its bound.
func TestStatesAreBounded(t *testing.T) {
	long := strings.Repeat("\x01\U0001F4A9<", 5000)
	c := Config{Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Event: func(Event) {},
		Changed: func() {}}
	for range 40 {
		c.Networks = append(c.Networks, Network{Interface: strings.Repeat("n", 64), Want: wanted()})
	}
	w := New(c)
	var checked []check.Step
	r := probeResult{clients: firmware.Clients(), wrong: map[firmware.Client][]string{}}
	for _, c := range firmware.Clients() {
		for range 100 {
			r.wrong[c] = append(r.wrong[c], long)
			r.foreign = append(r.foreign, long)
			checked = append(checked, check.Step{Client: c, Stage: "image", What: long, Text: long},
				check.Step{Client: c, Stage: "offer", Reason: long, Doubt: long})
		}
	}
	for i, n := range w.Networks {
		s := n.probed(r, fmt.Errorf("%s", long))
		s.Clients = n.paths(r, checked, w.share())
		w.end(i, s)
	}
	states := w.States()
	b, err := json.Marshal(states)
	if err != nil {
		t.Fatal(err)
	}
	if len(states) != maxNetworks || len(b) > maxStates {
		t.Errorf("%d networks in %d bytes, want %d in at most %d", len(states), len(b), maxNetworks, maxStates)
	}
}

// What a check found is an event where it is news, and a line in the log once.
func TestNewsOfANetwork(t *testing.T) {
	var events []Event
	var log strings.Builder
	changes := 0
	w := New(Config{
		Networks: []Network{{Interface: "lab", Want: wanted()}}, Metrics: prometheus.NewRegistry(),
		Event: func(e Event) { events = append(events, e) }, Changed: func() { changes++ },
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for _, s := range []State{
		{Name: "lab", Result: Agrees},
		{Name: "lab", Result: NoOffer, Foreign: []string{"192.0.2.9 offers x"}},
		{Name: "lab", Result: NoOffer, Foreign: []string{"192.0.2.9 offers x"}},
		{Name: "lab", Result: Agrees},
	} {
		w.begin(0)
		if !w.States()[0].Checking {
			t.Error("no check is under way")
		}
		w.end(0, s)
	}
	want := []Event{
		{Foreign: true, Bad: true, Text: "192.0.2.9 offers x"},
		{Bad: true, Text: "Network lab: no DHCP server makes an offer"},
		{Text: "Network lab: every step of the boot path is there"},
	}
	if diff := gocmp.Diff(want, events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if lines := strings.Count(log.String(), "msg=check "); lines != 3 || changes != 8 {
		t.Errorf("%d lines for 3 results, %d changes for 8:\n%s", lines, changes, &log)
	}
}
