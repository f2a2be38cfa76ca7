package probe

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{})

// answer makes a server's message: yiaddr 10.77.0.50, siaddr 10.77.0.7, then the options as given.
func answer(typ byte, file string, options ...[]byte) []byte {
	b := make([]byte, headerLen)
	b[0], b[1], b[2] = 2, 1, 6
	binary.BigEndian.PutUint32(b[4:], 0xcafe)
	copy(b[16:], []byte{10, 77, 0, 50})
	copy(b[20:], []byte{10, 77, 0, 7})
	copy(b[28:], []byte{2, 0, 0, 0, 0, 1})
	copy(b[108:236], file)
	copy(b[headerLen-4:], magic[:])
	b = option(b, 53, typ)
	b = option(b, 54, 10, 77, 0, 1)
	for _, o := range options {
		b = append(b, o...)
	}
	return append(b, optEnd)
}

func text(code byte, s string) []byte { return option(nil, code, []byte(s)...) }
