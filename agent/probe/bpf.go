package probe

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// toClientPort takes unfragmented IPv4 UDP to port 68, in Ethernet.
var toClientPort = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x0800, SkipTrue: 8},
	bpf.LoadAbsolute{Off: 23, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 17, SkipTrue: 6},
	bpf.LoadAbsolute{Off: 20, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 4},
	bpf.LoadMemShift{Off: 14},
	bpf.LoadIndirect{Off: 16, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: portClient, SkipTrue: 1},
	bpf.RetConstant{Val: 65535},
	bpf.RetConstant{Val: 0},
}

// What precedes each frame in a buffer of bpf(4), struct bpf_hdr: a time of 16 bytes, then two lengths of 4 and one of
// 2, in this machine's byte order. bh_hdrlen counts from the struct's begin to the frame, which is placed so that what
// follows its Ethernet header is aligned. The next struct begins at a multiple of bpfAlign. These are the numbers of
// FreeBSD's 64-bit platforms; ways_freebsd.go compares them with the system's.
const (
	bpfCaplenAt  = 16 // bh_caplen: bytes of the frame that are here
	bpfDatalenAt = 20 // bh_datalen: bytes that it had
	bpfHdrlenAt  = 24 // bh_hdrlen
	bpfHdrMin    = 26
	bpfAlign     = 8
)

// cutBPF takes the first frame off a buffer of bpf(4). After an error there is no rest: where the next struct would
// begin is not known.
func cutBPF(b []byte) (frame, rest []byte, err error) {
	if len(b) < bpfHdrMin {
		return nil, nil, fmt.Errorf("%d bytes are too short for a header of bpf", len(b))
	}
	captured := uint64(binary.NativeEndian.Uint32(b[bpfCaplenAt:]))
	had := uint64(binary.NativeEndian.Uint32(b[bpfDatalenAt:]))
	begin := uint64(binary.NativeEndian.Uint16(b[bpfHdrlenAt:]))
	end := begin + captured
	if begin < bpfHdrMin || captured > had || end > uint64(len(b)) {
		return nil, nil, fmt.Errorf("a header of bpf says that a frame lies at %d to %d of %d bytes", begin, end, len(b))
	}
	// After the last frame nothing is padded.
	next := min((end+bpfAlign-1)/bpfAlign*bpfAlign, uint64(len(b)))
	return b[begin:end], b[next:], nil
}

// bpfReader hands out, one by one, the frames that a device of bpf(4) returns together.
type bpfReader struct {
	read func([]byte) (int, error)
	buf  []byte // as long as the kernel's, or read fails
	rest []byte
}

// next is one frame, valid until the next call; nil where none came in the time that a read waits.
func (r *bpfReader) next() (frame []byte, err error) {
	if len(r.rest) == 0 {
		n, err := r.read(r.buf)
		if err != nil || n <= 0 {
			return nil, err
		}
		r.rest = r.buf[:n]
	}
	frame, r.rest, err = cutBPF(r.rest)
	return frame, err
}
