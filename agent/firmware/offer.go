package firmware

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Offer is one answer of a DHCP server, a proxyDHCP server or, where Ask is set, of a boot server.
// Its strings came over the wire: print them quoted.
type Offer struct {
	Client     Client     `json:"client"`             // who we said we were
	Server     netip.Addr `json:"server"`             // option 54; the sender's address where that is missing
	From       netip.Addr `json:"from"`               // source address of the packet
	YourIP     netip.Addr `json:"yiaddr"`             // the address offered; 0.0.0.0 in a proxyDHCP offer
	NextServer netip.Addr `json:"siaddr"`             // the header field; 0.0.0.0 where not set
	File       string     `json:"file,omitempty"`     // the header's boot file field, up to its first NUL
	Option67   string     `json:"option67,omitempty"` // option 67, without a trailing NUL or 0xFF
	Option66   string     `json:"option66,omitempty"` // option 66, TFTP server name
	Vendor     string     `json:"option60,omitempty"` // option 60 as sent back
	Proxy      bool       `json:"proxy,omitempty"`    // no address: proxyDHCP (or port 4011)
	Via        string     `json:"via"`                // how it was heard: "raw", "udp", "relay", "pxe" (port 4011)

	NoServerID bool    `json:"no_server_id,omitempty"` // option 54 is missing: firmware does not take such an offer
	End67      string  `json:"option67_end,omitempty"` // how option 67 ends, if it stands out: see End67NUL
	Overload   byte    `json:"overload,omitempty"`     // option 52: 1 file, 2 sname, 3 both hold options
	After      Seconds `json:"after_seconds"`          // since the client's first DISCOVER

	Ask    *Ask `json:"ask,omitempty"`    // the question that this answers; nil: a DISCOVER
	Silent bool `json:"silent,omitempty"` // there was no answer to Ask

	// What follows is the packet itself. An Offer that was made and not received has nothing there; it stands for a plain
	// lease, or a proxyDHCP server's whole answer, from which everything can be reached.
	Type     byte            `json:"-"` // option 53 (RFC 2132 section 9.6); 0: BOOTP
	Port     uint16          `json:"-"` // UDP source port; 0: the server's own, 67
	Options  map[byte][]byte `json:"-"` // by code; one that came several times is joined (RFC 3396 section 7)
	LastCode byte            `json:"-"` // code of the last option before End; 0 where padding or nothing stands there
}

// Ask is a question that a client puts to a boot server before it knows what to fetch.
type Ask struct {
	// To is where it asks: the server's address and port 4011, a multicast group at 4011, or 255.255.255.255 at port 67.
	To netip.AddrPort `json:"to"`
	// Item is the type of boot server that it asks for (PXE 2.1, option 43 sub-option 71). 0 asks for none in particular.
	Item uint16 `json:"item,omitempty"`
}

// How the value of option 67 ends, for Offer.End67.
const (
	End67NUL  = "nul"  // with a NUL, as many ROMs like it
	End67Byte = "0xff" // the name itself is followed by 0xFF inside the option
	End67Last = "end"  // with nothing, and the End option (0xFF) stands right behind it
)

// Seconds is a duration that JSON has in seconds, with milliseconds: 1.024.
type Seconds time.Duration

// MarshalJSON writes s.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// UnmarshalJSON is the opposite of MarshalJSON.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("a number of seconds: %w", err)
	}
	*s = Seconds(v * float64(time.Second))
	return nil
}

// BootFile is the name that a client which asked for option 67 uses, and where it stood:
// "option 67", "file", or "" with no name at all. Firmware prefers option 67.
func (o Offer) BootFile() (name, where string) {
	switch {
	case o.Option67 != "":
		return o.Option67, "option 67"
	case o.File != "":
		return o.File, "file"
	}
	return "", ""
}

// SaysSame reports whether two offers tell a machine the same. When and how they were heard, and from which of a
// server's addresses, does not count; nor which address is offered: Kea, which does not remember its offers, takes the
// next one for each DISCOVER.
func (o Offer) SaysSame(p Offer) bool {
	// What clients look at besides the fields: mask, router, DNS, discovery, routes, iPXE's own.
	for _, code := range []byte{1, 3, 6, 43, 121, 175} {
		if !bytes.Equal(o.Options[code], p.Options[code]) {
			return false
		}
	}
	type said struct {
		client                               Client
		server, next                         netip.Addr
		file, option67, option66, class, end string
		proxy, anonymous                     bool
		overload                             byte
	}
	of := func(o Offer) said {
		return said{o.Client, o.Server, o.NextServer, o.File, o.Option67, o.Option66, o.Vendor, o.End67,
			o.Proxy, o.NoServerID, o.Overload}
	}
	return of(o) == of(p)
}

// whole is an offer with the options that the model looks at, also where it was made and not received.
func (o Offer) whole() Offer {
	if o.Options != nil {
		return o
	}
	o.Type = typeOffer
	// Everything is in the same network, and there is a DNS server.
	o.Options = map[byte][]byte{1: {0, 0, 0, 0}, 6: {10, 0, 0, 1}}
	name, _ := o.BootFile()
	for _, a := range []netip.Addr{o.Server, o.From, netip.IPv4Unspecified()} {
		if a.Is4() && !o.NoServerID {
			o.Options[54] = a.AsSlice()
			break
		}
	}
	switch {
	case o.Proxy && name == "": // announces something, and this is not the answer that has it
		o.YourIP, o.Vendor = netip.IPv4Unspecified(), ""
	case o.Proxy:
		o.YourIP = netip.IPv4Unspecified()
		if !strings.HasPrefix(o.Vendor, "HTTPClient") && !o.Client.HTTP() {
			o.Vendor = "PXEClient"
		}
	case !o.YourIP.Is4() || o.YourIP.IsUnspecified():
		o.YourIP = netip.AddrFrom4([4]byte{10, 0, 0, 1})
	}
	if o.Client.HTTP() && o.Vendor == "" && strings.Contains(name, "://") {
		o.Vendor = "HTTPClient"
	}
	if !o.NextServer.Is4() {
		o.NextServer = netip.IPv4Unspecified()
	}
	if o.Vendor != "" {
		o.Options[60] = []byte(o.Vendor)
	}
	if strings.HasPrefix(o.Vendor, "PXEClient") {
		o.Options[43] = []byte{subControl, 1, useFile}
	}
	if o.Option67 != "" {
		o.Options[67] = append([]byte(o.Option67), 0)
	}
	return o
}
