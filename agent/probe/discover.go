package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"pxeagent/agent/firmware"
)

// DHCP message types, RFC 2132 section 9.6.
const (
	typeDiscover = 1
	typeOffer    = 2
	typeRequest  = 3
	typeACK      = 5
)

const (
	headerLen = firmware.HeaderLen
	bootReply = 2   // op of a server's message, RFC 2131 section 2
	optEnd    = 255 // RFC 2132 section 3.2
)

var magic = [4]byte{99, 130, 83, 99} // RFC 2131 section 3

// Parameter lists (option 55) as recorded from real clients.
var (
	paramsROM = []byte{1, 3, 6, 7, 12, 15, 17, 26, 42, 43, 60, 66, 67, 119, 121, 128, 129, 130, 131, 132, 133, 134, 135,
		175, 203}
	paramsPXE = []byte{1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67,
		97, 128, 129, 130, 131, 132, 133, 134, 135}
	paramsHTTP = []byte{1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 235,
		67, 97}
)

// ipxeFeatures is option 175 of a current undionly.kpxe on an Intel e1000 (PCI 8086:100e).
var ipxeFeatures = []byte{
	0xb1, 5, 1, 0x80, 0x86, 0x10, 0x0e, 0xeb, 3, 2, 0, 0, 0x17, 1, 1, 0x27, 1, 1, 0x22, 1, 1, 0x13, 1, 1,
	0x11, 1, 1, 0x19, 1, 1, 0x10, 1, 2, 0x21, 1, 1, 0x15, 1, 1, 0x18, 1, 1, 0x12, 1, 1,
}

// ipxeFeaturesEFI is option 175 of a current snponly.efi on a virtio card (PCI 1af4:1000).
var ipxeFeaturesEFI = []byte{
	0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0x00, 0xeb, 3, 1, 0, 0, 0x26, 1, 1, 0x17, 1, 1, 0x27, 1, 1, 0x24, 1, 1, 0x13, 1, 1,
	0x14, 1, 1, 0x11, 1, 1, 0x29, 1, 1, 0x15, 1, 1, 0x12, 1, 1,
}

// message is one DHCP message to be sent.
type message struct {
	client firmware.Client
	typ    byte
	xid    uint32
	mac    [6]byte
	waited time.Duration // since the first one was sent: the field secs counts on
	// broadcast asks for answers to 255.255.255.255 (RFC 2131 section 4.1): nobody has the offered address
	// yet, and a server may not know how to reach a made-up MAC.
	broadcast bool
	to        netip.AddrPort // a request to port 4011: whose
	ciaddr    netip.Addr     // and our address in it
	giaddr    netip.Addr     // the relay that answers go to
	vendor43  []byte         // option 43: the boot server that a PXE request asks for
}

// bytes is m as the firmware it stands for writes it. iPXE and BIOS ROMs begin to count secs at 4.
func (m message) bytes() []byte {
	b := make([]byte, headerLen, 576)
	b[0], b[1], b[2] = 1, 1, 6 // BOOTREQUEST, Ethernet
	binary.BigEndian.PutUint32(b[4:], m.xid)
	secs := uint16(m.waited / time.Second)
	if !m.uefi() {
		secs += 4
	}
	binary.BigEndian.PutUint16(b[8:], secs)
	if m.broadcast {
		b[10] = 0x80
	}
	if m.ciaddr.Is4() {
		copy(b[12:], m.ciaddr.AsSlice())
	}
	if m.giaddr.Is4() {
		b[3] = 1 // hops
		copy(b[24:], m.giaddr.AsSlice())
	}
	copy(b[28:], m.mac[:])
	copy(b[headerLen-4:], magic[:])
	return append(m.options(b), optEnd)
}

// uefi reports whether the client is UEFI firmware itself.
func (m message) uefi() bool { return m.client.Arch() != firmware.BIOS && !m.client.IsIPXE() }

// options appends the options in the order in which each client sends them: EDK2 its own, ROMs and iPXE that of iPXE.
//
// iPXE's client identifier (option 61) is left out, the only one that is. Firmware sends none, and for a server the
// same MAC with and without one is two clients: ISC dhcpd then sets aside an address of its pool for each DISCOVER that
// follows.
func (m message) options(b []byte) []byte {
	arch := m.client.Option93()
	class, undi, ndi, features := "PXEClient", "002001", []byte{1, 2, 1}, ipxeFeatures
	if m.client.HTTP() {
		class = "HTTPClient"
	}
	switch {
	case m.uefi():
		undi, ndi = "003000", []byte{1, 3, 0}
	case m.client.Arch() != firmware.BIOS:
		undi, ndi, features = "003010", []byte{1, 3, 10}, ipxeFeaturesEFI
	}
	option60 := []byte(fmt.Sprintf("%s:Arch:%05d:UNDI:%s", class, arch, undi))
	option93 := binary.BigEndian.AppendUint16(nil, arch)
	uuid := make([]byte, 17) // type 0 and no UUID: what a machine without one sends

	b = option(b, 53, m.typ)
	b = option(b, 57, 0x05, 0xc0) // takes messages of 1472 bytes
	if m.uefi() {
		params := paramsPXE
		if m.client.HTTP() {
			params = paramsHTTP
		}
		b = option(b, 55, params...)
		b = option(b, 97, uuid...)
		b = option(b, 94, ndi...)
		b = option(b, 93, option93...)
		b = option(b, 60, option60...)
	} else {
		b = option(b, 93, option93...)
		b = option(b, 94, ndi...)
		b = option(b, 60, option60...)
		if m.client.IsIPXE() {
			b = option(b, 77, []byte("iPXE")...)
		}
		b = option(b, 55, paramsROM...)
		if m.client.IsIPXE() {
			b = option(b, 175, features...)
		}
		b = option(b, 97, uuid...)
	}
	if len(m.vendor43) > 0 {
		b = option(b, 43, m.vendor43...)
	}
	return b
}

func option(b []byte, code byte, value ...byte) []byte {
	return append(append(b, code, byte(len(value))), value...)
}
