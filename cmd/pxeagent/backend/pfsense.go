package backend

import (
	"context"
	"strings"

	"pxeagent/agent/ipxe"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/pfsense"
)

// pfSense is a firewall that is asked over the network. An interface of it has many names and one id.
func pfSense() Backend {
	return Backend{
		Backend: pfSenseConfig(), Flags: addRetryAuth, Codes: pfSenseCodes, Refusals: pfSenseRefusals, Hints: pfSenseHints,
		Commands: newPfSenseCmd,
		Find:     findPfSense,
		Open:     openFound,
		Key:      pfSenseAppliance.journalKey,
		Remember: func(c config.Config, name string) string {
			return pfSenseOf(&c).URL.Host + "/" + strings.ToLower(name)
		},
		TellsIPXE: pfSenseTellsIPXE,
		TellsURL:  pfSenseTellsURL,
		StandIn:   newStandIn,
	}
}

// openPfSense opens the firewall for iface; "" for none.
func openPfSense(s *Session, iface string) (*pfsense.Server, error) {
	at, err := pfSenseAppliance.reach(s)
	if err != nil {
		return nil, err
	}
	p := pfSenseOf(&s.Config)
	return pfsense.New(pfsense.Config{
		Config: at, Transport: p.Transport, Interface: iface, User: p.User,
		Password: s.secret(firewallPassword), APIKey: s.secret(firewallAPIKey), Log: s.Log,
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
