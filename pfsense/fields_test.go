package pfsense

import (
	"encoding/json"
	"net/netip"
	"os"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// keysOf makes keys of what is there.
func keysOf(there map[string]string) keys {
	var k keys
	for f, name := range fieldNames {
		if text, ok := there[name]; ok {
			k[f] = setting{true, text}
		}
	}
	return k
}

func TestRecord(t *testing.T) {
	if raw, err := (keys{}).record(); raw != nil || err != nil {
		t.Errorf("the record of nothing is %s, %v", raw, err)
	}
	k := keysOf(map[string]string{"netboot": "", "filename": `a"<&>é`, "uefihttpboot": "http://a/?b=1&c=2"})
	raw, err := k.record()
	const want = `{"netboot":"","nextserver":null,"filename":"a\"<&>é","filename32":null,"filename64":null,` +
		`"filename32arm":null,"filename64arm":null,"uefihttpboot":"http://a/?b=1&c=2"}`
	if err != nil || string(raw) != want {
		t.Errorf("record %s, %v\nwant   %s", raw, err, want)
	}
	if back, err := parseRecord(raw); err != nil || back != (settings{keys: k}) {
		t.Errorf("read back as %v, %v", back, err)
	}
	if back, err := parseRecord(nil); err != nil || back != (settings{}) {
		t.Errorf("no record is read as %v, %v", back, err)
	}
	for _, bad := range []string{``, `{}`, `[]`, `null`, `{"netboot":""}`,
		`{"netboot":1,"nextserver":null,"filename":null,"filename32":null,"filename64":null,"filename32arm":null,` +
			`"filename64arm":null,"uefihttpboot":null}`,
		`{"netb00t":"","nextserver":null,"filename":null,"filename32":null,"filename64":null,"filename32arm":null,` +
			`"filename64arm":null,"uefihttpboot":null}`} {
		if k, err := parseRecord([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, k)
		}
	}
}

// What the settings are said to mean is what real dhcpd and Kea offered with the files that pfSense made of them.
func TestBootIsWhatIsOffered(t *testing.T) {
	text, err := os.ReadFile("testdata/offers.json")
	if err != nil {
		t.Fatal(err)
	}
	var scenes []struct {
		Name, Engine string
		Keys         map[string]string
		Offers       map[firmware.Client]struct{ Next, File, Vendor string }
	}
	if err := json.Unmarshal(text, &scenes); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes {
		f := firewall{Engine: s.Engine}
		b := keysOf(s.Keys).boot(f.can(iface{}))
		for client, offer := range s.Offers {
			got := b.Expect(client)
			// A URL that HTTP firmware could not accept is not reported as UEFI HTTP boot.
			if client.HTTP() && (offer.Vendor == "" || s.Keys["uefihttpboot"] == "") {
				if got != "" {
					t.Errorf("%s, %s: %v is said to boot from %q", s.Name, s.Engine, client, got)
				}
				continue
			}
			if got != offer.File {
				t.Errorf("%s, %s: %v is said to be sent %q, was offered %q", s.Name, s.Engine, client, got, offer.File)
			}
			if next := netip.MustParseAddr(offer.Next); b.NextServer != next &&
				(b.NextServer.IsValid() || !next.IsUnspecified()) {
				t.Errorf("%s, %s: next-server is said to be %v, was offered %v", s.Name, s.Engine, b.NextServer, next)
			}
		}
	}
	if len(scenes) < 20 {
		t.Errorf("%d scenes", len(scenes))
	}
}

func TestArchFault(t *testing.T) {
	k := keysOf(map[string]string{"netboot": "", "nextserver": "10.0.0.7", "filename": "undionly.kpxe",
		"filename64": "ipxe.efi"})
	for version, want := range map[string]string{"2.7.0-RELEASE": "ipxe.efi", "2.7.1-RELEASE": "undionly.kpxe",
		"2.7.2-RELEASE": "undionly.kpxe", "2.8.0-RELEASE": "ipxe.efi", "2.7.20-X": "ipxe.efi"} {
		f := firewall{Engine: "kea", Version: version}
		if got := k.boot(f.can(iface{})).NBP[firmware.EFI64]; got != want {
			t.Errorf("Kea of %s is said to send %q, want %q", version, got, want)
		}
		f.Engine = "isc"
		if got := k.boot(f.can(iface{})).NBP[firmware.EFI64]; got != "ipxe.efi" {
			t.Errorf("ISC of %s is said to send %q", version, got)
		}
	}
}

func TestWithLeavesAbsentAbsent(t *testing.T) {
	can := abilities{http: true}
	want := dhcp.Boot{NextServer: netip.MustParseAddr("10.0.0.7")}
	want.NBP[firmware.BIOS] = "undionly.kpxe"
	before := keysOf(map[string]string{"filename64": "", "filename64arm": "old.efi"})
	after := keysOf(map[string]string{"netboot": "", "nextserver": "10.0.0.7", "filename": "undionly.kpxe",
		"filename64": "", "filename64arm": ""})
	if got := before.with(want, can); got != after {
		t.Errorf("got  %v\nwant %v", got, after)
	}
	if got := after.with(dhcp.Boot{}, can); got[netboot].present || got[filename] != after[filename] {
		t.Errorf("off: %v", got)
	}
}
