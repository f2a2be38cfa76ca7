package pfsensetest

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// found is the result of a reading program.
type found struct {
	Error    string `json:"error"`
	Version  string `json:"version"`
	Config   string `json:"config"`
	Engine   string `json:"engine"`
	Running  bool   `json:"running"`
	Revision struct {
		Time string `json:"time"`
		Text string `json:"text"`
	} `json:"revision"`
	Dirty      bool        `json:"dirty"`
	Relay      bool        `json:"relay"`
	SyncTo     string      `json:"sync_to"`
	KeaHA      *foundHA    `json:"kea_ha"`
	KeaCustom  *string     `json:"kea_custom"`
	KeaElement bool        `json:"kea_element"`
	Interfaces []foundPort `json:"interfaces"`
	Leased     []string    `json:"leased"`
	Odd        []foundText `json:"odd"`
}

type foundHA struct {
	Role string `json:"role"`
	Peer string `json:"peer"`
}

type foundText struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

type foundPort struct {
	ID      string     `json:"id"`
	Descr   string     `json:"descr"`
	Device  string     `json:"if"`
	Addr    string     `json:"ipaddr"`
	Bits    string     `json:"subnet"`
	AdvSkew *int       `json:"advskew"`
	VIPs    []string   `json:"vips"`
	DHCP    *foundDHCP `json:"dhcp"`
}

type foundPool struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Keys     Keys   `json:"keys"`
	RootPath string `json:"rootpath"`
	Deny     string `json:"denyunknown"`
	Allow    string `json:"mac_allow"`
	DenyMAC  string `json:"mac_deny"`
}

type foundFurtherPool struct {
	Descr string `json:"descr"`
	foundPool
}

type foundDHCP struct {
	foundPool
	Enable   bool               `json:"enable"`
	TFTP     string             `json:"tftp"`
	Failover string             `json:"failover_peerip"`
	Custom   bool               `json:"kea_custom"`
	Options  []foundOption      `json:"options"`
	Pools    []foundFurtherPool `json:"pools"`
	Maps     []foundMap         `json:"maps"`
}

type foundOption struct {
	Number string `json:"number"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

type foundMap struct {
	MAC      string `json:"mac"`
	Addr     string `json:"ipaddr"`
	Host     string `json:"hostname"`
	Descr    string `json:"descr"`
	Keys     Keys   `json:"keys"`
	RootPath string `json:"rootpath"`
}

// read follows read.php. The firewall's mutex is held.
func (f *Firewall) read() found {
	t := f.saved
	text := func(path string) string { v, _ := t.Text(path); return v }
	has := func(path string) bool { _, there := t.Text(path); return there }
	r := found{
		Version: f.opts.Release, Config: text("version"), Engine: t.engine(), Running: f.loaded != nil, Dirty: f.dirty,
		Relay: has("dhcrelay/enable"), SyncTo: text("hasync/synchronizetoip"), KeaCustom: t.keaCustom(),
		KeaElement: t.keaElement(),
		Leased:     f.leased(), Odd: []foundText{}, Interfaces: []foundPort{},
	}
	r.Revision.Time = strconv.FormatInt(f.history[0].Time.Unix(), 10)
	r.Revision.Text = f.history[0].Message
	if has("kea/ha/enable") {
		r.KeaHA = &foundHA{Role: text("kea/ha/role"), Peer: text("kea/ha/remoteip")}
		if r.KeaHA.Role == "" {
			r.KeaHA.Role = "primary"
		}
	}
	for _, id := range t.interfaceIDs() {
		r.Interfaces = append(r.Interfaces, t.foundPort(id))
		if has("dhcpd/" + id + "/enable") {
			r.Odd = append(r.Odd, odd(t.Under("dhcpd/"+id), id, false)...)
		}
	}
	return r
}

func (t Tree) foundPort(id string) foundPort {
	at := t.Under("interfaces/" + id)
	text := func(name string) string { v, _ := at.Text(name); return v }
	p := foundPort{ID: id, Descr: text("descr"), Device: text("if"), Addr: text("ipaddr"), Bits: text("subnet"),
		VIPs: []string{}}
	for _, vip := range t.List("virtualip/vip") {
		mode, _ := vip.Text("mode")
		on, _ := vip.Text("interface")
		if mode != "carp" || on != id {
			continue
		}
		addr, _ := vip.Text("subnet")
		p.VIPs = append(p.VIPs, addr)
		skew, _ := vip.Text("advskew")
		n, _ := strconv.Atoi(skew)
		if p.AdvSkew == nil || n < *p.AdvSkew {
			p.AdvSkew = &n
		}
	}
	if section := t.Under("dhcpd/" + id); len(section) > 0 {
		p.DHCP = section.foundDHCP()
	}
	return p
}

func (section Tree) foundPool() foundPool {
	text := func(path string) string { v, _ := section.Text(path); return v }
	deny, there := section.Text("denyunknown")
	if there && deny == "" {
		deny = "enabled"
	}
	return foundPool{From: text("range/from"), To: text("range/to"), Keys: keysOf(section), RootPath: text("rootpath"),
		Deny:  deny,
		Allow: text("mac_allow"), DenyMAC: text("mac_deny")}
}

func (section Tree) foundDHCP() *foundDHCP {
	text := func(path string) string { v, _ := section.Text(path); return v }
	_, enable := section.Text("enable")
	d := &foundDHCP{foundPool: section.foundPool(), Enable: enable, TFTP: text("tftp"), Failover: text("failover_peerip"),
		Custom: text("custom_kea_config") != "", Options: []foundOption{}, Pools: []foundFurtherPool{}, Maps: []foundMap{}}
	for _, item := range section.List("numberoptions/item") {
		number, _ := item.Text("number")
		kind, _ := item.Text("type")
		if customNumber(number) != 0 {
			d.Options = append(d.Options, foundOption{number, kind, optionText(item)})
		}
	}
	for _, pool := range section.List("pool") {
		descr, _ := pool.Text("descr")
		d.Pools = append(d.Pools, foundFurtherPool{descr, pool.foundPool()})
	}
	for _, m := range section.List("staticmap") {
		of := func(name string) string { v, _ := m.Text(name); return v }
		keys := keysOf(m)
		own := keys["netboot"] != nil || of("rootpath") != "" ||
			slices.ContainsFunc(keyNames, func(name string) bool { return keys[name] != nil && *keys[name] != "" })
		if own {
			d.Maps = append(d.Maps, foundMap{of("mac"), of("ipaddr"), of("hostname"), of("descr"), keys, of("rootpath")})
		}
	}
	return d
}

// leased lists the leased addresses.
func (f *Firewall) leased() []string {
	list := []string{}
	for _, l := range f.leases {
		for addr := range l.taken {
			list = append(list, addr.String())
		}
	}
	slices.Sort(list)
	return list
}

// odd finds the values that could stop the daemon.
func odd(t Tree, path string, mapping bool) []foundText {
	var list []foundText
	_, on := t.Text("netboot")
	for _, name := range slices.Sorted(maps.Keys(t)) {
		here := path + "/" + name
		switch value := t[name].(type) {
		case Tree:
			list = append(list, odd(value, here, mapping || name == "staticmap")...)
		case []Tree:
			for i, one := range value {
				list = append(list, odd(one, here+"/"+strconv.Itoa(i), mapping || name == "staticmap")...)
			}
		case string:
			if name == "descr" || name == "custom_kea_config" || slices.Contains(keyNames, name) && !on && !mapping {
				continue
			}
			if _, numbered := t["number"]; numbered && name == "value" {
				value = optionText(t)
			}
			if why := oddWhy(name, value); why != "" {
				list = append(list, foundText{here, why})
			}
		}
	}
	return list
}

func oddWhy(name, text string) string {
	addr, err := netip.ParseAddr(text)
	switch {
	case strings.Contains(text, `"`):
		return "quote"
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "control"
	case strings.HasSuffix(text, `\`):
		return "backslash"
	case name == "nextserver" && text != "" && (err != nil || !addr.Is4()):
		return "address"
	}
	return ""
}
