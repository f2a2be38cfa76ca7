package boot

import (
	"net"
	"strings"
)

// Facts are what iPXE says of the machine that it runs on. All of it comes over the wire and may be a lie; what is
// not known is "". The zero Facts says nothing. Comparable.
type Facts struct {
	MAC string `json:"mac,omitempty"` // of the card that it boots from: "52:54:00:12:34:56"
	// UUID: of the system: "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60", lower case
	UUID         string `json:"uuid,omitempty"`
	Serial       string `json:"serial,omitempty"`       // of the system, as the maker wrote it
	Asset        string `json:"asset,omitempty"`        // tag
	Manufacturer string `json:"manufacturer,omitempty"` // of the system
	Product      string `json:"product,omitempty"`      // the system's model
	Platform     string `json:"platform,omitempty"`     // iPXE's ${platform}: "pcbios" or "efi"
	// Arch: iPXE's ${buildarch}: "i386", "x86_64", "arm32", "arm64", …: how iPXE was built, not what the machine is
	Arch string `json:"buildarch,omitempty"`
}

// factLength bounds each fact, in bytes. SMBIOS strings are seldom longer than 64.
const factLength = 128

// FactNames are the names of Facts in a request, which are iPXE's own settings.
func FactNames() []string {
	return []string{"mac", "uuid", "serial", "asset", "manufacturer", "product", "platform", "buildarch"}
}

// ReadFacts takes the facts of a request's query or form. get returns the value of a name, "" for none. What cannot be
// a fact (a MAC that is none, control characters, too long a text) is left out.
func ReadFacts(get func(name string) string) Facts {
	f := Facts{
		UUID: strings.ToLower(fact(get("uuid"))), Serial: fact(get("serial")), Asset: fact(get("asset")),
		Manufacturer: fact(get("manufacturer")), Product: fact(get("product")),
		Platform: fact(get("platform")), Arch: fact(get("buildarch")),
	}
	if mac, err := net.ParseMAC(strings.TrimSpace(get("mac"))); err == nil && len(mac) == 6 {
		f.MAC = mac.String()
	}
	if !isUUID(f.UUID) || strings.Trim(f.UUID, "-0") == "" || strings.Trim(f.UUID, "-f") == "" {
		f.UUID = "" // SMBIOS has all zeros, or all ones, where the machine was given none
	}
	return f
}

// fact keeps a text that a person can read on one line. A setting that iPXE does not know stays empty or as it was
// written.
func fact(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > factLength || strings.Contains(s, "${") || strings.ToValidUTF8(s, "") != s ||
		strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 }) {
		return ""
	}
	return s
}

// isUUID: 8-4-4-4-12 hex digits in lower case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (r == '-') ||
			!dash && !strings.ContainsRune("0123456789abcdef", r) {
			return false
		}
	}
	return true
}
