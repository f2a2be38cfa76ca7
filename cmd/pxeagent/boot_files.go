package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"

	"pxeagent/agent/files"
	"pxeagent/agent/firmware"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
)

// bootFilesThere refuses a boot file that is named and is not there, where it is this machine that serves it. Of
// another machine's files only the preflight can tell.
func (l loaded) bootFilesThere(n network) error {
	nics, err := localNICs()
	if err != nil || !isOwn(nics, n.next) {
		return err
	}
	b, err := menu.New(menu.Config{Base: n.base})
	if err != nil {
		return err
	}
	c := l.Config
	lib, err := files.New(files.Config{Root: c.Serve.Root, NextServer: n.next, Menu: b, BootFiles: c.Boot.Files})
	if err != nil {
		return err
	}
	wrong := func(key, name string, err error, hint string) error {
		return cli.Failure{Code: cli.Usage, Err: fmt.Errorf("%s: %w; nothing was written", key, err),
			Hints: []string{fmt.Sprintf(hint, filepath.Join(c.Serve.Root, "tftp", name), key)}}
	}
	check := func(key, name string, fits func(firmware.Arch) bool) error {
		arch, err := lib.ArchOf(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return wrong(key, name, fmt.Errorf("file %q not found", name), "put it at %s, or take %s out of the configuration")
		case errors.Is(err, fs.ErrPermission): // the daemon may
			return nil
		case err != nil:
			return wrong(key, name, err, "put another file at %s, or name another in %s")
		case !fits(arch):
			return wrong(key, name, fmt.Errorf("%s is for %s, and such machines are not sent it", name, programFor(arch)),
				"put another file at %s, or name another in %s")
		}
		return nil
	}
	for a, name := range c.Boot.Files {
		if name == "" {
			continue
		}
		key := "boot.files." + firmware.Arch(a).String()
		if err := check(key, name, func(is firmware.Arch) bool { return is == firmware.Arch(a) }); err != nil {
			return err
		}
	}
	machines, mistakes := l.Machines()
	if len(mistakes) > 0 {
		return mistakes
	}
	for _, n := range machines.NBPs() {
		if err := check(n.Key, n.Name, func(is firmware.Arch) bool { return c.Boot.Files[is] != "" }); err != nil {
			return err
		}
	}
	return nil
}

// programFor is what a boot file of that architecture is for, for people.
func programFor(a firmware.Arch) string {
	if a == firmware.BIOS {
		return "BIOS (no EFI program)"
	}
	return "UEFI " + a.String()
}

// isOwn reports whether a is an address of this machine.
func isOwn(nics []nic, a netip.Addr) bool {
	return slices.ContainsFunc(nics, func(n nic) bool {
		return slices.ContainsFunc(n.addrs, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}
