package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// HeaderLen is the length of a DHCP message up to its options, the magic cookie included (RFC 2131 section 2).
const HeaderLen = 240

var magic = [4]byte{99, 130, 83, 99} // RFC 2131 section 3

// Parse reads a message from a server to an Ethernet client. It is as strict as firmware has to be: lengths must fit;
// what it does not know is kept and skipped. What only the receiver knows is left to the caller: Client, From, Port,
// Via, After, Ask, and Server where option 54 is missing.
func Parse(b []byte) (Offer, error) {
	var r Offer
	switch {
	case len(b) < HeaderLen:
		return r, fmt.Errorf("DHCP message of %d bytes, want at least %d", len(b), HeaderLen)
	case b[0] != 2 || b[1] != 1 || b[2] != 6:
		return r, fmt.Errorf("op %d, htype %d, hlen %d: not an answer to an Ethernet client", b[0], b[1], b[2])
	case !bytes.Equal(b[HeaderLen-4:HeaderLen], magic[:]):
		return r, errors.New("DHCP magic cookie missing")
	}
	r.YourIP, r.NextServer = addr4(b[16:20]), addr4(b[20:24])
	r.Proxy = r.YourIP.IsUnspecified()
	r.Options = map[byte][]byte{}
	last, err := readOptions(b[HeaderLen:], r.Options)
	if err != nil {
		return r, err
	}
	r.LastCode = last
	if v := r.Options[53]; len(v) == 1 {
		r.Type = v[0]
	}
	if v := r.Options[52]; len(v) == 1 && v[0] <= 3 {
		r.Overload = v[0]
	}
	// RFC 3396 section 5: first the file field, then sname.
	if r.Overload&1 != 0 {
		if _, err := readOptions(b[108:236], r.Options); err != nil {
			return r, fmt.Errorf("in the file field: %w", err)
		}
	} else {
		r.File, _, _ = strings.Cut(string(b[108:236]), "\x00")
	}
	if r.Overload&2 != 0 {
		if _, err := readOptions(b[44:108], r.Options); err != nil {
			return r, fmt.Errorf("in the sname field: %w", err)
		}
	}
	if v := r.Options[54]; len(v) == 4 {
		r.Server = addr4(v)
	}
	r.NoServerID = !r.Server.IsValid()
	r.Option66, r.Option67, r.Vendor = unpadded(r.Options[66]), unpadded(r.Options[67]), string(r.Options[60])
	switch v := r.Options[67]; {
	case bytes.HasSuffix(v, []byte{0xff}):
		r.End67 = End67Byte
	case bytes.HasSuffix(v, []byte{0}):
		r.End67 = End67NUL
	case r.open67():
		r.End67 = End67Last
	}
	return r, nil
}

// unpadded is an option's text without what follows it in the packet: NULs, or the byte of option 255.
func unpadded(v []byte) string {
	for len(v) > 0 && (v[len(v)-1] == 0 || v[len(v)-1] == 0xff) {
		v = v[:len(v)-1]
	}
	return string(v)
}

// port is the source port.
func (r *Offer) port() uint16 {
	if r.Port == 0 {
		return portDHCP
	}
	return r.Port
}

// readOptions adds what stands in b to into. A missing End is tolerated, as clients do.
func readOptions(b []byte, into map[byte][]byte) (last byte, err error) {
	for len(b) > 0 {
		switch code := b[0]; {
		case code == 255: // End, RFC 2132 section 3.2
			return last, nil
		case code == 0: // Pad
			b, last = b[1:], 0
		case len(b) < 2 || len(b)-2 < int(b[1]):
			return 0, fmt.Errorf("option %d is cut off", code)
		default:
			n := 2 + int(b[1])
			into[code] = append(into[code], b[2:n]...)
			b, last = b[n:], code
		}
	}
	return 0, nil
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// addr is the first address in an option; invalid where there is none.
func (r *Offer) addr(code byte) netip.Addr {
	if v := r.Options[code]; len(v) >= 4 {
		return addr4(v[:4])
	}
	return netip.Addr{}
}

// server is the address that the message names as its server's (option 54), invalid without it.
func (r *Offer) server() netip.Addr { return r.addr(54) }

func (r *Offer) lease() bool { return !r.YourIP.IsUnspecified() }

func (r *Offer) isPXE() bool  { return bytes.HasPrefix(r.Options[60], []byte("PXEClient")) }
func (r *Offer) isHTTP() bool { return bytes.HasPrefix(r.Options[60], []byte("HTTPClient")) }

// option67 is the boot file name of option 67 without the NUL that may end it, and what follows that.
func (r *Offer) option67() string {
	name, _, _ := strings.Cut(string(r.Options[67]), "\x00")
	return name
}

// first67 is the name as UEFI prefers it: option 67 before the file field.
func (r *Offer) first67() string {
	if name := r.option67(); name != "" {
		return name
	}
	return r.File
}

// firstFile is the name as iPXE and BIOS ROMs prefer it: the file field before option 67.
func (r *Offer) firstFile() string {
	if r.File != "" {
		return r.File
	}
	return r.option67()
}

// open67 reports whether option 67 is the last option and has no NUL, so that the End mark stands right behind the
// name.
func (r *Offer) open67() bool {
	v := r.Options[67]
	return len(v) > 0 && v[len(v)-1] != 0 && r.LastCode == 67
}
