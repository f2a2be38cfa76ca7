package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"pxeagent/agent/efi"
	"pxeagent/agent/files"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/secureboot"
	"pxeagent/cmd/pxeagent/cli"
)

// secure does what secure_boot needs before the DHCP server may send machines here. With own, the built-in iPXE is
// signed, unless nothing may be written.
func (l loaded) secure(n network, dryRun bool) error {
	if l.Config.Boot.SecureBoot != secureboot.Own {
		return nil
	}
	keys, err := secureboot.ReadKeys(l.secureBootDir(), secureboot.DB, time.Now())
	if err != nil {
		return fmt.Errorf("secure_boot: own: %w", err)
	}
	b, err := menu.New(menu.Config{Base: n.base})
	if err != nil {
		return err
	}
	to, err := ipxe.NewDestination(b.ScriptURL(), n.next)
	if err != nil || dryRun {
		return err
	}
	if _, err = l.signFor(keys, to); err != nil {
		return err
	}
	lib, err := files.New(files.Config{Root: l.Config.Serve.Root, NextServer: n.next, Menu: b, Chain: l.Config.Chain,
		Signed: l.secureBootDir()})
	if err != nil {
		return err
	}
	// A file of the user's own in the place of a built-in one is the user's to sign.
	for a, name := range l.Config.Boot.Files {
		if name == "" || firmware.Arch(a) == firmware.BIOS {
			continue
		}
		program, err := readProgram(lib, name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // served by another machine, or not for this user to read
		}
		if err != nil {
			return err
		}
		if !signedBy(program, keys) {
			path := filepath.Join(l.Config.Serve.Root, "tftp", name)
			return cli.Failure{Code: cli.SecureBoot,
				Err:   fmt.Errorf("secure_boot: own: %s is not signed with %s; nothing was written", path, keys.Cert.Subject),
				Hints: []string{"sign it: pxeagent secureboot sign " + path}}
		}
	}
	return nil
}

func readProgram(lib *files.Library, name string) ([]byte, error) {
	f, err := lib.BootFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, min(f.Size, secureboot.MaxProgram+1)))
}

// shimThere refuses a shim that is none, or is without the second stage that it would load.
func (l loaded) shimThere(lib *files.Library) error {
	mode := l.Config.Boot.SecureBoot
	shim, second := mode.Files()
	if shim == "" || l.Config.Boot.Files[firmware.EFI64] != shim {
		return nil
	}
	tree := filepath.Join(l.Config.Serve.Root, "tftp")
	bad := func(format string, args ...any) error {
		return cli.Failure{Code: cli.SecureBoot, Err: fmt.Errorf("secure_boot: %s: %w; nothing was written", mode,
			fmt.Errorf(format, args...)), Hints: []string{shimHints[mode]}}
	}
	for _, name := range []string{shim, second} {
		program, err := readProgram(lib, name)
		if errors.Is(err, fs.ErrNotExist) {
			return bad("file %q not found in %s", name, tree)
		}
		if err != nil {
			return err
		}
		p, err := secureboot.Inspect(program)
		switch _, isShim := p.Component("shim"); {
		case err != nil:
			return bad("%s: %w", name, err)
		case p.Machine != efi.X64:
			return bad("%s is for %v, want x64", name, p.Machine)
		case len(p.Signatures) == 0:
			return bad("%s has no signature", name)
		case name == shim && !isShim:
			return bad("%s is no shim: its SBAT section does not say so", name)
		}
	}
	return nil
}

var shimHints = map[secureboot.Mode]string{
	secureboot.ShimIPXE: "put both files of x86_64-sb/ of an iPXE release there: `pxeagent image add ipxe --from FILE " +
		"--from FILE`",
	secureboot.ShimGRUB: "put Debian's there: `pxeagent image add shim-debian`, with --from DIR where its packages are " +
		"not installed",
}

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
	if err := l.shimThere(lib); err != nil {
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
