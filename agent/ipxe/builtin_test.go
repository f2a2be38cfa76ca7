package ipxe

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
	"pxeagent/agent/script"
)

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
		s := newSite(t, Config{Chain: chain})
		for name, original := range map[string][]byte{EFI64: binary.IpxeEFI, EFIARM64: binary.SNP} {
			_, served := s.read(tftp(name))
			if chain == ChainOff {
				if served != string(original) {
					t.Errorf("%s: %s differs from the build", chain, name)
				}
				continue
			}
			at := placeholder(t, original)
			end := at + roomEmbedded
			if original[end] != '\n' || len(served) != len(original) || served[:at] != string(original[:at]) || served[end:] != string(original[end:]) {
				t.Fatalf("%s: %s differs outside of its placeholder", chain, name)
			}
			want := "dhcp || dhcp || dhcp ||\nchain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\nchain tftp://${next-server}/autoexec.ipxe ||\nexit 1"
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
		base *url.URL
		two  bool
	}{
		{Base(netip.MustParseAddrPort("255.255.255.255:65535")), false},
		{Base(netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:65535")), false},
		{&url.URL{Scheme: "http", Host: host, Path: "/boot"}, true},
	} {
		s := newSite(t, Config{HTTP: tc.base})
		text := string(s.embedded())
		if len(text) > roomEmbedded {
			t.Errorf("%d bytes:\n%s", len(text), text)
		}
		if !strings.HasPrefix(text, "dhcp || dhcp || dhcp ||\nchain -r ") || !strings.HasSuffix(text, " ||\nexit 1") {
			t.Errorf("it may come to its end with success:\n%s", text)
		}
		if two := strings.Contains(text, "chain -r tftp://10.0.0.7/autoexec.ipxe ||\n"); two != tc.two {
			t.Errorf("two steps: %v for\n%s", two, text)
		}
		if _, second := s.read(tftp(Autoexec)); !strings.Contains(second, "chain -r "+tc.base.String()+"/ipxe/bootstrap.ipxe ||\n") {
			t.Errorf("autoexec.ipxe does not lead to %s:\n%s", tc.base, second)
		}
	}
}

func TestUsersBinaryIsServedAsItIs(t *testing.T) {
	s := newSite(t, Config{Chain: ChainEmbed})
	s.put("tftp/ipxe.efi", string(binary.IpxeEFI))
	if f, got := s.read(tftp("ipxe.efi")); got != string(binary.IpxeEFI) || f.Artifact != boot.NBP {
		t.Error("the user's own ipxe.efi was changed")
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

func TestBase(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.7:80":         "http://10.0.0.7",
		"10.0.0.7:8080":       "http://10.0.0.7:8080",
		"10.0.0.7:8":          "http://10.0.0.7:8",
		"[2001:db8::7]:80":    "http://[2001:db8::7]",
		"[2001:db8::7]:10080": "http://[2001:db8::7]:10080",
	} {
		u := Base(netip.MustParseAddrPort(addr))
		if u.String() != want {
			t.Errorf("Base(%s) = %s, want %s", addr, u, want)
		}
		if got, err := checkBase(u); err != nil || got != want {
			t.Errorf("checkBase(%s) = %s, %v", u, got, err)
		}
	}
	for in, want := range map[string]string{"http://h:80/": "http://h", "http://h:80/p/": "http://h/p", "https://h:80": "https://h:80", "https://h:8443/": "https://h:8443"} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := checkBase(u); err != nil || got != want {
			t.Errorf("checkBase(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestParseChain(t *testing.T) {
	for _, c := range Chains() {
		if got, err := ParseChain(" " + strings.ToUpper(string(c))); err != nil || got != c {
			t.Errorf("ParseChain(%s) = %q, %v", c, got, err)
		}
	}
	if _, err := ParseChain("none"); err == nil || !strings.Contains(err.Error(), `"none" is none of auto, dhcp`) {
		t.Errorf("ParseChain(none): %v", err)
	}
}
