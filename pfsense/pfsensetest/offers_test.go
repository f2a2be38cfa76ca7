package pfsensetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// recorded is an offer as another program saw it from the real daemons, with what pfSense's own generators wrote for
// them.
type recorded struct {
	Type, Siaddr, File string
	Yiaddr             string
	O54, O60, O66, O67 *string
}

// TestOffersAreThoseOfTheRealDaemons makes each recorded situation and asks as each recorded client, in order.
func TestOffersAreThoseOfTheRealDaemons(t *testing.T) {
	files, err := filepath.Glob("testdata/offers/*.offers.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("recordings: %d, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".offers.txt")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			config := Default()
			if strings.HasSuffix(name, ".kea") {
				config.Set("dhcpbackend", "kea")
			}
			f := &Firewall{opts: Options{Release: "2.9.0-DEVELOPMENT"}, saved: config, leases: map[string]*leases{}}
			for line := range strings.Lines(string(text)) {
				line = strings.TrimSpace(line)
				if edits, is := strings.CutPrefix(line, "# edits "); is {
					applyEdits(t, config, edits)
					f.load()
				}
				if line == "NO DAEMON" && f.loaded != nil {
					t.Error("the daemon runs; the real one did not")
				}
				client, rest, isOffer := strings.Cut(line, " ")
				if isOffer && strings.HasPrefix(strings.TrimSpace(rest), "{") && client != "#" {
					compareOffer(t, f, client, rest)
				}
			}
		})
	}
}

// applyEdits makes the edits of a recording: for paths, names and values; true is an element that is there and empty.
func applyEdits(t *testing.T, config Tree, text string) {
	t.Helper()
	var edits map[string]map[string]any
	if err := json.Unmarshal([]byte(text), &edits); err != nil {
		t.Fatal(err)
	}
	for path, values := range edits {
		for name, value := range values {
			switch v := value.(type) {
			case bool:
				config.Set(path+"/"+name, "")
			case string:
				config.Set(path+"/"+name, v)
			case map[string]any: // numberoptions
				var items []Tree
				for _, one := range v["item"].([]any) {
					item := Tree{}
					for k, text := range one.(map[string]any) {
						item[k] = text.(string)
					}
					items = append(items, item)
				}
				config.Set(path+"/"+name, Tree{"item": items})
			}
		}
	}
}

func compareOffer(t *testing.T, f *Firewall, client, text string) {
	t.Helper()
	var want recorded
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	p, err := f.reply("opt1", discover(t, client, want.Yiaddr).ToBytes())
	if err != nil {
		t.Errorf("%s: %v", client, err)
		return
	}
	// What a client reads is what is on the wire.
	if p, err = dhcpv4.FromBytes(p.ToBytes()); err != nil {
		t.Fatal(err)
	}
	option := func(code uint8) *string {
		if v := p.Options.Get(dhcpv4.GenericOptionCode(code)); v != nil {
			s := string(v)
			return &s
		}
		return nil
	}
	server := p.ServerIdentifier().String()
	got := recorded{Type: p.MessageType().String(), Siaddr: p.ServerIPAddr.String(), File: p.BootFileName,
		Yiaddr: p.YourIPAddr.String(),
		O54:    &server, O60: option(60), O66: option(66), O67: option(67)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: recorded (-) and offered (+):\n%s", client, diff)
	}
}

// discover is what the recording program asked as client: with option 55 for 60, 66 and 67 unless the name says
// otherwise.
func discover(t *testing.T, client, yiaddr string) *dhcpv4.DHCPv4 {
	t.Helper()
	class, arch, params := "", -1, []uint8{1, 3, 6, 43, 60, 66, 67}
	var user []byte
	own := sha256.Sum256([]byte(client))
	mac := fmt.Sprintf("02:00:00:bb:%02x:%02x", own[0], own[1])
	switch client {
	case "bios":
		class, arch = "PXEClient:Arch:00000:UNDI:002001", 0
	case "uefi64-7", "pool2-uefi":
		class, arch = "PXEClient:Arch:00007:UNDI:003010", 7
	case "arm64":
		class, arch = "PXEClient:Arch:00011:UNDI:003010", 11
	case "http-x64":
		class, arch = "HTTPClient:Arch:00016:UNDI:003001", 16
	case "ipxe-bios":
		class, arch, user = "PXEClient:Arch:00000:UNDI:002001", 0, []byte("iPXE")
	case "plain":
		params = []uint8{1, 3, 6}
	case "no-prl-67":
		class, arch, params = "PXEClient:Arch:00000:UNDI:002001", 0, []uint8{1, 3, 6}
	case "bootp-noprl":
		class, arch, params = "PXEClient:Arch:00000:UNDI:002001", 0, nil
	case "pool2":
		class, arch = "PXEClient:Arch:00000:UNDI:002001", 0
	case "static-a":
		class, arch, mac = "PXEClient:Arch:00000:UNDI:002001", 0, "02:00:00:00:aa:01"
	case "static-b":
		class, arch, mac = "PXEClient:Arch:00000:UNDI:002001", 0, "02:00:00:00:aa:02"
	case "static-b-uefi":
		class, arch, mac = "PXEClient:Arch:00007:UNDI:003010", 7, "02:00:00:00:aa:02"
	default:
		t.Fatalf("unknown client %s", client)
	}
	hw, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dhcpv4.New(dhcpv4.WithHwAddr(hw), dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover))
	if err != nil {
		t.Fatal(err)
	}
	if arch >= 0 {
		p.UpdateOption(dhcpv4.OptClientArch(iana.Arch(arch)))
		p.UpdateOption(dhcpv4.OptClassIdentifier(class))
	}
	if user != nil {
		p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionUserClassInformation, user))
	}
	if params != nil {
		p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, params))
	}
	if strings.HasPrefix(client, "pool2") {
		p.UpdateOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(yiaddr)))
	}
	return p
}
