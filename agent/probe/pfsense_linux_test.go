package probe

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// pfSense's own generators wrote these configurations. Next to each lie the offers that ISC dhcpd 4.4.3 and Kea 2.2
// made with it, as another program recorded them.
const pfsenseDir = "testdata/pfsense"

// recordedOffers maps the names of the recordings to clients.
var recordedOffers = map[string]firmware.Client{
	"bios": firmware.ClientBIOS, "uefi64-7": firmware.ClientEFI64, "arm64": firmware.ClientARM64,
	"http-x64": firmware.ClientHTTP64, "ipxe-bios": firmware.ClientIPXE,
}

func TestPfSense(t *testing.T) {
	lab.Need(t, "dhcpd", "kea-dhcp4")
	files, err := filepath.Glob(pfsenseDir + "/*.offers.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".offers.txt")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lab.NewSegment(t)
			server := s.Host("pfsense", "eth1", "10.99.0.1/24")
			var p *lab.Peer
			if base, isc := strings.CutSuffix(name, ".isc"); isc {
				p = server.ISC(readFile(t, base+".dhcpd.conf"), "eth1")
			} else {
				conf := readFile(t, strings.TrimSuffix(name, ".kea")+".kea-dhcp4.conf")
				p = server.Kea(lab.KeaHere(t, []byte(conf), "eth1"))
			}
			r := probeFrom(t, s.Host("client", "eth1"), Config{})
			if diff := cmp.Diff(readOffers(t, f), essence(r.Offers), sameAddr); diff != "" {
				t.Errorf("recorded (-) and offered (+):\n%s", diff)
			}
			noLeases(t, p)
			codes := map[string]bool{}
			for _, finding := range Judge(dhcp.Boot{}, r) {
				codes[finding.Code] = true
			}
			for _, code := range pfsenseFindings[name] {
				if !codes[code] {
					t.Errorf("no finding %s in %v", code, codes)
				}
			}
		})
	}
}

// pfsenseFindings are the findings that matter in each situation.
var pfsenseFindings = map[string][]string{
	"1-bios-only.isc":              {CodeArchIgnored, CodeLoop, CodeOnlyFile},
	"1-bios-only.kea":              {CodeArchIgnored, CodeLoop, CodeOnly67, CodeEnd67},
	"2-bios-uefi-arm-http.isc":     {CodeHTTPVendor, CodeLoop},
	"2-bios-uefi-arm-http.kea":     {CodeNoHTTPVendor, CodeLoop, CodeEnd67},
	"7-filename-no-nextserver.isc": {CodeNoNextServer},
	"7-filename-no-nextserver.kea": {CodeNoNextServer},
	"8-numberoptions-66-67.isc":    {CodeNoNextServer, CodeOnly67},
	"8-numberoptions-66-67.kea":    {dhcp.FindingNoFile},
	"13-kea-custom-http60.kea":     {CodeLoop},
}

// essence is an offer without what differs from run to run, and without clients that were not recorded.
func essence(offers []firmware.Offer) map[firmware.Client]firmware.Offer {
	m := map[firmware.Client]firmware.Offer{}
	for _, o := range offers {
		for _, c := range recordedOffers {
			if o.Client == c {
				m[c] = firmware.Offer{Client: c, Server: o.Server, NextServer: o.NextServer, File: o.File, Option66: o.Option66,
					Option67: o.Option67, Vendor: o.Vendor}
			}
		}
	}
	return m
}

func readOffers(t *testing.T, file string) map[firmware.Client]firmware.Offer {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := map[firmware.Client]firmware.Offer{}
	for line := range strings.Lines(string(b)) {
		name, text, _ := strings.Cut(line, " ")
		var o struct {
			SIAddr netip.Addr `json:"siaddr"`
			File   string     `json:"file"`
			O54    netip.Addr `json:"o54"`
			O60    string     `json:"o60"`
			O66    string     `json:"o66"`
			O67    string     `json:"o67"`
		}
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		c := recordedOffers[name]
		if c.HTTP() {
			o.O66 = "" // UEFI HTTP boot does not ask for it; the recording program did
		}
		m[c] = firmware.Offer{Client: c, Server: o.O54, NextServer: o.SIAddr, File: o.File, Option66: o.O66,
			Option67: o.O67, Vendor: o.O60}
	}
	return m
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(pfsenseDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
