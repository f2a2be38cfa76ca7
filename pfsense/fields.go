package pfsense

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// field is one of the settings of dhcpd/<id> that pxeagent owns.
type field int

const (
	netboot field = iota // a flag: enabled if present, whatever its text
	nextserver
	filename // BIOS, and every architecture without its own name
	filename32
	filename64
	filename32arm
	filename64arm
	uefihttpboot // one URL for every client of UEFI HTTP boot
	numFields
)

var fieldNames = [numFields]string{"netboot", "nextserver", "filename", "filename32", "filename64", "filename32arm",
	"filename64arm", "uefihttpboot"}

var nameFields = [firmware.NumArch]field{firmware.BIOS: filename, firmware.EFI32: filename32,
	firmware.EFI64: filename64,
	firmware.ARM32: filename32arm, firmware.ARM64: filename64arm}

// setting keeps absent and empty apart, as pfSense does and a revert must.
type setting struct {
	present bool
	text    string
}

// keys are all of them, comparable with ==. The zero keys are those of an interface where none was ever set.
type keys [numFields]setting

// MarshalJSON writes an object with every field in order, null if absent. It is the form that the programs use,
// and most of a state's record.
func (k keys) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for f, s := range k {
		if f > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", fieldNames[f])
		if !s.present {
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

// UnmarshalJSON requires every field: a missing one does not mean absent on the firewall.
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
			return fmt.Errorf("network boot settings: missing field %s", name)
		}
		k[f] = setting{}
		if text != nil {
			k[f] = setting{true, *text}
		}
	}
	return nil
}

// set sets the text of f. Setting "" keeps absent absent and empty empty.
func (k *keys) set(f field, text string) {
	if text != "" || k[f].present {
		k[f] = setting{true, text}
	}
}

// abilities are how a DHCP engine of pfSense uses the settings.
type abilities struct {
	oneName bool // Kea of 2.7.1 and 2.7.2: the BIOS name for every architecture
	http    bool // a URL reaches UEFI HTTP firmware and is accepted by it
	script  bool // a Kea class can send iPXE the script
}

// boot is what the firewall sends with k.
func (k keys) boot(can abilities) dhcp.Boot {
	var b dhcp.Boot
	if !k[netboot].present {
		return b
	}
	if a, err := netip.ParseAddr(k[nextserver].text); err == nil && a.Is4() && !a.IsUnspecified() {
		b.NextServer = a
	}
	for arch, f := range nameFields {
		if b.NBP[arch] = k[f].text; b.NBP[arch] == "" || can.oneName {
			b.NBP[arch] = k[filename].text
		}
		if can.http && firmware.Arch(arch) != firmware.BIOS {
			b.URL[arch] = k[uefihttpboot].text
		}
	}
	return b
}

// with is k changed to send want. To disable network boot only its flag is removed: the rest has no effect then, and is
// still there for somebody who enables it again by hand.
func (k keys) with(want dhcp.Boot, can abilities) keys {
	if want == (dhcp.Boot{}) {
		k[netboot] = setting{}
		return k
	}
	k[netboot].present = true
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

// oneURL is the URL that want has for UEFI x64, else that for another architecture, or "": there is one field for all.
func oneURL(want dhcp.Boot) string {
	if u := want.URL[firmware.EFI64]; u != "" {
		return u
	}
	for _, u := range want.URL {
		if u != "" {
			return u
		}
	}
	return ""
}
