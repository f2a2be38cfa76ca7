package opnsensetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// domain is the firewall's own.
const domain = "internal"

// dnsmasqConf is the file that the template makes for Dnsmasq, without its comments. The caller holds the lock.
func (f *Firewall) dnsmasqConf() string {
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	d := f.conf.Dnsmasq
	say("rebind-localhost-ok\nstop-dns-rebind")
	if d.Port != "" {
		say("port=%s", d.Port)
	}
	if len(d.Interfaces) > 0 {
		say("interface=%s", f.conf.devices(d.Interfaces))
	}
	if len(d.NoInterface) > 0 {
		say("no-dhcp-interface=%s", f.conf.devices(d.NoInterface))
	}
	if f.since(26, 1, 5) && !(d.Saved && d.HostPing) {
		say("no-ping")
	}
	if d.Saved {
		say("dhcp-fqdn\ndomain=%s", domain)
		var local []string
		if len(d.Ranges) > 0 {
			local = append(local, domain)
		}
		for _, r := range d.Ranges {
			if r.Domain != "" && !slices.Contains(local, r.Domain) {
				local = append(local, r.Domain)
			}
		}
		for _, name := range local {
			say("local=/%s/", name)
		}
	}
	say("addn-hosts=/var/etc/dnsmasq-hosts\naddn-hosts=/var/etc/dnsmasq-leases")
	say("dns-forward-max=5000\ncache-size=10000\nlocal-ttl=1\nconf-dir=/usr/local/etc/dnsmasq.conf.d,*.conf")
	for _, r := range d.Ranges {
		f.sayRange(say, r)
	}
	own := false // somebody set option 6 for everyone
	for _, o := range d.Options {
		f.sayOption(say, o)
		own = own || o.Type == "set" && o.Option == "6" && o.Tag == "" && o.Interface == ""
	}
	if !own {
		say("dhcp-option=6,0.0.0.0")
	}
	if f.since(26, 1) {
		say("dhcp-option=option6:23,[::]")
	}
	if f.since(25, 1, 7) {
		for _, b := range d.Boots {
			f.sayBoot(say, b)
		}
	}
	if d.Saved {
		say("no-ident")
	}
	if f.since(26, 7) {
		say("dhcp-name-match=set:wpad-ignore,wpad\ndhcp-ignore-names=tag:wpad-ignore")
	}
	return out.String()
}

// device is an interface's; the identifier itself where there is no such interface.
func (c *Config) device(id string) string {
	for _, i := range c.Interfaces {
		if i.ID == id {
			return i.Device
		}
	}
	return id
}

func (c *Config) devices(ids []string) string {
	var list []string
	for _, id := range ids {
		list = append(list, c.device(id))
	}
	return strings.Join(list, ",")
}

// plain is a uuid as a tag's name.
func plain(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }

// joined are the fields of a line; empty ones are left out.
func joined(fields ...string) string {
	return strings.Join(slices.DeleteFunc(fields, func(s string) bool { return s == "" }), ",")
}

func tagged(word, name string) string {
	if name == "" {
		return ""
	}
	return word + ":" + name
}

func (f *Firewall) sayRange(say func(string, ...any), r Range) {
	lease := cmp.Or(r.LeaseTime, "86400")
	if lease == "0" {
		lease = "infinite"
	}
	prefix := ""
	if strings.Contains(r.StartAddr, ":") {
		prefix = "64"
	}
	say("dhcp-range=%s", joined(tagged("tag", f.conf.device(r.Interface)), tagged("set", plain(r.SetTag)), r.StartAddr,
		r.EndAddr, r.Mode, r.SubnetMask, prefix, lease))
	if r.Domain != "" {
		say("domain=%s", joined(r.Domain, r.StartAddr, r.EndAddr))
	}
}

func (f *Firewall) sayOption(say func(string, ...any), o Option) {
	number := o.Option
	if o.Option6 != "" {
		number = "option6:" + o.Option6
	}
	if o.Type == "match" {
		say("dhcp-match=set:%s,%s", plain(o.SetTag), joined(number, o.Value))
		return
	}
	force := ""
	if o.Force == "1" {
		force = "-force"
	}
	fields := tagsOf(o.Tag)
	fields = append(fields, tagged("tag", f.conf.device(o.Interface)), number, o.Value)
	say("dhcp-option%s=%s", force, joined(fields...))
}

func (f *Firewall) sayBoot(say func(string, ...any), b Boot) {
	device := f.conf.device(b.Interface)
	if !f.since(25, 1, 8) {
		device = b.Interface
	}
	fields := append([]string{tagged("tag", device)}, tagsOf(b.Tag)...)
	// An address without a server name takes the place of the name.
	say("dhcp-boot=%s", joined(append(fields, b.Filename, b.Servername, b.Address)...))
}

func tagsOf(uuids string) (list []string) {
	for _, uuid := range split(uuids) {
		list = append(list, tagged("tag", plain(uuid)))
	}
	return list
}
