package lab

import (
	"encoding/json"
	"strings"
	"testing"
)

// KeaHere is a configuration of pfSense's Kea for device, changed only where this machine and its Kea need it: hooks
// that are elsewhere, a key that has another name before Kea 2.7, and reservations without an address, which Kea
// before 2.3 refuses.
func KeaHere(t testing.TB, conf []byte, device string) string {
	t.Helper()
	var file map[string]map[string]any
	if err := json.Unmarshal(conf, &file); err != nil {
		t.Fatal(err)
	}
	d := file["Dhcp4"]
	d["interfaces-config"] = map[string]any{"interfaces": []string{device}}
	delete(d, "hooks-libraries")
	delete(d, "reservations")
	for _, subnet := range d["subnet4"].([]any) {
		for _, pool := range subnet.(map[string]any)["pools"].([]any) {
			p := pool.(map[string]any)
			if classes, ok := p["client-classes"].([]any); ok {
				p["client-class"] = classes[0]
				delete(p, "client-classes")
			}
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "igb2", device) // in pkt.iface
}
