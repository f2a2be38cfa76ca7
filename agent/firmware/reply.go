package firmware

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Reply is a message of a DHCP server, proxyDHCP server or boot server as a client reads it. Text in it came over the
// wire.
type Reply struct {
	At   time.Duration  // since the client's first DISCOVER
	From netip.AddrPort // UDP source

	XID    uint32
	CHAddr [6]byte
	GIAddr netip.Addr

	Type       byte       // option 53 (RFC 2132 section 9.6); 0: BOOTP
	YourIP     netip.Addr // yiaddr
	NextServer netip.Addr // siaddr; 0.0.0.0 where not set
	File       string     // the header's file field up to its first NUL; empty where option 52 says that options stand there
	Overload   byte       // option 52: 1 file, 2 sname, 3 both hold options

	Options  map[byte][]byte // by code; one that came several times is joined (RFC 3396 section 7)
	LastCode byte            // code of the last option in the options field before End; 0 where padding or nothing stands there
}

// HeaderLen is the length of a DHCP message up to its options, the magic cookie included (RFC 2131 section 2).
const HeaderLen = 240

var magic = [4]byte{99, 130, 83, 99} // RFC 2131 section 3

// Parse reads a message from a server to an Ethernet client. At and From are left to the caller. It is as strict as
// firmware has to be: lengths must fit; what it does not know is kept and skipped.
func Parse(b []byte) (Reply, error) {
	var r Reply
	switch {
	case len(b) < HeaderLen:
		return r, fmt.Errorf("DHCP message of %d bytes, want at least %d", len(b), HeaderLen)
	case b[0] != 2 || b[1] != 1 || b[2] != 6:
		return r, fmt.Errorf("op %d, htype %d, hlen %d: not an answer to an Ethernet client", b[0], b[1], b[2])
	case !bytes.Equal(b[HeaderLen-4:HeaderLen], magic[:]):
		return r, errors.New("DHCP magic cookie missing")
	}
	r.XID = binary.BigEndian.Uint32(b[4:])
	copy(r.CHAddr[:], b[28:])
	r.YourIP, r.NextServer, r.GIAddr = addr4(b[16:20]), addr4(b[20:24]), addr4(b[24:28])
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
	return r, nil
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
func (r *Reply) addr(code byte) netip.Addr {
	if v := r.Options[code]; len(v) >= 4 {
		return addr4(v[:4])
	}
	return netip.Addr{}
}

// server is the address that the message names as its server's (option 54), invalid without it.
func (r *Reply) server() netip.Addr { return r.addr(54) }

func (r *Reply) lease() bool { return !r.YourIP.IsUnspecified() }

func (r *Reply) isPXE() bool  { return bytes.HasPrefix(r.Options[60], []byte("PXEClient")) }
func (r *Reply) isHTTP() bool { return bytes.HasPrefix(r.Options[60], []byte("HTTPClient")) }

// option67 is the boot file name of option 67 without the NUL that may end it, and what follows that.
func (r *Reply) option67() string {
	name, _, _ := strings.Cut(string(r.Options[67]), "\x00")
	return name
}

// first67 is the name as UEFI prefers it: option 67 before the file field.
func (r *Reply) first67() string {
	if name := r.option67(); name != "" {
		return name
	}
	return r.File
}

// firstFile is the name as iPXE and BIOS ROMs prefer it: the file field before option 67.
func (r *Reply) firstFile() string {
	if r.File != "" {
		return r.File
	}
	return r.option67()
}

// open67 reports whether option 67 is the last option and has no NUL, so that the End mark stands right behind the
// name.
func (r *Reply) open67() bool {
	v := r.Options[67]
	return len(v) > 0 && v[len(v)-1] != 0 && r.LastCode == 67
}
