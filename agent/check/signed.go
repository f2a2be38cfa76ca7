package check

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/secureboot"
)

// asWholeFirmware is firmware that fetches all of a file; see httpDo.
const asWholeFirmware = "pxeagent-check UefiHttpBoot/1.0"

// program fetches an NBP whole, as the firmware does, and reads who signed it.
func (w *walker) program(client firmware.Client, file nbp) (secureboot.Program, int64, error) {
	var whole []byte
	var err error
	if dhcp.IsURL(file.url) {
		err = w.http.do(w.ctx, http.MethodGet, asWholeFirmware, file.url, func(resp *http.Response) error {
			whole, err = io.ReadAll(io.LimitReader(resp.Body, secureboot.MaxProgram))
			return err
		})
	} else {
		whole, err = tftpAll(w.ctx, file.server, file.name, asks(client.Arch()), secureboot.MaxProgram)
	}
	if err != nil {
		return secureboot.Program{}, -1, err
	}
	p, err := secureboot.Inspect(whole)
	return p, int64(len(whole)), err
}

// secondStage goes on from an NBP that is a shim, and reports whether what it loads is iPXE, or may be. GRUB asks for
// its own menu, and not DHCP.
func (w *walker) secondStage(client firmware.Client, shim nbp) (ipxe bool) {
	second := shim.beside(secondOf(path.Base(shim.name)))
	grub := false
	if !w.once(client, "nbp", second.what(), client.Arch().String()+" second", func() (int64, string, error) {
		p, size, err := w.program(client, second)
		if err != nil {
			return -1, "", fmt.Errorf("the shim's second stage: %w", err)
		}
		_, grub = p.Component("grub")
		w.grub[second.what()] = grub
		return size, "the shim's second stage: " + p.Refusals(), nil
	}) {
		return false
	}
	if !w.grub[second.what()] {
		return true
	}
	if dhcp.IsURL(second.url) {
		w.add(Step{Client: client, Stage: "script", What: second.what(), Bytes: -1,
			Text: "GRUB that was loaded by HTTP boot finds no menu: its files come by TFTP"})
		return false
	}
	menu := second
	menu.name = grubMenu
	w.once(client, "script", menu.what(), "", func() (int64, string, error) {
		text, err := tftpAll(w.ctx, menu.server, menu.name, asks(client.Arch()), maxScript)
		return int64(len(text)), "GRUB's menu", err
	})
	return false
}

// grubMenu is where Debian's signed GRUB looks for its menu.
const grubMenu = "grub/grub.cfg"

var shimRE = regexp.MustCompile(`^(.+)-shim[^.]*(\.efi)$`)

// secondOf is what a shim of that name loads from beside it: iPXE's goes by its own name, others load GRUB.
func secondOf(shim string) string {
	if m := shimRE.FindStringSubmatch(shim); m != nil {
		return m[1] + m[2]
	}
	return secureboot.GRUB
}

// beside is the file of that name in the NBP's folder.
func (n nbp) beside(name string) nbp {
	if dhcp.IsURL(n.url) {
		n.url = n.url[:len(n.url)-len(path.Base(n.url))] + name
		n.name = n.url
		return n
	}
	n.name = n.name[:len(n.name)-len(path.Base(n.name))] + name
	return n
}

// what is the NBP as steps have it.
func (n nbp) what() string {
	if dhcp.IsURL(n.url) {
		return n.url
	}
	return "tftp://" + n.server.String() + "/" + n.name
}
