package boots

import (
	"regexp"

	"pxeagent/deploy/lab"
)

// bootUndionly has QEMU's ROM, which is iPXE, do what a ROM does: load undionly.kpxe, here under a name that the ROM is
// given.
func (s *room) bootUndionly(mac string) *lab.Machine {
	s.T.Helper()
	lab.Need(s.T, "curl")
	if out, err := s.Box.Run("curl", "-sS", "-o", s.Path("root/tftp/first.kpxe"),
		"tftp://"+s.Addr+"/undionly.kpxe"); err != nil {
		s.T.Fatalf("fetching undionly.kpxe: %v: %s", err, out)
	}
	m := s.Seg.Boot(lab.QEMU{MAC: mac})
	atPrompt(m, "dhcp net0 && chain tftp://"+s.Addr+"/first.kpxe")
	return m
}

// atPrompt stops the ROM before it boots, and has it run a line.
func atPrompt(m *lab.Machine, line string) {
	m.WaitOutput(bootLimit, `Press Ctrl-B for the iPXE command line`)
	m.Type("\x02")
	m.WaitOutput(bootLimit, `iPXE>`)
	// No faster than iPXE reads: a BIOS keeps 16 keys and drops the rest.
	for n := 0; n < len(line); {
		step := min(4, len(line)-n)
		m.Type(line[n : n+step])
		n += step
		m.WaitOutput(bootLimit, `iPXE> `+regexp.QuoteMeta(line[:n]))
	}
	m.Type("\r")
}

// choose goes down a menu of iPXE's by the arrow key, past the titles of its items, and takes the last of them.
func choose(m *lab.Machine, titles ...string) {
	for n, title := range titles {
		if n > 0 {
			m.Type("\x1b[B")
		}
		// The chosen item alone is bold, on red or blue.
		m.WaitOutput(bootLimit, `\x1b\[0;4\d;1m +`+regexp.QuoteMeta(title)+`  `)
	}
	m.Type("\r")
}
