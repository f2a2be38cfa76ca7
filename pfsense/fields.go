package pfsense

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"

	"pxeagent/agent/dhcp"
)

// field is one of the settings of dhcpd/<id> that are pxeagent's.
type field int

const (
	netboot field = iota // a flag: on where it is there, whatever its text
	nextserver
	filename // BIOS, and every architecture that has no name of its own
	filename32
	filename64
	filename32arm
	filename64arm
	uefihttpboot // one URL for every client of UEFI HTTP boot
	numFields
)

var fieldNames = [numFields]string{"netboot", "nextserver", "filename", "filename32", "filename64", "filename32arm", "filename64arm", "uefihttpboot"}

var nameFields = [dhcp.NumArch]field{dhcp.BIOS: filename, dhcp.EFI32: filename32, dhcp.EFI64: filename64, dhcp.ARM32: filename32arm, dhcp.ARM64: filename64arm}

// setting tells absent and empty apart; to pfSense they differ, and so does a revert.
type setting struct {
	there bool
	text  string
}

// keys are all of them, comparable with ==. The zero keys are those of an interface where none was ever set.
type keys [numFields]setting

// MarshalJSON writes an object with every field in order, null where it is absent. It is the form in which the firewall is
// asked, and most of a state's record.
func (k keys) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for f, s := range k {
		if f > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", fieldNames[f])
		if !s.there {
			b.WriteString("null")
			continue
		}
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(s.text); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON wants every field: one that is missing is not one that is absent on the firewall.
func (k *keys) UnmarshalJSON(data []byte) error {
	var all map[string]*string
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("network boot settings: %w", err)
	}
	if len(all) != int(numFields) {
		return fmt.Errorf("network boot settings: %d fields, want %d", len(all), numFields)
	}
	for f, name := range fieldNames {
		text, known := all[name]
		if !known {
			return fmt.Errorf("network boot settings: no field %s", name)
		}
		k[f] = setting{}
		if text != nil {
			k[f] = setting{true, *text}
		}
	}
	return nil
}

// set gives f a text. An empty one where there is none leaves it as it is: absent stays absent, empty stays empty.
func (k *keys) set(f field, text string) {
	if text != "" || k[f].there {
		k[f] = setting{true, text}
	}
}

// abilities are what a DHCP engine of pfSense makes of the settings.
type abilities struct {
	oneName bool // Kea of 2.7.1 and 2.7.2: the BIOS name for every architecture
	http    bool // a URL reaches UEFI HTTP firmware, so that it is taken for one
	script  bool // iPXE is sent where a class of Kea says
}

// boot is what k makes the firewall say.
func (k keys) boot(can abilities) dhcp.Boot {
	var b dhcp.Boot
	if !k[netboot].there {
		return b
	}
	if a, err := netip.ParseAddr(k[nextserver].text); err == nil && a.Is4() && !a.IsUnspecified() {
		b.NextServer = a
	}
	for arch, f := range nameFields {
		if b.NBP[arch] = k[f].text; b.NBP[arch] == "" || can.oneName {
			b.NBP[arch] = k[filename].text
		}
		if can.http && dhcp.Arch(arch) != dhcp.BIOS {
			b.URL[arch] = k[uefihttpboot].text
		}
	}
	return b
}

// with is k changed so that it says want. To turn network boot off only its flag goes: the rest has no effect then, and whoever
// turns it on again by hand finds what was there.
func (k keys) with(want dhcp.Boot, can abilities) keys {
	if want == (dhcp.Boot{}) {
		k[netboot] = setting{}
		return k
	}
	k[netboot].there = true
	next := ""
	if want.NextServer.IsValid() {
		next = want.NextServer.String()
	}
	k.set(nextserver, next)
	for arch, f := range nameFields {
		k.set(f, want.NBP[arch])
	}
	if can.http {
		k.set(uefihttpboot, oneURL(want))
	}
	return k
}

// oneURL is the URL that want has for some architecture, or "". Two different ones are refused before.
func oneURL(want dhcp.Boot) string {
	for _, u := range want.URL {
		if u != "" {
			return u
		}
	}
	return ""
}
