package opnsense

import (
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// keaValues is what Kea's settings can carry: OPNsense refuses quotes, and Kea takes a comma for the end of a value.
var keaValues = dhcp.Values{Forbidden: ` ,"'\`, MaxURL: dhcp.MaxBootFile}

// checkKea lists what of want cannot be written.
func checkKea(want dhcp.Boot) []dhcp.Problem {
	bad := keaValues.Check(want)
	if want.Script != "" {
		if why := keaValues.CheckURL(want.Script, dhcp.MaxBootFile, "http", "https", "tftp"); why != "" {
			bad = append(bad, dhcp.Refusal("bad-script", "script URL %q %s", want.Script, why))
		}
	}
	if want == (dhcp.Boot{NextServer: want.NextServer}) {
		bad = append(bad, dhcp.Refusal("no-boot-file", "no boot file, URL or script is set"))
	}
	return bad
}

// want is the record that says b, which is one that this version can say.
func (v keaView) want(b dhcp.Boot) keaRecord {
	var r keaRecord
	if b == (dhcp.Boot{}) {
		return r
	}
	r.NextServer = b.NextServer.String()
	r.TFTPServer = r.NextServer
	if v.Subnet.Each {
		r.Options = assign(v.Subnet.scope(), keaOptions(b, v.Interface), v.Options)
		return r
	}
	r.BootFile = names(b)[0]
	return r
}

// names are the different boot files of b.
func names(b dhcp.Boot) []string {
	var list []string
	for _, name := range b.NBP {
		if name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// plan is what it takes for Kea to send want.
func (v keaView) plan(want dhcp.Boot) (dhcp.Plan, error) {
	now := v.record()
	before, err := now.state()
	if err != nil {
		return dhcp.Plan{}, err
	}
	p := dhcp.Plan{Before: before, After: before, Silence: v.silence()}
	if want != (dhcp.Boot{}) {
		p.Problems = append(checkKea(want), v.refusals(want)...)
		if len(p.Problems) > 0 {
			return p, nil
		}
	}
	if p.After, err = v.want(want).state(); err != nil {
		return dhcp.Plan{}, err
	}
	p.Problems = append(v.conflicts(want), v.reserved()...)
	if want != (dhcp.Boot{}) && !v.Subnet.Each {
		p.Problems = append(p.Problems, v.otherArchs(want)...)
	}
	if !p.Empty() {
		p.Problems = append(p.Problems, v.changes(now)...)
	}
	return p, nil
}

// refusals are why want cannot take effect here.
func (v keaView) refusals(want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	add := func(code, format string, args ...any) { list = append(list, dhcp.Refusal(code, format, args...)) }
	if v.Manual {
		add("manual-config", "somebody writes Kea's configuration by hand on this firewall, and OPNsense generates none "+
			"from its settings")
	}
	if v.Pair.standby() {
		add("ha-secondary", "this firewall is the standby of Kea's pair: configure the primary, whose settings are sent "+
			"to this one")
	}
	if !v.Subnet.Each && (len(names(want)) != 1 || want != dhcp.Boot{NextServer: want.NextServer, NBP: want.NBP}) {
		add("kea-version", "before OPNsense 26.7.2 Kea has one boot file for all machines in %s, and this configuration "+
			"needs more: %s", v.Subnet.Subnet, needs(want))
	}
	return list
}

// needs is what of want one boot file cannot say.
func needs(want dhcp.Boot) string {
	list := names(want)
	for _, a := range firmware.Arches() {
		if want.URL[a] != "" {
			list = append(list, fmt.Sprintf("a URL for UEFI HTTP boot (%s)", a))
		}
	}
	if want.Script != "" {
		list = append(list, "a script for iPXE")
	}
	return strings.Join(list, ", ")
}

// otherArchs is that one boot file goes to all machines.
func (v keaView) otherArchs(want dhcp.Boot) []dhcp.Problem {
	var others []string
	for _, a := range firmware.Arches() {
		if want.NBP[a] == "" {
			others = append(others, a.String())
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []dhcp.Problem{dhcp.Note("other-archs", "before OPNsense 26.7.2 Kea sends %q also to architectures without a "+
		"file: %s", names(want)[0], strings.Join(others, ", "))}
}

// conflicts are options of others that the subnet names.
func (v keaView) conflicts(want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	for _, uuid := range v.Subnet.Options {
		o, ok := v.option(uuid)
		if !ok || v.Subnet.own(uuid) || !o.boots() {
			continue
		}
		off := want == dhcp.Boot{}
		switch {
		case off && (o.Code == optBootFile || o.Code == optTFTP):
			list = append(list, dhcp.Refusal("still-boots", "the option %q sends %q in option %s, also with network boot "+
				"off: remove it from the subnet first", o.Description, o.Data, o.Code))
		case off:
		case o.Code == optBootFile:
			list = append(list, dhcp.Note("other-boot", "the option %q sends %q to machines that pxeagent does not cover",
				o.Description, o.Data))
		default:
			list = append(list, dhcp.Note("other-option", "the option %q sends boot information in addition to pxeagent's: "+
				"option %s, %q", o.Description, o.Code, o.Data))
		}
	}
	return list
}

// reserved are reservations with settings of their own, which Kea prefers.
func (v keaView) reserved() []dhcp.Problem {
	var list []dhcp.Problem
	for _, r := range v.Reservations {
		if r.Subnet != v.Subnet.UUID {
			continue
		}
		says := r.BootFile
		for _, uuid := range r.Options {
			if o, ok := v.option(uuid); ok && o.Code == optBootFile {
				says = o.Data
			}
		}
		if says != "" || r.TFTPServer != "" {
			list = append(list, dhcp.Note("mapping",
				"the reservation of %s (%s) has its own boot settings: file %q, server %q", r.Address,
				r.Machine, says, r.TFTPServer))
		}
	}
	return list
}

// changes are what a write does besides.
func (v keaView) changes(now keaRecord) []dhcp.Problem {
	var list []dhcp.Problem
	if why := v.edited(now); why != "" {
		list = append(list, dhcp.Note("edited", "pxeagent's options in %s were edited: %s; they will be replaced",
			v.Subnet.Subnet, why))
	}
	if s := v.Subnet; s.Autocollect {
		list = append(list, dhcp.Note("autocollect", "OPNsense rewrites routers, DNS and NTP servers of %s from the "+
			"interface's address with each change, as auto collect is on; now they are %q, %q and %q", s.Subnet, s.Routers,
			s.NameServers, s.NTPServers))
	}
	if v.Pair.Name != "" {
		list = append(list, dhcp.Note("ha",
			"Kea serves %s in a pair of firewalls: the other sends the same only after a sync", v.Subnet.Subnet))
	}
	return list
}

// edited is how our options differ from those that pxeagent writes for what they say; "" if they do not.
func (v keaView) edited(now keaRecord) string {
	if len(now.Options) == 0 {
		return ""
	}
	var there, right []keaOption
	for _, o := range now.Options {
		there = append(there, o.content())
	}
	for _, o := range keaOptions(now.boot(), "") {
		right = append(right, o.content())
	}
	switch {
	case len(now.Behind) > 0:
		return "options of others come after them"
	case slices.Equal(there, right):
		return ""
	}
	for _, o := range there {
		if !slices.Contains(right, o) {
			return fmt.Sprintf("option %s with %q where option %s is %s", o.Code, o.Data, o.MatchCode, o.MatchData)
		}
	}
	return "some are missing, or in another order"
}

// silence is why machines that the firewall does not know get no address.
func (v keaView) silence() string {
	if v.Subnet.Pools == "" {
		return fmt.Sprintf("%s has no pool: Kea answers only machines with a reservation", v.Subnet.Subnet)
	}
	return ""
}
