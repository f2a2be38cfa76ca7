package ipxe

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/script"
)

// destination is the menu of an agent whose HTTP tree has that URL.
func destination(base string) Destination {
	return Destination{base + "/ipxe/bootstrap.ipxe", netip.MustParseAddr("10.0.0.7")}
}

// placeholder is where the room in a binary is, found by the beginning of the text that stands there.
func placeholder(t *testing.T, efi []byte) int {
	t.Helper()
	const mark = "\n#a8b7e61f1075c37a"
	at := bytes.Index(efi, []byte(mark))
	if at < 0 || bytes.Count(efi, []byte(mark)) != 1 {
		t.Fatalf("%d placeholders in the binary, want 1", bytes.Count(efi, []byte(mark)))
	}
	return at + 1
}

func TestEmbeddedScriptFillsThePlaceholderAndNothingElse(t *testing.T) {
	for _, chain := range Chains() {
		files, err := Binaries(chain, destination("http://10.0.0.7:8080"))
		if err != nil {
			t.Fatal(err)
		}
		for name, original := range map[string][]byte{EFI64: binary.IpxeEFI, EFIARM64: binary.SNP} {
			served := string(files[name])
			if chain == ChainOff {
				if served != string(original) {
					t.Errorf("%s: %s differs from the build", chain, name)
				}
				continue
			}
			at := placeholder(t, original)
			end := at + roomEmbedded
			if original[end] != '\n' || len(served) != len(original) || served[:at] != string(original[:at]) ||
				served[end:] != string(original[end:]) {
				t.Fatalf("%s: %s differs outside of its placeholder", chain, name)
			}
			want := "dhcp || dhcp || dhcp ||\nchain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\nchain " +
				"tftp://${next-server}/autoexec.ipxe ||\nexit 1"
			if chain == ChainDHCP || chain == ChainTFTP {
				want = "dhcp || dhcp || dhcp ||\nautoboot ||\nexit 1"
			}
			if got := strings.TrimRight(served[at:end], " "); got != want {
				t.Errorf("%s: %s carries\n%s\nwant\n%s", chain, name, got, want)
			}
			// As iPXE reads it: in the middle of that build's own script.
			if f := script.Faults([]byte("#!ipxe\n" + served[at:end])); f != nil {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func TestLongURLGoesByWayOfAutoexec(t *testing.T) {
	host := strings.Repeat("a", 60) + ".example.org"
	for _, tc := range []struct {
		base string
		two  bool
	}{
		{"http://255.255.255.255:65535", false},
		{"http://[2001:db8:1111:2222:3333:4444:5555:6666]:65535", false},
		{"http://" + host + "/boot", true},
	} {
		d := destination(tc.base)
		text := string(d.short(ChainAuto))
		if len(text) > roomEmbedded {
			t.Errorf("%d bytes:\n%s", len(text), text)
		}
		if !strings.HasPrefix(text, "dhcp || dhcp || dhcp ||\nchain -r ") || !strings.HasSuffix(text, " ||\nexit 1") {
			t.Errorf("it may come to its end with success:\n%s", text)
		}
		if two := strings.Contains(text, "chain -r tftp://10.0.0.7/autoexec.ipxe ||\n"); two != tc.two {
			t.Errorf("two steps: %v for\n%s", two, text)
		}
		if second := string(d.Autoexec()); !strings.Contains(second, "chain -r "+tc.base+"/ipxe/bootstrap.ipxe ||\n") {
			t.Errorf("autoexec.ipxe does not lead to %s:\n%s", tc.base, second)
		}
	}
}

func TestFillNeedsRoom(t *testing.T) {
	if _, err := fill(binary.Undionly, []byte("exit")); err == nil {
		t.Error("a compressed binary was filled")
	}
	if _, err := fill(binary.IpxeEFI, bytes.Repeat([]byte("x"), roomEmbedded+1)); err == nil {
		t.Error("a script that is too long was embedded")
	}
}
