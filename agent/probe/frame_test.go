package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// toClient is a frame as a server sends it: frame's, turned round, from 10.77.0.1.
func toClient(message []byte) []byte {
	b := frame([6]byte{2, 0, 0, 0, 0, 1}, message)
	ip := b[ethLen:]
	copy(ip[12:16], []byte{10, 77, 0, 1})
	binary.BigEndian.PutUint16(ip[ipLen:], portServer)
	binary.BigEndian.PutUint16(ip[ipLen+2:], portClient)
	return checked(b)
}

// checked puts the IP checksum right.
func checked(b []byte) []byte {
	head := int(b[ethLen]&15) * 4
	ip := b[ethLen:][:head]
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], uint16(^sum(0, ip)))
	return b
}

func TestFrame(t *testing.T) {
	for _, message := range [][]byte{[]byte("even"), []byte("odd"), {}} {
		b := frame([6]byte{2, 0, 0, 0, 0, 1}, message)
		if !bytes.Equal(b[:14], []byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0}) {
			t.Errorf("Ethernet header %x", b[:14])
		}
		if sum(0, b[ethLen:][:ipLen]) != 0xffff {
			t.Error("IP checksum is wrong")
		}
		// RFC 768: with the pseudo header, everything adds up to all ones.
		udp := b[ethLen+ipLen:]
		pseudo := append(append([]byte{}, b[ethLen+12:ethLen+20]...), 0, 17, 0, byte(len(udp)))
		if sum(sum(0, pseudo).wide(), udp) != 0xffff {
			t.Errorf("UDP checksum is wrong for %q", message)
		}
	}
}

func TestParseFrame(t *testing.T) {
	padded := append(toClient([]byte("short")), make([]byte, 20)...) // Ethernet pads to 60 bytes
	message, from, err := parseFrame(padded)
	if err != nil || string(message) != "short" || from != netip.MustParseAddrPort("10.77.0.1:67") {
		t.Errorf("%q from %s, %v", message, from, err)
	}
	options := toClient([]byte("with IP options"))
	options = append(options[:ethLen+ipLen:ethLen+ipLen], append([]byte{1, 1, 1, 1}, options[ethLen+ipLen:]...)...)
	options[ethLen] = 0x46
	binary.BigEndian.PutUint16(options[ethLen+2:], uint16(len(options)-ethLen))
	if message, _, err := parseFrame(checked(options)); err != nil || string(message) != "with IP options" {
		t.Errorf("%q, %v", message, err)
	}
	late := toClient([]byte("checksum not computed yet"))
	late[ethLen+ipLen+6] ^= 0xff
	if _, _, err := parseFrame(late); err != nil {
		t.Error(err)
	}
}

func TestParseFrameRefuses(t *testing.T) {
	set := func(at int, v ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], v); return checked(b) }
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"short":            func(b []byte) []byte { return b[:41] },
		"cut off":          func(b []byte) []byte { return b[:len(b)-1] },
		"VLAN tag":         set(12, 0x81, 0x00),
		"IPv6":             set(ethLen, 0x65),
		"header of 16":     func(b []byte) []byte { b[ethLen] = 0x44; return b },
		"header of 60":     func(b []byte) []byte { b[ethLen] = 0x4f; return b },
		"IP too long":      set(ethLen+2, 0xff, 0xff),
		"IP too short":     set(ethLen+2, 0, 27),
		"more fragments":   set(ethLen+6, 0x20),
		"a later fragment": set(ethLen+7, 1),
		"TCP":              set(ethLen+9, 6),
		"IP checksum":      func(b []byte) []byte { b[ethLen+10]++; return b },
		"UDP too long":     set(ethLen+ipLen+4, 0xff, 0xff),
		"UDP too short":    set(ethLen+ipLen+4, 0, 7),
		"to the server":    set(ethLen+ipLen+2, 0, portServer),
	} {
		if message, _, err := parseFrame(spoil(toClient([]byte("hello")))); err == nil {
			t.Errorf("%s: taken, %q", name, message)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(toClient([]byte("hello")))
	f.Add(toClient(answer(typeOffer, "undionly.kpxe")))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, toClient(b)} {
			message, from, err := parseFrame(b)
			if err == nil && (len(message) > len(b)-ethLen-ipLen-udpLen || !from.Addr().Is4()) {
				t.Errorf("%d bytes out of %d, from %s", len(message), len(b), from)
			}
		}
		if len(b) < 60000 {
			if message, _, err := parseFrame(toClient(b)); err != nil || !bytes.Equal(message, b) {
				t.Errorf("a good frame: %v", err)
			}
		}
	})
}
