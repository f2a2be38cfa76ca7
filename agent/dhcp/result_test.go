package dhcp_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// Programs read results: their form is a promise.
func TestResultInJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.conf.Want = dhcp.Boot{NextServer: wantA.NextServer, NBP: [firmware.NumArch]string{firmware.EFI32: "ipxe32.efi"}}
		s.wire = joined(func(o *firmware.Offer) { o.File = "old\xff.0" })
		var told []dhcp.Step
		s.conf.Report = func(st dhcp.Step) { told = append(told, st) }
		r, err := s.run()
		text, jsonErr := json.Marshal(map[string]any{"result": r, "steps": told})
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		var got struct {
			Result map[string]any   `json:"result"`
			Steps  []map[string]any `json:"steps"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		res := got.Result
		if err == nil || res["server"] != "fake server, interface eth1" || res["in_sync"] != false || res["wrote"] != true ||
			res["reloaded"] != false ||
			res["reverted"] != false || len(res["problems"].([]any)) != 1 {
			t.Errorf("%v: %s", err, text)
		}
		changes := []any{
			map[string]any{"field": "next-server", "before": "", "after": "10.0.0.7"},
			map[string]any{"field": "nbp efi32", "before": "", "after": "ipxe32.efi"},
		}
		if !reflect.DeepEqual(res["changes"], changes) {
			t.Errorf("changes %v", res["changes"])
		}
		ipxe32 := "tftp://10.0.0.7/ipxe32.efi"
		paths := []any{map[string]any{"client": "efi32", "url": ipxe32, "want": ipxe32,
			"reason": `10.0.0.1 names "ipxe32.efi" at 10.0.0.7`}}
		verdict := map[string]any{"own": 1.0, "other": 1.0, "clients": paths,
			"foreign": []any{map[string]any{"code": "foreign", "client": "efi32", "server": "10.0.0.2",
				"want": "ipxe32.efi", "got": "old\ufffd.0",
				"text": `efi32 from 10.0.0.2: another DHCP server offers boot file "old\xff.0", want "ipxe32.efi"`}}}
		if !reflect.DeepEqual(res["verdict"], verdict) {
			t.Errorf("verdict %v", res["verdict"])
		}
		var codes []string
		for _, st := range got.Steps {
			codes = append(codes, st["step"].(string))
			if st["text"] == "" || strings.Contains(st["text"].(string), "\n") {
				t.Errorf("step %v says %q", st["step"], st["text"])
			}
		}
		if want := "plan preflight baseline journal applied read-back verify"; strings.Join(codes, " ") != want {
			t.Errorf("steps %v, want %s", codes, want)
		}
	})
}

func TestResultOfAFailedPlanInJSON(t *testing.T) {
	s := newScene(t)
	s.conf.Server = unreadable{s, dhcp.ErrChanged}
	r, _ := s.run()
	text, err := json.Marshal(r)
	if want := `{"server":"fake server, interface eth1","in_sync":false,"changes":[],"problems":[],"wrote":false,"reloaded":false,"reverted":false}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}
