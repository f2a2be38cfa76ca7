package boot

import (
	"net/url"
	"strings"
	"testing"
)

func TestReadFacts(t *testing.T) {
	q, err := url.ParseQuery(
		"mac=52-54-00-AB-cd-01&uuid=8A1F7D6E-0C5B-4D3E-9F2A-1B2C3D4E5F60&serial=+S%20N++1+&asset=&manufacturer=Acme%00&product=" +
			strings.Repeat("x", 200) + "&platform=pcbios&buildarch=%24%7Bbuildarch%7D",
	)
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		MAC:      "52:54:00:ab:cd:01",
		UUID:     "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60",
		Serial:   "S N 1",
		Platform: "pcbios",
	}
	if got := ReadFacts(q.Get); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, mac := range []string{"", "52:54:00", "52:54:00:ab:cd:01:02:03", "x", "${net0/mac}"} {
		if got := ReadFacts(func(name string) string { return map[string]string{"mac": mac}[name] }); got != (Facts{}) {
			t.Errorf("mac %q: %+v", mac, got)
		}
	}
	for _, uuid := range []string{"", "8a1f7d6e", "00000000-0000-0000-0000-000000000000",
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"} {
		if got := ReadFacts(func(name string) string { return map[string]string{"uuid": uuid}[name] }); got != (Facts{}) {
			t.Errorf("uuid %q: %+v", uuid, got)
		}
	}
}

// FuzzReadFacts: no fact has what could break a line, a script or a label.
func FuzzReadFacts(f *testing.F) {
	f.Add("mac=52:54:00:ab:cd:01&serial=a b")
	f.Fuzz(func(t *testing.T, query string) {
		q, _ := url.ParseQuery(query)
		facts := ReadFacts(q.Get)
		for _, s := range []string{facts.MAC, facts.UUID, facts.Serial, facts.Asset, facts.Manufacturer, facts.Product,
			facts.Platform, facts.Arch} {
			if len(s) > factLength || strings.ContainsAny(s, "\n\r\x00") || strings.Contains(s, "${") {
				t.Errorf("%q", s)
			}
		}
	})
}
