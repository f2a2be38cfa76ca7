package main

import (
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/pflag"

	"pxeagent/agent/boot"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// machineFlags name a machine by what iPXE tells of it.
type machineFlags struct {
	facts   map[string]*config.FlagText // by the fact's name
	address string
}

func (m *machineFlags) addTo(flags *pflag.FlagSet) {
	m.facts = map[string]*config.FlagText{}
	for _, f := range []struct{ flag, fact, arg, usage string }{
		{"mac", "mac", "MAC", "of the card that it boots from"},
		{"uuid", "uuid", "UUID", "of the system"},
		{"serial", "serial", "TEXT", "serial number of the system"},
		{"asset", "asset", "TEXT", "asset tag"},
		{"manufacturer", "manufacturer", "TEXT", "of the system"},
		{"product", "product", "TEXT", "the system's model"},
		{"platform", "platform", "NAME", "pcbios or efi"},
		{"arch", "buildarch", "NAME", "i386, x86_64 or arm64; default: i386 with pcbios, x86_64 with efi"},
	} {
		value := &config.FlagText{Arg: f.arg}
		flags.Var(value, f.flag, f.usage)
		m.facts[f.fact] = value
	}
	flags.StringVar(&m.address, "address", "", "`ADDR` that it asks from")
}

// read checks the flags.
func (m *machineFlags) read() (boot.Facts, netip.Addr, error) {
	get := func(name string) string { return strings.TrimSpace(m.facts[name].String()) }
	f := boot.ReadFacts(get)
	wrong := func(flag, value, want string) error {
		return cli.Usagef("`pxeagent menu show --help` lists the flags", "--%s: %q is %s", flag, value, want)
	}
	if mac, err := net.ParseMAC(get("mac")); get("mac") != "" && (err != nil || len(mac) != 6) {
		return f, netip.Addr{}, wrong("mac", get("mac"), "no MAC address such as 52:54:00:12:34:56")
	}
	if get("uuid") != "" && f.UUID == "" {
		return f, netip.Addr{}, wrong("uuid", get("uuid"), "no UUID such as 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60")
	}
	switch f.Platform {
	case "", "pcbios", "efi":
	case "bios":
		f.Platform = "pcbios"
	case "uefi":
		f.Platform = "efi"
	default:
		return f, netip.Addr{}, wrong("platform", f.Platform, "neither pcbios nor efi")
	}
	switch {
	case f.Arch == "" && f.Platform == "pcbios":
		f.Arch = "i386"
	case f.Arch == "" && f.Platform == "efi":
		f.Arch = "x86_64"
	case f.Arch == "amd64":
		f.Arch = "x86_64"
	case f.Arch == "aarch64":
		f.Arch = "arm64"
	}
	if f.Arch == "arm64" && f.Platform == "" {
		f.Platform = "efi"
	}
	if m.address == "" {
		return f, netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(m.address)
	if err != nil {
		return f, addr, wrong("address", m.address, "no IP address")
	}
	return f, addr.Unmap(), nil
}
