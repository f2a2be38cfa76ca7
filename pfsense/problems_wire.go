package pfsense

import (
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
)

// contradictions are other settings of the interface that tell machines something else, or more, than want.
func (f firewall) contradictions(p port, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	add := func(code, format string, args ...any) { list = append(list, note(code, format, args...)) }
	s := *p.DHCP
	next := want.NextServer.String()
	if s.TFTP != "" && s.TFTP != next {
		add("option-66", "the TFTP server of the DHCP settings says %q in option 66, next-server is %s, and some clients prefer option 66", s.TFTP, next)
	}
	if s.RootPath != "" {
		add("root-path", "root path %q is sent with network boot (option 17); iPXE would try to mount it", s.RootPath)
	}
	for _, o := range s.Options {
		// Kea ignores custom options of any number.
		if f.kea() {
			continue
		}
		switch text := strings.TrimSpace(o.Value); {
		case o.Number == "66" && text != next:
			add("option-66", "a custom option 66 says %q, next-server is %s, and some clients prefer option 66", text, next)
		case o.Number == "67" && !slices.Contains(want.NBP[:], text):
			add("option-67", "a custom option 67 says %q to every machine that asks for it, and firmware prefers it to the boot file", text)
		case o.Number == "67" && distinct(want.NBP) > 1:
			add("option-67", "a custom option 67 says %q to every machine, whatever its architecture, and firmware prefers it to the boot file", text)
		case o.Number == "60":
			add("option-60", "a custom option 60 says %q: machines may take the answer for something else than PXE", text)
		}
	}
	if n := p.network(); n.IsValid() && !n.Contains(want.NextServer) {
		add("next-server-elsewhere", "next-server %s is outside of %s, %v: its traffic goes through the firewall, whose rules must let TFTP and HTTP pass", next, p.label(), n.Masked())
	}
	if f.SyncTo != "" {
		add("ha-primary", "this firewall copies its settings to %s: the partner says the same only after that", f.SyncTo)
	}
	return list
}

func distinct(names [dhcp.NumArch]string) int {
	all := map[string]bool{}
	for _, n := range names {
		if n != "" {
			all[n] = true
		}
	}
	return len(all)
}
