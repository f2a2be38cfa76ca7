package probe

import (
	"net/netip"
	"slices"

	"pxeagent/agent/firmware"
)

// Level is how much a finding matters.
type Level string

const (
	Wrong   Level = "wrong"   // a machine does not boot, or not as it should
	Warning Level = "warning" // some machines do not boot, or only because pxeagent helps out
	Note    Level = "note"    // worth knowing; nothing fails for it
)

func (l Level) rank() int { return slices.Index([]Level{Wrong, Warning, Note}, l) }

// Codes of findings beside those of package dhcp, whose meaning is the same here. They are stable.
const (
	CodeNoServerID    = "no-server-id"      // option 54 is missing
	CodeNoNextServer  = "no-next-server"    // a file name, and siaddr 0.0.0.0
	CodeNoAddress     = "no-address"        // proxyDHCP answers only
	CodeProxySilent   = "proxy-silent"      // no boot file by proxyDHCP, nor on port 4011
	CodeServersDiffer = "servers-differ"    // several servers, several answers
	CodeSecondServer  = "second-server"     // several servers lease addresses, and not all name a boot file
	CodeOnly67        = "only-option-67"    // the boot file is not in the header
	CodeOnlyFile      = "only-file"         // the boot file is not in option 67
	CodeBothDiffer    = "file-and-67"       // the header and option 67 name different files
	CodeEnd67         = "option-67-end"     // 0xFF follows the name
	CodeOverload      = "overload"          // option 52
	CodeHTTPVendor    = "httpclient-to-pxe" // option 60 HTTPClient sent to a PXE client
	CodeNoHTTPVendor  = "httpclient-missing"
	CodeNoURL         = "url-missing"     // UEFI HTTP boot is sent a file name
	CodeLoop          = "ipxe-loop"       // iPXE is sent the NBP
	CodeArchIgnored   = "arch-ignored"    // UEFI is sent the BIOS file
	CodeLocal         = "local-address"   // next-server, or the URL's host, is a loopback or link-local address
	CodeLong          = "name-too-long"   // over 127 bytes
	CodeCharacters    = "name-characters" // control characters, quotes, …
)

// maxName is the longest boot file name that fits the header with its NUL, RFC 2131 section 2.
const maxName = 127

// Finding is one thing about the offers that is not as it should be, or that should be known.
type Finding struct {
	Code    string            `json:"code"`
	Level   Level             `json:"level"`
	Clients []firmware.Client `json:"clients"`
	Server  netip.Addr        `json:"server,omitzero"` // whose offer; none where it is not about one server's
	Text    string            `json:"text"`            // what is so, one sentence; what came over the wire is quoted
	Remedy  string            `json:"remedy,omitempty"`
}

// Verdict is the outcome of a probe as a whole.
type Verdict string

const (
	VerdictOK      Verdict = "ok"
	VerdictNoOffer Verdict = "no-offer" // nobody answered any client
	VerdictWrong   Verdict = "wrong"    // there is a finding of level Wrong
)

// Sum is the outcome: r without any offer, a finding that is Wrong, or neither.
func Sum(r Report, findings []Finding) Verdict {
	switch {
	case len(r.Offers) == 0:
		return VerdictNoOffer
	case slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Wrong }):
		return VerdictWrong
	}
	return VerdictOK
}
