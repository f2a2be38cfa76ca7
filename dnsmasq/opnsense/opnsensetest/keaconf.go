package opnsensetest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// keaConf is the configuration that is made for Kea. The caller holds the lock.
func (f *Firewall) keaConf() []byte {
	k := f.conf.Kea
	devices := []string{}
	for _, id := range k.Interfaces {
		devices = append(devices, f.conf.device(id))
	}
	hook := func(name string) string { return "/usr/local/lib/kea/hooks/libdhcp_" + name + ".so" }
	hooks := []m{{"library": hook("lease_cmds")}, {"library": hook("host_cmds")}}
	var classes, flexible, narrow []m
	for _, o := range k.Options {
		if o.MatchCode != "" {
			data, _ := encode(o.MatchEncoding, o.MatchData)
			classes = append(classes, m{"name": o.UUID, "test": fmt.Sprintf("option[%s].hex == 0x%s", o.MatchCode, data)})
		}
	}
	list := []m{}
	for i, s := range k.Subnets {
		subnet := f.keaSubnet(i, s)
		own := f.keaOptionsOf(s)
		switch {
		case len(own) == 0:
		case f.since(26, 7, 2):
			flexible = append(flexible, supersede(s, own)...)
			subnet["evaluate-additional-classes"] = []string{s.UUID}
			narrow = append(narrow, m{"name": s.UUID, "test": "member('ALL')", "only-in-additional-list": true})
		case f.since(26, 1, 5):
			subnet["option-data"] = append(subnet["option-data"].([]m), classed(own)...)
		}
		list = append(list, subnet)
	}
	if len(flexible) > 0 {
		hooks = append(hooks, m{"library": hook("flex_option"), "parameters": m{"options": flexible}})
	}
	conf := m{
		"valid-lifetime": 4000, "decline-probation-period": 600,
		"interfaces-config": m{"interfaces": devices, "dhcp-socket-type": "raw", "service-sockets-max-retries": 5,
			"service-sockets-retry-wait-time": 5000},
		"lease-database": m{"type": "memfile", "persist": true},
		"control-socket": m{"socket-type": "unix", "socket-name": "/var/run/kea/kea4-ctrl-socket"},
		"loggers": []m{{"name": "kea-dhcp4", "output_options": []m{{"output": "syslog"}},
			"severity": "INFO"}},
		"subnet4": list, "hooks-libraries": hooks,
	}
	if classes = append(classes, narrow...); len(classes) > 0 {
		conf["client-classes"] = classes
	}
	text, err := json.MarshalIndent(m{"Dhcp4": conf}, "", " ")
	if err != nil {
		panic(fmt.Sprintf("opnsensetest: Kea's configuration: %v", err))
	}
	return text
}

// keaSubnet is a subnet without its option entries; i counts from 0.
func (f *Firewall) keaSubnet(i int, s Subnet) m {
	id := i + 1
	if n, err := strconv.Atoi(s.ID); err == nil && f.since(26, 7, 2) {
		id = n
	}
	pools := []m{}
	for _, p := range strings.Fields(s.Pools) {
		pools = append(pools, m{"pool": p})
	}
	data := []m{}
	for _, o := range []struct{ name, value string }{
		{"domain-name-servers", s.NameServers}, {"domain-search", s.DomainSearch}, {"routers", s.Routers},
		{"domain-name", s.DomainName}, {"ntp-servers", s.NTPServers}, {"time-servers", s.TimeServers},
		{"tftp-server-name", s.TFTPServerName}, {"boot-file-name", s.BootFileName},
	} {
		if o.name == "domain-name" && o.value == "" {
			o.value = domain
		}
		if o.value != "" {
			data = append(data, m{"name": o.name, "data": o.value})
		}
	}
	context := m{"uuid": s.UUID}
	if s.Description != "" {
		context["description"] = s.Description
	}
	return m{
		"id": id, "subnet": s.Subnet, "next-server": s.NextServer, "match-client-id": s.MatchClientID == "1",
		"option-data": data, "pools": pools, "reservations": []m{}, "user-context": context,
	}
}

// keaOptionsOf are the option entries that a subnet refers to, in its order.
func (f *Firewall) keaOptionsOf(s Subnet) (list []KeaOption) {
	for _, uuid := range split(s.Option) {
		for _, o := range f.conf.Kea.Options {
			if o.UUID == uuid {
				list = append(list, o)
			}
		}
	}
	return list
}

// classed are option entries as they were until 26.7.1: data that only a class is sent.
func classed(list []KeaOption) (data []m) {
	for _, o := range list {
		value, _ := encode(o.Encoding, o.Data)
		code, _ := strconv.Atoi(o.Code)
		entry := m{"code": code, "csv-format": false, "data": value, "always-send": o.Force == "1",
			"user-context": m{"uuid": o.UUID, "description": o.Description}}
		if o.MatchCode != "" {
			entry["client-classes"] = []string{o.UUID}
		}
		data = append(data, entry)
	}
	return data
}

// supersede are option entries as they are from 26.7.2: the flex_option hook replaces the option, and the last entry
// that matches is the one that counts. What it makes of an entry without a match was not recorded.
func supersede(s Subnet, list []KeaOption) (all []m) {
	for _, o := range list {
		value, _ := encode(o.Encoding, o.Data)
		code, _ := strconv.Atoi(o.Code)
		test := fmt.Sprintf("member('%s')", s.UUID)
		if o.MatchCode != "" {
			test += fmt.Sprintf(" and member('%s')", o.UUID)
		}
		all = append(all, m{"code": code, "supersede": fmt.Sprintf("ifelse(%s, 0x%s, '')", test, value)})
	}
	return all
}
