package probe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"pxeagent/agent/firmware"
)

// field is an option as it stands in a packet.
type field struct {
	Code  byte
	Value []byte
}

func fields(t *testing.T, b []byte) (list []field) {
	t.Helper()
	for b = b[headerLen:]; len(b) > 0 && b[0] != optEnd; b = b[2+int(b[1]):] {
		list = append(list, field{b[0], b[2 : 2+int(b[1])]})
	}
	return list
}

// recorded is what real clients sent.
func recorded(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/discover.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Client string `json:"client"`
		Raw    string `json:"raw_hex"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	packets := map[string][]byte{}
	for _, r := range list {
		if packets[r.Client], err = hex.DecodeString(r.Raw); err != nil {
			t.Fatal(err)
		}
	}
	return packets
}

func TestDiscoverIsWhatFirmwareSends(t *testing.T) {
	for name, want := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			m := message{typ: typeDiscover, xid: binary.BigEndian.Uint32(want[4:]), broadcast: true}
			if err := m.client.UnmarshalText([]byte(name)); err != nil {
				t.Fatal(err)
			}
			copy(m.mac[:], want[28:])
			got := m.bytes()

			header := slices.Clone(want[:headerLen])
			header[10] = 0x80 // a BIOS ROM does not ask for a broadcast answer; a made-up MAC has to
			if !bytes.Equal(got[:headerLen], header) {
				t.Errorf("header is\n%x, recorded\n%x", got[:headerLen], header)
			}
			options := slices.DeleteFunc(fields(t, want), func(f field) bool { return f.Code == 61 }) // left out on purpose
			machineID(options)
			if name == "ipxe-efi64" {
				// A build of 2025; those of 2026 ask for option 121 as well.
				asks := slices.IndexFunc(options, func(f field) bool { return f.Code == 55 })
				options[asks].Value = slices.Insert(slices.Clone(options[asks].Value), 14, byte(121))
			}
			if diff := cmp.Diff(options, fields(t, got)); diff != "" {
				t.Errorf("options, recorded (-) and sent (+):\n%s", diff)
			}
			if got[len(got)-1] != optEnd {
				t.Error("does not end with End")
			}
		})
	}
}

// machineID makes option 97 that of a machine without a UUID.
func machineID(list []field) {
	for _, f := range list {
		if f.Code == 97 {
			clear(f.Value)
		}
	}
}

func TestDiscoverOfOtherArchitectures(t *testing.T) {
	base := fields(t, message{client: firmware.ClientEFI64, typ: typeDiscover}.bytes())
	for c, arch := range map[firmware.Client]string{firmware.ClientEFIBC: "00009", firmware.ClientEFI32: "00006",
		firmware.ClientARM64: "00011"} {
		want := slices.Clone(base)
		for i, f := range want {
			switch f.Code {
			case 93:
				want[i].Value = binary.BigEndian.AppendUint16(nil, c.Option93())
			case 60:
				want[i].Value = []byte("PXEClient:Arch:" + arch + ":UNDI:003000")
			}
		}
		if diff := cmp.Diff(want, fields(t, message{client: c, typ: typeDiscover}.bytes())); diff != "" {
			t.Errorf("%s:\n%s", c, diff)
		}
	}
}

// Another implementation reads from each packet what was meant.
func TestDiscoverIsRead(t *testing.T) {
	for _, c := range append(firmware.Clients(), firmware.ClientIPXE64, firmware.ClientIPXE32, firmware.ClientIPXEARM64) {
		m := message{client: c, typ: typeDiscover, xid: 0x01020304, mac: [6]byte{2, 0, 0, 0, 0, 9}, broadcast: true,
			waited: 3 * time.Second,
			giaddr: netip.MustParseAddr("10.77.0.9")}
		p, err := dhcpv4.FromBytes(m.bytes())
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		if p.MessageType() != dhcpv4.MessageTypeDiscover || !p.IsBroadcast() ||
			p.ClientHWAddr.String() != "02:00:00:00:00:09" ||
			p.TransactionID != (dhcpv4.TransactionID{1, 2, 3, 4}) || !p.GatewayIPAddr.Equal(net.IPv4(10, 77, 0, 9)) ||
			p.HopCount != 1 {
			t.Errorf("%s is read as %s", c, p.Summary())
		}
		if arch := p.ClientArch(); len(arch) != 1 || uint16(arch[0]) != c.Option93() {
			t.Errorf("%s: architecture %v", c, arch)
		}
		want := uint16(3)
		if c.Arch() == firmware.BIOS || c.IsIPXE() {
			want += 4
		}
		if p.NumSeconds != want {
			t.Errorf("%s: secs %d", c, p.NumSeconds)
		}
		if got := len(p.UserClass()) > 0; got != c.IsIPXE() {
			t.Errorf("%s: user class is there: %v", c, got)
		}
	}
}
