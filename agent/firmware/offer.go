package firmware

import "net/netip"

// Offer is one DHCPOFFER seen on the wire, reduced to what network boot needs.
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
