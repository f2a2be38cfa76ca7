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
	for _, a := range firmware.Arches() {
		name := c.Boot.Files[a]
		if name == "" {
			continue
		}
		f, err := lib.BootFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return l.noBootFile("boot.files."+a.String(), name)
		}
		if err == nil {
			f.Close()
		}
	}
	return nil
}

func (l loaded) noBootFile(key, name string) error {
	return cli.Failure{
		Code: cli.Usage, Err: fmt.Errorf("%s: file %q not found; nothing was written", key, name),
		Hints: []string{fmt.Sprintf("put it at %s, or take %s out of the configuration",
			filepath.Join(l.Config.Serve.Root, "tftp", name), key)},
	}
}

// isOwn reports whether a is an address of this machine.
func isOwn(nics []nic, a netip.Addr) bool {
	return slices.ContainsFunc(nics, func(n nic) bool {
		return slices.ContainsFunc(n.addrs, func(p netip.Prefix) bool { return p.Addr() == a })
	})
}
