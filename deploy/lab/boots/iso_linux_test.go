package boots

import (
	"encoding/binary"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// diskSays is what the program on the ISO image prints on the first serial port.
const diskSays = "the disk image runs"

// isoImage is the least that a BIOS boots as a CD-ROM: El Torito's boot record, its catalog with one entry without
// emulation, and a program. Emulated floppies, as on memtest86+'s own image, are not booted by iPXE.
func isoImage() string {
	const sector, catalog, program = 2048, 19, 20
	disk := make([]byte, 64*sector)
	copy(disk[16*sector:], "\x01CD001\x01") // primary volume descriptor
	record := disk[17*sector:]
	copy(record, "\x00CD001\x01EL TORITO SPECIFICATION")
	binary.LittleEndian.PutUint32(record[0x47:], catalog)
	copy(disk[18*sector:], "\xffCD001\x01") // end of the descriptors

	validation := disk[catalog*sector:][:32]
	copy(validation, "\x01")
	validation[30], validation[31] = 0x55, 0xaa
	sum := uint16(0)
	for i := 0; i < len(validation); i += 2 {
		sum += binary.LittleEndian.Uint16(validation[i:])
	}
	binary.LittleEndian.PutUint16(validation[28:], -sum)
	entry := disk[catalog*sector+32:]
	entry[0] = 0x88                             // can be booted, no emulation, at the usual address 7c00
	binary.LittleEndian.PutUint16(entry[6:], 4) // of 512 bytes
	binary.LittleEndian.PutUint32(entry[8:], program)

	copy(disk[program*sector:], "\x31\xc0\x8e\xd8\xfc"+ // ds is 0, forwards
		"\xbe\x21\x7c"+ // si is the text
		"\xac\x84\xc0\x74\x12"+ // the next byte; 0 is the end
		"\x88\xc4\xba\xfd\x03\xec\xa8\x20\x74\xfb"+ // until COM1 is ready
		"\x88\xe0\xba\xf8\x03\xee\xeb\xe9"+ // it is sent
		"\xfa\xf4"+ // the end
		diskSays+"\r\n\x00")
	return string(disk)
}

// An ISO image that was added by its recipe is booted as a disk over HTTP.
func TestAnISOImageBoots(t *testing.T) {
	s := newEmptyRoom(t, site.Addr, site.Leasing, "menu:\n  default: iso-tiny\n  timeout: 1s\n")
	s.Write("tiny.iso", isoImage())
	s.Must(0, "image", "add", "iso", "tiny", "--from", s.Path("tiny.iso"))
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:04:01"})
	m.WaitOutput(bootLimit, diskSays)
	if n := s.Metric("pxeagent_requests_total", `artifact="image"`, `outcome="ok"`); n < 2 {
		t.Errorf("the metrics count %v pieces of the image", n)
	}
}
