// Package machine is about the machines that boot: which host of the configuration one is, what its profile sends it
// to, what it is to boot once, and the documents that its installer asks for.
package machine

import (
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// Host is a machine, or a range of them, as the configuration has it. A machine is this host if any one of MACs, UUIDs,
// Serials, Assets and Addresses is its own, and if Manufacturer and Product, where set, are its own as well. A Host
// with none of the former is all machines of that make.
type Host struct {
	Name      string   // "": that of its first identifier
	MACs      []string // "52:54:00:12:34:56"
	UUIDs     []string // lower case
	Serials   []string // letters' case does not matter
	Assets    []string // the same
	Addresses []Range
	// Manufacturer and Product are the whole text, or its beginning followed by "*". Letters' case does not matter.
	Manufacturer, Product string
	Labels                map[string]string
	Profile               string // the name of one, or ""
	NBP                   string // its own boot file, in place of what DHCP names; "": the profile's
	Line                  int    // in the file, for messages
}

// CanaryLabel is the label, with the value "true", of the host that boots a later version first.
const CanaryLabel = "canary"

// hardware: it names something that is in the machine, and not only where it stands in the network.
func (h *Host) hardware() bool {
	return len(h.MACs)+len(h.UUIDs)+len(h.Serials)+len(h.Assets) > 0
}

// IDs are what files about this host may be named by, see ID. The first is the one to use.
func (h *Host) IDs() []ID {
	var ids []ID
	for _, texts := range [][]string{h.MACs, h.UUIDs} {
		for _, t := range texts {
			if id, err := ParseID(t); err == nil {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// title is the name, or the first identifier.
func (h *Host) title() string {
	for _, texts := range [][]string{{h.Name}, h.MACs, h.UUIDs, h.Serials, h.Assets} {
		if len(texts) > 0 && texts[0] != "" {
			return texts[0]
		}
	}
	if len(h.Addresses) > 0 {
		return h.Addresses[0].String()
	}
	return strings.TrimSpace(h.Manufacturer + " " + h.Product)
}

// contradicts: the request tells something of the machine that this host has otherwise. Then its address says nothing:
// another machine has it.
func (h *Host) contradicts(f boot.Facts) bool {
	other := func(told string, mine []string) bool {
		return told != "" && len(mine) > 0 &&
			!slices.ContainsFunc(mine, func(m string) bool { return strings.EqualFold(m, told) })
	}
	return other(f.MAC, h.MACs) || other(f.UUID, h.UUIDs) && other(swapUUID(f.UUID), h.UUIDs) ||
		other(f.Serial, h.Serials) ||
		other(f.Asset, h.Assets)
}

// fits: the machine is of the make that the host demands, if it demands one.
func (h *Host) fits(f boot.Facts) bool {
	return model(h.Manufacturer).takes(f.Manufacturer) && model(h.Product).takes(f.Product)
}

// weight is how much the host demands of the make: the more letters, the more.
func (h *Host) weight() int { return model(h.Manufacturer).weight() + model(h.Product).weight() }

// model is a text to compare a maker's with: the whole, or with a "*" at its end the beginning. "" takes everything.
type model string

func (m model) parts() (text string, open bool) {
	text, open = strings.CutSuffix(strings.ToLower(string(m)), "*")
	return text, open || m == ""
}

func (m model) takes(told string) bool {
	text, open := m.parts()
	told = strings.ToLower(told)
	return told == text || open && strings.HasPrefix(told, text)
}

func (m model) weight() int {
	text, open := m.parts()
	n := 2 * len(text)
	if !open {
		n++ // "R640" demands more than "R640*"
	}
	return n
}

// meets: there is a text that both take.
func (m model) meets(o model) bool {
	a, open := m.parts()
	b, openB := o.parts()
	return a == b || open && strings.HasPrefix(b, a) || openB && strings.HasPrefix(a, b)
}

// swapUUID writes the first three groups in the other byte order: SMBIOS before 2.6 left it open, and firmware, iPXE of
// that time and dmidecode differ. "" for what is no UUID.
func swapUUID(u string) string {
	g := strings.Split(u, "-")
	if len(g) != 5 {
		return ""
	}
	for i := range 3 {
		if len(g[i])%2 != 0 {
			return ""
		}
		var b strings.Builder
		for j := len(g[i]); j > 0; j -= 2 {
			b.WriteString(g[i][j-2 : j])
		}
		g[i] = b.String()
	}
	return strings.Join(g, "-")
}

// KnownBy is all that the host is known by, for people.
func (h *Host) KnownBy() []string {
	all := slices.Concat(h.MACs, h.UUIDs, h.Serials, h.Assets)
	for _, r := range h.Addresses {
		all = append(all, r.String())
	}
	for _, t := range []string{h.Manufacturer, h.Product} {
		if t != "" {
			all = append(all, t)
		}
	}
	return all
}
