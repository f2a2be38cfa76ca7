package dhcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

var fakeAddr = netip.MustParseAddr("10.0.0.1")

// fake is a small DHCP server that holds state: its settings are one file, and what it has loaded is another, as a
// daemon's memory would be. It outlives the process that changes its settings.
type fake struct {
	dir  string
	step func()          // called before each change
	flaw map[string]bool // what it does wrong, for the suite to find
}

func (f *fake) String() string          { return "fake server, interface eth1" }
func (f *fake) file(name string) string { return filepath.Join(f.dir, name) }

// read returns nil where there is no such file.
func (f *fake) read(name string) []byte {
	data, err := os.ReadFile(f.file(name))
	if err != nil {
		return nil
	}
	return data
}

// parse takes a record apart: a comment that is somebody's, and a Boot.
func (f *fake) parse(raw []byte) dhcp.Boot {
	var b dhcp.Boot
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "#") {
			_ = json.Unmarshal([]byte(line), &b)
		}
	}
	return b
}

func (f *fake) Plan(_ context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	raw := f.read("settings")
	p := dhcp.Plan{Before: dhcp.State{Boot: f.parse(raw), Raw: raw}, Own: []netip.Addr{fakeAddr}}
	p.After.Boot = want
	if want != (dhcp.Boot{}) {
		text, err := json.Marshal(want)
		if err != nil {
			return p, err
		}
		p.After.Raw = append(text, '\n')
	}
	if f.flaw["plan writes"] {
		f.count("written")
	}
	if f.flaw["plan is never empty"] && want != (dhcp.Boot{}) {
		p.After.Raw = append(p.After.Raw, fmt.Sprintln("#", len(raw))...)
	}
	return p, nil
}

func (f *fake) Apply(_ context.Context, p dhcp.Plan) error {
	if now := (dhcp.State{Raw: f.read("settings")}); !now.Same(p.Before) && !f.flaw["apply does not compare"] {
		return dhcp.ErrChanged
	}
	if f.flaw["apply touches others"] {
		f.must(os.WriteFile(f.file("others"), []byte("gone"), 0o600))
	}
	if !p.Empty() || f.flaw["empty plan writes"] {
		f.write(p.After.Raw)
	}
	if p.Empty() && f.flaw["empty plan does not load"] {
		return nil
	}
	f.load()
	return nil
}

func (f *fake) Revert(_ context.Context, p dhcp.Plan) error {
	now := dhcp.State{Raw: f.read("settings")}
	if !now.Same(p.Before) && !now.Same(p.After) && !f.flaw["revert does not compare"] {
		return dhcp.ErrChanged
	}
	raw := p.Before.Raw
	if raw == nil && f.flaw["revert leaves an empty record"] {
		raw = []byte{}
	}
	if !now.Same(dhcp.State{Raw: raw}) {
		f.write(raw)
	} else if f.flaw["revert does not load what is there"] {
		return nil
	}
	f.load()
	return nil
}

func (f *fake) write(raw []byte) {
	f.step()
	f.count("written")
	switch {
	case raw == nil:
		f.must(os.RemoveAll(f.file("settings")))
	case f.flaw["writes in place"]:
		f.must(os.WriteFile(f.file("settings"), raw[:len(raw)/2], 0o600))
		f.step()
		f.must(os.WriteFile(f.file("settings"), raw, 0o600))
	default:
		f.must(os.WriteFile(f.file(".settings.tmp"), raw, 0o600))
		f.step()
		f.must(os.Rename(f.file(".settings.tmp"), f.file("settings")))
	}
}

// load makes the settings what the server offers, and clears what a killed run left.
func (f *fake) load() {
	if !f.flaw["leaves temporary files"] {
		f.must(os.RemoveAll(f.file(".settings.tmp")))
	}
	f.step()
	f.count("loads")
	if !f.flaw["never loads"] {
		f.must(os.WriteFile(f.file("loaded.tmp"), f.read("settings"), 0o600))
		f.must(os.Rename(f.file("loaded.tmp"), f.file("loaded")))
	}
	f.step()
}

// count makes the named file one byte longer.
func (f *fake) count(name string) {
	c, err := os.OpenFile(f.file(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	f.must(err)
	_, err = c.Write([]byte("."))
	f.must(errors.Join(err, c.Close()))
}

func (f *fake) must(err error) {
	if err != nil {
		panic(err)
	}
}

// probe is what the server offers: every client gets an address, and the boot file that is loaded for it.
func (f *fake) probe(_ context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
	b := f.parse(f.read("loaded"))
	var offers []firmware.Offer
	for _, c := range clients {
		o := firmware.Offer{Client: c, Server: fakeAddr, From: fakeAddr, YourIP: netip.MustParseAddr("10.0.0.99"), Via: "udp"}
		if o.File = b.Expect(c); o.File != "" {
			o.NextServer = b.NextServer
		}
		offers = append(offers, o)
	}
	return offers, nil
}

// others lists every file that is not the server's own, with its content.
func (f *fake) others() []byte {
	entries, err := os.ReadDir(f.dir)
	f.must(err)
	var list []byte
	for _, e := range entries {
		if !slices.Contains([]string{"settings", "loaded", "written", "loads"}, e.Name()) {
			list = fmt.Appendf(list, "%s: %q\n", e.Name(), f.read(e.Name()))
		}
	}
	return list
}
