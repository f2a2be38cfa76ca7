package dnsmasq

import (
	"bytes"
	"fmt"
	"net/netip"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// wire is what the architectures send as DHCP option 93 (RFC 4578 section 2.1 and the IANA list) and how
// pxe-service names them. Firmware for x64 sends 7 or 9, the numbers having been swapped in the RFC.
var wire = [firmware.NumArch]struct {
	tftp, http []uint16
	csa        []string
}{
	firmware.BIOS:  {tftp: []uint16{0}, csa: []string{"x86PC"}},
	firmware.EFI32: {tftp: []uint16{6}, http: []uint16{15}, csa: []string{"IA32_EFI"}},
	firmware.EFI64: {tftp: []uint16{7, 9}, http: []uint16{16}, csa: []string{"X86-64_EFI", "BC_EFI"}},
	firmware.ARM32: {tftp: []uint16{10}, http: []uint16{18}, csa: []string{"ARM32_EFI"}},
	firmware.ARM64: {tftp: []uint16{11}, http: []uint16{19}, csa: []string{"ARM64_EFI"}},
}

// dropIn is the content of a drop-in.
type dropIn struct {
	boot dhcp.Boot
	mode Mode
	nets []netip.Addr // ModeProxy: the interface's networks
}

// render is the drop-in's text, which depends only on its arguments: it does not change with the
// time or the version, so writing the same settings again is not a change.
func (d dropIn) render(iface string) []byte {
	r := renderer{iface: iface, dropIn: d}
	r.linef("# Network boot on %s, written by pxeagent. `pxeagent configure --interface %s` writes it anew.", iface, iface)
	r.linef("# To undo: pxeagent revert --interface %s", iface)
	r.matches()
	if d.mode == ModeProxy {
		r.proxy()
	} else {
		r.server()
	}
	return r.Bytes()
}

type renderer struct {
	bytes.Buffer
	dropIn
	iface string
}

func (r *renderer) linef(format string, args ...any) { fmt.Fprintf(r, format+"\n", args...) }

// tag is the tag of machines of one kind: pxeagent-eth1-efi64.
func (r *renderer) tag(kind string) string { return "pxeagent-" + r.iface + "-" + kind }

// who are the tags that a line needs for machines of that kind on this interface. Dnsmasq tags each request with
// the name of the interface that it arrived on. iPXE is excluded if it is sent its own script.
func (r *renderer) who(kind string) string {
	who := "tag:" + r.iface + ",tag:" + r.tag(kind)
	if r.boot.Script != "" && kind != ipxeKind {
		who += ",tag:!" + r.tag(ipxeKind)
	}
	return who
}

func (r *renderer) matches() {
	r.linef("\n# Who asks: option 93 is the architecture.")
	rules := Rules(r.boot)
	for _, a := range firmware.Arches() {
		for _, rule := range rules {
			if rule.Kind != a.String() && rule.Kind != httpKind(a) {
				continue
			}
			for _, n := range rule.Arches {
				r.linef("dhcp-match=set:%s,option:client-arch,%d", r.tag(rule.Kind), n)
			}
		}
	}
	if r.boot.Script != "" {
		r.linef("# Option 175 is sent by every iPXE, whatever its user class.")
		r.linef("dhcp-match=set:%s,175", r.tag(ipxeKind))
	}
}

func (r *renderer) server() {
	r.linef("\n# What they are sent: boot file and next-server.")
	for _, rule := range Rules(r.boot) {
		r.rule(rule)
	}
}

func (r *renderer) rule(rule Rule) {
	r.linef("dhcp-boot=%s,%s,,%s", r.who(rule.Kind), rule.File, rule.Server)
	if rule.Vendor != "" && r.mode == ModeServer { // as a proxy Dnsmasq sends it by itself
		r.linef("dhcp-option-force=%s,60,%s", r.who(rule.Kind), rule.Vendor)
	}
}

// proxy answers next to the server that leases addresses. UEFI firmware is sent to port 4011 and gets the file
// there; BIOS firmware gets a menu of one entry that is selected at once, and the file in the offer as well.
func (r *renderer) proxy() {
	r.linef("\n# Another server leases addresses here; Dnsmasq adds the boot information.")
	for _, n := range r.nets {
		r.linef("dhcp-range=tag:%s,%s,proxy", r.iface, n)
	}
	not := ""
	if r.boot.Script != "" {
		not = ",tag:!" + r.tag(ipxeKind)
	}
	r.linef("pxe-prompt=tag:%s%s,Network boot,0", r.iface, not)
	for _, a := range firmware.Arches() {
		if name := r.boot.NBP[a]; name != "" {
			for _, csa := range wire[a].csa {
				r.linef("pxe-service=tag:%s%s,%s,Network boot,%s,%s", r.iface, not, csa, name, r.boot.NextServer)
			}
		}
	}
	said := false
	for _, rule := range Rules(r.boot) {
		if rule.Vendor != "" && !said {
			said = true
			r.linef("# The proxy answers only PXE clients unless it is told that HTTP clients are such.")
			r.linef("dhcp-pxe-vendor=PXEClient,HTTPClient")
		}
		if rule.Kind == firmware.BIOS.String() || rule.Vendor != "" || rule.IPXE() { // others are in pxe-service lines
			r.rule(rule)
		}
	}
}
