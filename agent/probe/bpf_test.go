package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/net/bpf"
)

// bpfBuffer is what a read of bpf(4) returns for frames: each header is followed by its frame, and all but the last by
// padding.
func bpfBuffer(frames ...[]byte) []byte {
	var b []byte
	for _, f := range frames {
		for len(b)%bpfAlign != 0 {
			b = append(b, 0xee)
		}
		b = append(b, bytes.Repeat([]byte{0x11}, bpfCaplenAt)...) // the time
		b = binary.NativeEndian.AppendUint32(b, uint32(len(f)))
		b = binary.NativeEndian.AppendUint32(b, uint32(len(f)))
		b = binary.NativeEndian.AppendUint16(b, bpfHdrMin)
		b = append(b, f...)
	}
	return b
}

// A read that returns several frames hands them out in order; what cannot be read loses the rest of that read alone.
func TestBPFReader(t *testing.T) {
	one, two, three := toClient([]byte("one")), toClient([]byte("the second")), toClient(answer(typeOffer, "undionly.kpxe"))
	spoiled := bpfBuffer(one, two)
	spoiled[bpfCaplenAt] = 0xff
	reads := [][]byte{bpfBuffer(one, two), {}, bpfBuffer(three), spoiled, bpfBuffer(two)}
	r := bpfReader{buf: make([]byte, 4096), read: func(b []byte) (int, error) {
		if len(reads) == 0 {
			return -1, errors.New("device is gone")
		}
		n := copy(b, reads[0])
		reads = reads[1:]
		return n, nil
	}}
	for i, want := range [][]byte{one, two, nil, three} {
		if got, err := r.next(); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frame %d is %q, want %q (%v)", i, got, want, err)
		}
	}
	if got, err := r.next(); err == nil {
		t.Errorf("from a spoiled buffer: %q", got)
	}
	if got, err := r.next(); err != nil || !bytes.Equal(got, two) {
		t.Errorf("after it: %q, %v", got, err)
	}
	if _, err := r.next(); err == nil || err.Error() != "device is gone" {
		t.Errorf("the device's error is %v", err)
	}
}

// A header with a longer time, or of a truncated frame, is read by what it says.
func TestCutBPF(t *testing.T) {
	frame := toClient([]byte("hello"))
	wide := bpfBuffer(frame)
	wide = append(wide[:bpfHdrMin:bpfHdrMin], append(make([]byte, 8), wide[bpfHdrMin:]...)...)
	binary.NativeEndian.PutUint16(wide[bpfHdrlenAt:], bpfHdrMin+8)
	if got, rest, err := cutBPF(wide); err != nil || !bytes.Equal(got, frame) || len(rest) != 0 {
		t.Errorf("behind a wider header: %q, %d bytes left (%v)", got, len(rest), err)
	}
	cut := bpfBuffer(frame[:40])
	binary.NativeEndian.PutUint32(cut[bpfDatalenAt:], uint32(len(frame)))
	if got, _, err := cutBPF(cut); err != nil || !bytes.Equal(got, frame[:40]) {
		t.Errorf("cut short: %q (%v)", got, err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"no header":               func(b []byte) []byte { return b[:bpfHdrMin-1] },
		"less than it says":       func(b []byte) []byte { return b[:len(b)-1] },
		"inside the header":       func(b []byte) []byte { b[bpfHdrlenAt] = bpfHdrMin - 1; return b },
		"more captured than had":  func(b []byte) []byte { b[bpfDatalenAt] = 1; return b },
		"longer than any machine": func(b []byte) []byte { copy(b[bpfCaplenAt:], "\xff\xff\xff\xff\xff\xff\xff\xff"); return b },
	} {
		if got, rest, err := cutBPF(spoil(bpfBuffer(frame))); err == nil || rest != nil {
			t.Errorf("%s: %q, %d bytes left", name, got, len(rest))
		}
	}
}

// The filter that the kernel is given takes exactly what parseFrame reads.
func TestFilterOfClientPort(t *testing.T) {
	vm, err := bpf.NewVM(toClientPort)
	if err != nil {
		t.Fatal(err)
	}
	set := func(at int, v ...byte) []byte {
		b := toClient([]byte("hello"))
		copy(b[at:], v)
		return b
	}
	options := append([]byte{}, toClient([]byte("hello"))...)
	options = append(options[:ethLen+ipLen:ethLen+ipLen], append([]byte{1, 1, 1, 1}, options[ethLen+ipLen:]...)...)
	options[ethLen] = 0x46
	for name, c := range map[string]struct {
		frame []byte
		taken bool
	}{
		"to a client":      {toClient([]byte("hello")), true},
		"with IP options":  {options, true},
		"do not fragment":  {set(ethLen+6, 0x40), true},
		"VLAN tag":         {set(12, 0x81, 0x00), false},
		"TCP":              {set(ethLen+9, 6), false},
		"more fragments":   {set(ethLen+6, 0x20), false},
		"a later fragment": {set(ethLen+7, 1), false},
		"to the server":    {set(ethLen+ipLen+2, 0, portServer), false},
		"short":            {toClient(nil)[:ethLen+ipLen], false},
	} {
		n, err := vm.Run(c.frame)
		if err != nil || (n > 0) != c.taken {
			t.Errorf("%s: %d bytes are taken, want taken %t (%v)", name, n, c.taken, err)
		}
	}
}

// Whatever a device returns, its frames lie within it, in order, and reading it ends.
func FuzzCutBPF(f *testing.F) {
	f.Add(bpfBuffer(toClient([]byte("one")), toClient([]byte("two"))))
	f.Add(bpfBuffer(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		total, rest := 0, b
		for len(rest) > 0 {
			frame, after, err := cutBPF(rest)
			if err != nil {
				break
			}
			if len(after) >= len(rest) || len(frame)+bpfHdrMin > len(rest)-len(after) {
				t.Fatalf("%d bytes: a frame of %d leaves %d", len(rest), len(frame), len(after))
			}
			_, _, _ = parseFrame(frame)
			total, rest = total+len(frame), after
		}
		if total > len(b) {
			t.Errorf("%d bytes hold frames of %d", len(b), total)
		}
		if len(b) < 60000 {
			buffer := bpfBuffer(b, toClient(nil))
			if frame, after, err := cutBPF(buffer); err != nil || !bytes.Equal(frame, b) ||
				!bytes.Equal(after, bpfBuffer(toClient(nil))) {
				t.Errorf("a good buffer: %v", err)
			}
		}
	})
}
