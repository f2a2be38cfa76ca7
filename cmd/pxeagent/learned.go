package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// Only configure, revert and status ask the firewall. What configure learns of a network is kept in the state folder,
// so that serve, probe and check find this machine's place there, know what can be expected of the offers, and need no
// login. Of a network where another server leases the addresses that is the network of its leases.

// fact is what is known of a network.
type fact struct {
	Prefix    netip.Prefix   `json:"prefix"`
	Abilities dhcp.Abilities `json:"abilities,omitzero"`
}

// UnmarshalJSON also takes the prefix alone, as older versions wrote it.
func (f *fact) UnmarshalJSON(data []byte) error {
	if *f = (fact{}); json.Unmarshal(data, &f.Prefix) == nil {
		return nil
	}
	type plain fact
	return json.Unmarshal(data, (*plain)(f))
}

func (l loaded) learnedFile() string { return filepath.Join(l.Config.StateDir, "networks.json") }

// learnedKey is the firewall and the network as a person calls it.
func (l loaded) learnedKey(name string) string {
	return l.row.Remember(l.Config, name)
}

// learn keeps what the DHCP server told of n. It is for runs that may write.
func (l loaded) learn(n network) error {
	if l.row.Remember == nil || !n.found.Prefix.IsValid() {
		return nil
	}
	known, err := l.learned()
	if err != nil {
		return err
	}
	key := l.learnedKey(n.name)
	now := fact{n.found.Prefix, n.found.Abilities}
	if known[key] == now {
		return nil
	}
	known[key] = now
	text, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping what is known of %s: %w", n.name, err)
	}
	if err := renameio.WriteFile(l.learnedFile(), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("keeping what is known of %s: %w", n.name, err)
	}
	return nil
}

func (l loaded) learned() (map[string]fact, error) {
	known := map[string]fact{}
	text, err := os.ReadFile(l.learnedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is known of the networks: %w", err)
	}
	if err := json.Unmarshal(text, &known); err != nil || known == nil {
		return nil, cli.Failure{Code: cli.Unexpected, Err: fmt.Errorf("%s cannot be understood", l.learnedFile()),
			Hints: []string{"use the pxeagent that wrote it, or move it away: `pxeagent configure` makes it again"}}
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
		f := known[l.learnedKey(name)]
		if l.row.Local {
			// It was not the server that told, but another's lease, and this machine may have moved since.
			_, own := l.addresses(name)
			if !l.byLease() || !slices.ContainsFunc(own, f.Prefix.Contains) {
				f.Prefix = netip.Prefix{}
			}
		}
		return backend.Network{Name: name, Prefix: f.Prefix, Abilities: f.Abilities}, nil
	}
}

// place is what is known about the network at index i. Where the firewall was never asked about it, its name says
// nothing: then only a machine with one network can know its place.
func (l loaded) place(nics []nic, name string, i int, f backend.Network) wantLocal {
	want := wantLocal{network: name, device: l.Config.Probe.Device(i), prefix: f.Prefix}
	if l.row.Find != nil && !f.Asked() && !f.Prefix.IsValid() && findNIC(nics, name) == nil {
		want.network = ""
	}
	return want
}

// expected is what can be expected of the offers in n, for commands that have no plan to go by.
func (l loaded) expected(n network) dhcp.Boot { return l.abilities(n.found).Of(n.want) }

// abilities are what the DHCP server of f can send, as it told configure; with a script only where it tells iPXE from
// firmware.
func (l loaded) abilities(f backend.Network) dhcp.Abilities {
	can := f.Abilities
	if l.row.TellsIPXE != nil {
		tells, _ := l.row.TellsIPXE(l.Config)
		can.NoScript = !tells
	}
	return can
}

// recalled are the abilities of the network of that name, as they are known now: configure may have run since the
// daemon began. What cannot be read is not known.
func (l loaded) recalled(name string) func() dhcp.Abilities {
	return func() dhcp.Abilities {
		f := backend.Network{Name: name}
		if recall := l.recall(); recall != nil {
			f, _ = recall(name)
		}
		return l.abilities(f)
	}
}
