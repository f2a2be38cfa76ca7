package backend

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/ipxe"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/pfsense"
)

// pfSense is a firewall that is asked over the network. An interface of it has many names and one id.
func pfSense() Backend {
	return Backend{
		Backend: pfSenseConfig(), Flags: addRetryAuth, Codes: pfSenseCodes, Refusals: pfSenseRefusals, Hints: pfSenseHints,
		Commands: newPfSenseCmd,
		Find:     findPfSense,
		Open:     func(_ *Session, n Network) (dhcp.Server, error) { return n.server, nil },
		Key:      func(c config.Config, n Network) string { return pfSenseOf(&c).URL.Host + "-" + n.ID },
		Remember: func(c config.Config, name string) string {
			return pfSenseOf(&c).URL.Host + "/" + strings.ToLower(name)
		},
		TellsIPXE: pfSenseTellsIPXE,
		TellsURL:  pfSenseTellsURL,
		StandIn:   newStandIn,
	}
}

func addRetryAuth(flags *pflag.FlagSet) {
	if flags.Lookup(retryAuth) == nil { // several backends have it
		flags.Bool(retryAuth, false, "log in to the DHCP server even with what it refused before")
	}
}

const retryAuth = "retry-auth"

// openPfSense opens the firewall for iface; "" for none. A login is tried again once in a run, not once for each
// interface.
func openPfSense(s *Session, iface string) (*pfsense.Server, error) {
	p := pfSenseOf(&s.Config)
	if p.URL == nil {
		return nil, cli.Failure{
			Code: cli.Usage, Err: errors.New("dhcp.pfsense.url: is not set"),
			Hints: []string{"name the firewall: --pfsense https://fw.lan"},
		}
	}
	return pfsense.New(pfsense.Config{
		URL: p.URL, Transport: p.Transport, Interface: iface, User: p.User,
		Password: s.secret(firewallPassword), APIKey: s.secret(firewallAPIKey),
		TLSSHA256: p.TLSSHA256, CAFile: p.CAFile, StateDir: s.Config.StateDir, RetryAuth: s.once(retryAuth), Log: s.Log,
		// It changes what is the site's own, so only who asks for it by name has it.
		TellIPXE: s.Config.Chain == ipxe.ChainDHCP,
	})
}

// findPfSense asks the firewall what it calls name, so that this machine's place there is found by the network's
// addresses.
func findPfSense(ctx context.Context, s *Session, name string) (Network, error) {
	server, err := openPfSense(s, name)
	if err != nil {
		return Network{}, err
	}
	i, err := server.Found(ctx)
	if err != nil {
		return Network{}, err
	}
	return Network{Name: name, ID: i.ID, Prefix: i.Network, Abilities: i.Abilities, server: server}, nil
}

// pfSenseTellsIPXE: it tells iPXE from firmware, and sends it the script, only where it is asked to.
func pfSenseTellsIPXE(c config.Config) (bool, string) {
	if c.Chain == ipxe.ChainDHCP {
		return true, "Kea on pfSense is given a class that knows iPXE by DHCP option 175 and sends it the menu's URL; " +
			"with ISC's server, or before 2.8 and 25.03, `pxeagent configure` refuses"
	}
	return false, "pfSense itself sends iPXE what it sends a ROM; with Kea, from 2.8 and 25.03 on, chain: dhcp has it " +
		"told apart"
}

func pfSenseTellsURL(c config.Config, sent bool) string {
	switch {
	case sent:
		return "pfSense with ISC's server then sends option 60 HTTPClient to PXE machines too, whose iPXE is known by " +
			"HTTP, and with Kea the URL has no effect"
	case c.DHCP.HTTPBoot == "auto":
		return "pfSense with ISC's server would send option 60 HTTPClient to PXE machines too, and with Kea the URL would " +
			"have no effect"
	}
	return ""
}
