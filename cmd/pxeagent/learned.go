package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// Only configure, revert and status ask the firewall. What they learn of a network's addresses is kept in the state folder, so that serve,
// probe and check find this machine's place there and need no login.

func (l loaded) learnedFile() string { return filepath.Join(l.Config.StateDir, "networks.json") }

// learnedKey is the firewall and the network as a person calls it.
func (l loaded) learnedKey(name string) string {
	return l.row.Remember(l.Config, name)
}

// learn keeps the addresses of n. It is for runs that may write.
func (l loaded) learn(n network) error {
	if l.row.Remember == nil || !n.found.Prefix.IsValid() {
		return nil
	}
	known, err := l.learned()
	if err != nil {
		return err
	}
	key := l.learnedKey(n.name)
	if known[key] == n.found.Prefix {
		return nil
	}
	known[key] = n.found.Prefix
	text, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the addresses of %s: %w", n.name, err)
	}
	if err := renameio.WriteFile(l.learnedFile(), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("keeping the addresses of %s: %w", n.name, err)
	}
	return nil
}

func (l loaded) learned() (map[string]netip.Prefix, error) {
	known := map[string]netip.Prefix{}
	text, err := os.ReadFile(l.learnedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading which addresses the networks have: %w", err)
	}
	if err := json.Unmarshal(text, &known); err != nil || known == nil {
		return nil, cli.Failure{Code: cli.Unexpected, Err: fmt.Errorf("%s cannot be understood", l.learnedFile()), Hints: []string{"remove it; `pxeagent configure` makes it again"}}
	}
	return known, nil
}

// recall is how commands that do not ask the DHCP server find out about a network; nil where its name says enough.
func (l loaded) recall() func(name string) (backend.Network, error) {
	if l.row.Remember == nil {
		return nil
	}
	return func(name string) (backend.Network, error) {
		known, err := l.learned()
		if err != nil {
			return backend.Network{}, err
		}
		return backend.Network{Name: name, Prefix: known[l.learnedKey(name)]}, nil
	}
}

// place is what is known about the network at index i. Where the firewall was never asked about it, its name says nothing: then only a
// machine with one network can know its place.
func (l loaded) place(nics []nic, name string, i int, f backend.Network) wantLocal {
	want := wantLocal{network: name, device: l.Config.Probe.Device(i), prefix: f.Prefix}
	if l.row.Find != nil && !f.Asked() && !f.Prefix.IsValid() && findNIC(nics, name) == nil {
		want.network = ""
	}
	return want
}

// expected is what can be expected of the offers in n, for commands that have no plan to go by: a DHCP server that does
// not tell iPXE from firmware sends nobody the script.
func (l loaded) expected(n network) dhcp.Boot {
	want := n.want
	if l.row.TellsIPXE != nil {
		if tells, _ := l.row.TellsIPXE(l.Config); !tells {
			want.Script = ""
		}
	}
	return want
}
