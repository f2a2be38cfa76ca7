package pfsense

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"pxeagent/deploy/lab"
)

// keaMerged is the configuration that pfSense makes for Kea with custom at its top, as its own code does: lists are
// joined, objects merged.
func keaMerged(t *testing.T, conf map[string]any, custom string) {
	t.Helper()
	var own map[string]any
	if err := json.Unmarshal([]byte(custom), &own); err != nil {
		t.Fatal(err)
	}
	merge(conf["Dhcp4"].(map[string]any), own)
}

func merge(into, from map[string]any) {
	for key, value := range from {
		switch was := into[key].(type) {
		case []any:
			into[key] = append(was, value.([]any)...)
		case map[string]any:
			merge(was, value.(map[string]any))
		default:
			into[key] = value
		}
	}
}

func keaConf(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile("testdata/kea/" + name + ".kea-dhcp4.conf")
	if err != nil {
		t.Fatal(err)
	}
	var conf map[string]any
	if err := json.Unmarshal(text, &conf); err != nil {
		t.Fatal(err)
	}
	return conf
}

// keaMerged merges like pfSense's own generator did in a recording with a class.
func TestMergedAsPfSenseDoes(t *testing.T) {
	conf := keaConf(t, "2-bios-uefi-arm-http")
	keaMerged(
		t, conf, `{"client-classes": [{"name": "pxeagent_ipxe", "test": "option[77].hex == 'iPXE'", "boot-file-name": `+
			`"http://10.99.0.5/boot.ipxe", `+
			`"option-data": [{"name": "boot-file-name", "data": "http://10.99.0.5/boot.ipxe", "always-send": true}]}]}`)
	if want := keaConf(t, "14-kea-custom-ipxe"); !reflect.DeepEqual(conf, want) {
		t.Errorf("merged %v\nwant %v", conf, want)
	}
}

func keaAsHere(t *testing.T, name, device string) string {
	return lab.KeaHere(t, marshalled(t, keaConf(t, name)), device)
}

// KeaWith is the recorded configuration with custom, in the form of this machine.
func KeaWith(t *testing.T, custom, device string) string {
	conf := keaConf(t, "2-bios-uefi-arm-http")
	keaMerged(t, conf, custom)
	return lab.KeaHere(t, marshalled(t, conf), device)
}

func marshalled(t *testing.T, conf map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
