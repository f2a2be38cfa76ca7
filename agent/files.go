package agent

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"

	"pxeagent/agent/boot"
	"pxeagent/agent/files"
	"pxeagent/agent/menu"
	"pxeagent/agent/tftp"
)

// byPlace picks what belongs to the place whose address was asked, else to the first place.
type byPlace[T any] struct {
	first T
	by    map[netip.Addr]T
}

func (p byPlace[T]) at(asked netip.Addr) T {
	if t, ok := p.by[asked.Unmap()]; ok {
		return t
	}
	return p.first
}

// all are those of every place; the first may be there twice.
func (p byPlace[T]) all() []T {
	out := []T{p.first}
	for _, t := range p.by {
		out = append(out, t)
	}
	return out
}

// places makes something for each place.
func places[T any](all []Place, make func(Place) (T, error)) (byPlace[T], error) {
	p := byPlace[T]{by: map[netip.Addr]T{}}
	for i, at := range all {
		t, err := make(at)
		if err != nil {
			return p, err
		}
		if i == 0 {
			p.first = t
		}
		p.by[at.NextServer] = t
	}
	return p, nil
}

// menus are made for each place, with that place's URLs in them; libraries are the same trees.
type (
	menus     = byPlace[*menu.Builder]
	libraries = byPlace[*files.Library]
)

func newMenus(c Config, m *machines) (menus, error) {
	return places(c.Places, func(p Place) (*menu.Builder, error) {
		return menu.New(menu.Config{
			Base: p.Base, Catalog: m.catalog, Settings: c.Menu, TFTP: m.tftp, Choose: m.choose(p.Base), Log: c.Log,
		})
	})
}

func newLibraries(c Config, menus menus, m *machines) (libraries, error) {
	return places(c.Places, func(p Place) (*files.Library, error) {
		return files.New(files.Config{
			Root: c.Root, NextServer: p.NextServer, Menu: menus.at(p.NextServer), Chain: c.Chain, Except: c.Except,
			BootFiles: c.BootFiles, NBP: m.NBP, Signed: c.Signed, Universal: c.Universal, Log: c.Log,
		})
	})
}

// handlers are the web servers of the places.
type handlers struct{ byPlace[http.Handler] }

func (h handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := h.first
	if len(h.by) > 1 {
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
			at = h.at(local.AddrPort().Addr())
		}
	}
	at.ServeHTTP(w, r)
}

// tftpFiles are the libraries as the TFTP server wants them.
type tftpFiles struct {
	libraries libraries
	machines  *machines
}

func (l tftpFiles) Open(a boot.Ask) (*tftp.File, error) {
	f, err := asked{l.libraries.at(a.Local.Addr()), l.machines, own}.Open(&a)
	var not *files.NotOpened
	switch {
	case errors.As(err, &not):
		if errors.Is(err, files.ErrRefused) {
			err = errors.Join(fs.ErrPermission, err)
		}
		return &tftp.File{Artifact: not.Artifact, Quirks: not.Quirks}, err
	case err != nil:
		return nil, err
	}
	served := &tftp.File{
		ReaderAt: f, Size: f.Size, Artifact: f.Artifact, Given: f.Given, LoopBroken: f.LoopBroken, Quirks: f.Quirks,
		ID: f.ID(), Close: f.Close,
	}
	if _, onDisk := f.Content.(*os.File); onDisk {
		served.Changed = f.Changed // what is in memory does not, and need not be asked
	}
	return served, nil
}
