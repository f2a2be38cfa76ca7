package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

const (
	portServer = 67
	portClient = 68
	ethLen     = 14
	ipLen      = 20
	udpLen     = 8
)

// frame wraps a DHCP message into UDP, IPv4 and Ethernet as a client without an address sends it (RFC 2131 section
// 4.1).
func frame(src [6]byte, message []byte) []byte {
	b := make([]byte, ethLen+ipLen+udpLen, ethLen+ipLen+udpLen+len(message))
	for i := range 6 {
		b[i] = 0xff
	}
	copy(b[6:], src[:])
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[ethLen:]
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(ipLen+udpLen+len(message)))
	ip[8], ip[9] = 64, 17 // TTL, UDP
	copy(ip[16:20], []byte{255, 255, 255, 255})
	binary.BigEndian.PutUint16(ip[10:], uint16(^sum(0, ip[:ipLen])))
	udp := ip[ipLen:]
	binary.BigEndian.PutUint16(udp[0:], portClient)
	binary.BigEndian.PutUint16(udp[2:], portServer)
	length := udpLen + len(message)
	binary.BigEndian.PutUint16(udp[4:], uint16(length))
	// The pseudo header (RFC 768): source 0.0.0.0, destination, protocol, length.
	check := ^sum(sum(sum(uint32(17+length), ip[16:20]).wide(), udp).wide(), message)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], uint16(check))
	return append(b, message...)
}

// parseFrame takes the DHCP message to a client out of an Ethernet frame.
//
// The UDP checksum is not looked at: between two programs on one machine, and behind network cards that compute it
// late, what a packet socket sees has none yet. A frame with a VLAN tag belongs to another network and is refused.
func parseFrame(b []byte) (message []byte, from netip.AddrPort, err error) {
	if len(b) < ethLen+ipLen+udpLen {
		return nil, from, fmt.Errorf("%d bytes are too short for UDP over Ethernet", len(b))
	}
	if t := binary.BigEndian.Uint16(b[12:]); t != 0x0800 {
		return nil, from, fmt.Errorf("type %#04x of an Ethernet frame is not IPv4", t)
	}
	ip := b[ethLen:]
	head, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	switch {
	case ip[0]>>4 != 4 || head < ipLen || total < head+udpLen || total > len(ip):
		return nil, from, errors.New("IPv4 lengths do not fit")
	case sum(0, ip[:head]) != 0xffff:
		return nil, from, errors.New("IPv4 checksum is wrong")
	case binary.BigEndian.Uint16(ip[6:])&0x3fff != 0:
		return nil, from, errors.New("a fragment")
	case ip[9] != 17:
		return nil, from, fmt.Errorf("protocol %d is not UDP", ip[9])
	}
	udp := ip[head:total]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	switch {
	case length < udpLen || length > len(udp):
		return nil, from, errors.New("UDP length does not fit")
	case binary.BigEndian.Uint16(udp[2:]) != portClient:
		return nil, from, errors.New("not to the DHCP client port")
	}
	from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[12:16])), binary.BigEndian.Uint16(udp))
	return udp[udpLen:length], from, nil
}

// folded is a ones' complement sum, RFC 1071.
type folded uint16

func (f folded) wide() uint32 { return uint32(f) }

// sum adds b to start.
func sum(start uint32, b []byte) folded {
	s := start
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return folded(s)
}
