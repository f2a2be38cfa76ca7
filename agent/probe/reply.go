package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"pxeagent/agent/firmware"
)

var magic = [4]byte{99, 130, 83, 99} // RFC 2131 section 3

// bootReply is the op of a server's message, RFC 2131 section 2.
const bootReply = 2

// Options without a length, RFC 2132 section 3.
const (
	optPad = 0
	optEnd = 255
)

// How the value of option 67 ends, for Offer.End67.
const (
	End67NUL  = "nul"  // with a NUL, as many ROMs like it
	End67Byte = "0xff" // the name itself is followed by 0xFF inside the option
	End67Last = "end"  // with nothing, and the End option (0xFF) stands right behind it
)

// reply is a message from a DHCP server, parsed.
type reply struct {
	xid    uint32
	chaddr [6]byte
	typ    byte
	giaddr netip.Addr
	offer  Offer  // without Client, From and Via, which the packet does not tell
	pxe    []byte // option 43
}

// parseOffer reads one DHCPOFFER. What only the receiver knows is not set: Client, From and Via, and Server where option 54 is missing.
func parseOffer(b []byte) (firmware.Offer, error) {
	r, err := parseReply(b)
	if err == nil && r.typ != typeOffer {
		err = fmt.Errorf("message type %d is no DHCPOFFER", r.typ)
	}
	return r.offer.Offer, err
}

// parseReply reads a message of a DHCP server (RFC 2131 section 2). It is as strict as firmware has to
// be: lengths must fit; what it does not know is skipped.
func parseReply(b []byte) (reply, error) {
	var r reply
	if len(b) < headerLen {
		return r, fmt.Errorf("%d bytes are too short for DHCP", len(b))
	}
	if b[0] != bootReply || b[1] != 1 || b[2] != 6 {
		return r, fmt.Errorf("op %d, htype %d, hlen %d: not an answer to an Ethernet client", b[0], b[1], b[2])
	}
	if !bytes.Equal(b[headerLen-4:headerLen], magic[:]) {
		return r, errors.New("no DHCP magic cookie")
	}
	r.xid = binary.BigEndian.Uint32(b[4:])
	copy(r.chaddr[:], b[28:])
	r.giaddr = addr4(b[24:28])
	options, err := readOptions(b)
	if err != nil {
		return r, err
	}
	if v := options.value[53]; len(v) == 1 {
		r.typ = v[0]
	}
	r.pxe = options.value[43]
	o := &r.offer
	o.YourIP, o.NextServer = addr4(b[16:20]), addr4(b[20:24])
	o.Proxy = o.YourIP.IsUnspecified()
	if v := options.value[54]; len(v) == 4 {
		o.Server = addr4(v)
	}
	o.NoServerID = !o.Server.IsValid()
	if options.overload&1 == 0 {
		o.File, _, _ = strings.Cut(string(b[108:236]), "\x00")
	}
	o.Overload = options.overload
	o.Option66 = unpadded(options.value[66])
	o.Vendor = string(options.value[60])
	if v, ok := options.value[67]; ok {
		o.Option67 = unpadded(v)
		switch {
		case bytes.HasSuffix(v, []byte{0xff}):
			o.End67 = End67Byte
		case bytes.HasSuffix(v, []byte{0}):
			o.End67 = End67NUL
		case options.last == 67:
			o.End67 = End67Last
		}
	}
	return r, nil
}

// options are those of one message; a code that came several times is joined (RFC 3396 section 7).
type options struct {
	value    map[byte][]byte
	overload byte // option 52: 1 file, 2 sname, 3 both hold options
	last     byte // the code right before End in the options field
}

// readOptions reads the options field and, where option 52 says so, file and sname, in the order of RFC 3396 section 5.
func readOptions(b []byte) (options, error) {
	o := options{value: map[byte][]byte{}}
	last, err := o.read(b[headerLen:])
	if err != nil {
		return o, err
	}
	o.last = last
	if v := o.value[52]; len(v) == 1 && v[0] <= 3 {
		o.overload = v[0]
	}
	if o.overload&1 != 0 {
		if _, err := o.read(b[108:236]); err != nil {
			return o, fmt.Errorf("in the file field: %w", err)
		}
	}
	if o.overload&2 != 0 {
		if _, err := o.read(b[44:108]); err != nil {
			return o, fmt.Errorf("in the sname field: %w", err)
		}
	}
	return o, nil
}

func (o *options) read(b []byte) (last byte, err error) {
	for len(b) > 0 {
		code := b[0]
		switch {
		case code == optEnd:
			return last, nil
		case code == optPad:
			b, last = b[1:], optPad
			continue
		case len(b) < 2 || len(b)-2 < int(b[1]):
			return 0, fmt.Errorf("option %d is cut off", code)
		}
		n := 2 + int(b[1])
		o.value[code] = append(o.value[code], b[2:n]...)
		b, last = b[n:], code
	}
	return 0, nil // no End: tolerated, as clients do
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// unpadded is an option's text without what follows it in the packet: NULs, or the byte of option 255.
func unpadded(v []byte) string {
	for len(v) > 0 && (v[len(v)-1] == 0 || v[len(v)-1] == 0xff) {
		v = v[:len(v)-1]
	}
	return string(v)
}
