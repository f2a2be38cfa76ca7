package opnsense

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/dnsmasq"
)

// keaRecord is what pxeagent owns in Kea for one subnet. Options that the subnet does not name say nothing, and are no
// part of it: so one write of the subnet takes it from one record to another.
type keaRecord struct {
	keaFields
	Options []keaOption `json:"options,omitempty"` // in the subnet's order
	// Behind are options of others for network boot that the subnet names after the first of ours: they win.
	Behind []string `json:"behind,omitempty"`
}

// empty: nothing is configured.
func (r keaRecord) empty() bool {
	return r.keaFields == keaFields{} && len(r.Options) == 0
}

// encode is the record's text; nil where there is none.
func (r keaRecord) encode() ([]byte, error) {
	if r.empty() {
		return nil, nil
	}
	return json.Marshal(r)
}

// decodeKea reads a record that encode wrote.
func decodeKea(raw []byte) (r keaRecord, err error) {
	if raw == nil {
		return r, nil
	}
	err = json.Unmarshal(raw, &r)
	if err == nil && r.empty() {
		err = errors.New("it has none")
	}
	if err != nil {
		return keaRecord{}, fmt.Errorf("the record of Kea's settings: %w", err)
	}
	return r, nil
}

// keaView is Kea as it is configured, seen from the subnet of one interface.
type keaView struct {
	Interface    string // "lan"
	Manual       bool   // OPNsense generates no configuration
	Subnet       keaSubnet
	Others       []keaSubnet
	Options      []keaOption // none before 26.7.2
	Reservations []keaReservation
	Pair         keaPair
}

// option is that with a uuid.
func (v keaView) option(uuid string) (keaOption, bool) {
	i := slices.IndexFunc(v.Options, func(o keaOption) bool { return o.UUID == uuid })
	if i < 0 {
		return keaOption{}, false
	}
	return v.Options[i], true
}

// record is what is pxeagent's of it.
func (v keaView) record() keaRecord {
	r := keaRecord{keaFields: v.Subnet.keaFields}
	for _, uuid := range v.Subnet.Options {
		o, ok := v.option(uuid)
		switch {
		case !ok:
		case v.Subnet.own(uuid):
			r.Options = append(r.Options, o)
		case len(r.Options) > 0 && o.boots():
			r.Behind = append(r.Behind, uuid)
		}
	}
	return r
}

// place is the subnet's options with ours in them, which are r's: where ours are, else last; but before those of others
// that stood behind ours in r, and after all others for network boot.
func (v keaView) place(r keaRecord) []string {
	var list []string
	at := -1
	for _, uuid := range v.Subnet.Options {
		o, _ := v.option(uuid)
		own := v.Subnet.own(uuid)
		switch {
		case own && at < 0:
			at = len(list)
		case !own && o.boots() && !slices.Contains(r.Behind, uuid):
			at = -1 // ours go after it
			list = append(list, uuid)
			continue
		}
		if !own {
			list = append(list, uuid)
		}
	}
	if at < 0 {
		at = len(list)
	}
	if i := slices.IndexFunc(list, func(uuid string) bool { return slices.Contains(r.Behind, uuid) }); i >= 0 {
		at = min(at, i)
	}
	var ours []string
	for _, o := range r.Options {
		ours = append(ours, o.UUID)
	}
	return slices.Insert(list, at, ours...)
}

// boot is what Kea sends by a record. A boot file of the subnet is for every machine for which no option is.
func (r keaRecord) boot() dhcp.Boot {
	var b dhcp.Boot
	for _, rule := range keaRules {
		var files []string
		for _, n := range rule.Arches {
			one := rule
			one.Arches = []uint16{n}
			files = append(files, r.sent(one))
		}
		if rule.IPXE() {
			files = []string{r.sent(rule)}
		}
		if files = slices.Compact(files); len(files) == 1 && files[0] != "" {
			// It fails only for what is not in keaRules, and for no file.
			_ = dnsmasq.Add(&b, rule.Kind, files[0], "0.0.0.0")
		}
	}
	b.NextServer = netip.Addr{}
	if a, err := netip.ParseAddr(r.NextServer); err == nil && a.Is4() && !a.IsUnspecified() {
		b.NextServer = a
	}
	return b
}

// sent is the boot file for machines of a rule that has one architecture, or is for iPXE; "" where they would not take
// it, as the vendor class is missing.
func (r keaRecord) sent(rule dnsmasq.Rule) string {
	file, vendor := "", ""
	if !rule.IPXE() && rule.Vendor == "" {
		file = r.BootFile
	}
	for _, o := range r.Options {
		switch {
		case o.Encoding != "string" || !o.isFor(rule):
		case o.Code == optBootFile:
			file = o.Data
		case o.Code == optVendor:
			vendor = o.Data
		}
	}
	if vendor != rule.Vendor {
		return ""
	}
	return file
}

// keaRules are the rules for all that a Boot can say.
var keaRules = func() []dnsmasq.Rule {
	var b dhcp.Boot
	for _, a := range firmware.Arches() {
		b.NBP[a] = "file"
		if a != firmware.BIOS {
			b.URL[a] = "url"
		}
	}
	b.Script = "script"
	return dnsmasq.Rules(b)
}()

// state is the record with what it says.
func (r keaRecord) state() (dhcp.State, error) {
	raw, err := r.encode()
	return dhcp.State{Boot: r.boot(), Raw: raw}, err
}
