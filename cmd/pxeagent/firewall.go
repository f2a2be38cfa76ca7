package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pxeagent/agent/ipxe"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/pfsense"
)

// login is how one command logs in to the firewall. Each secret is read when it is first needed, and once, however many interfaces there are.
type login struct {
	password, apiKey func() (string, error)
	retry            bool // --retry-auth, until it was used
	log              *slog.Logger
}

func (a *app) newLogin(cmd *cobra.Command, c config.Config, log *slog.Logger) *login {
	read := func(src config.SecretSource) func() (string, error) {
		return sync.OnceValues(func() (string, error) {
			s, err := config.ReadSecret(c, src, a.stdin)
			if errors.Is(err, config.ErrNoSecret) {
				return "", nil
			}
			return s.Reveal(), err
		})
	}
	return &login{password: read(config.FirewallPassword), apiKey: read(config.FirewallAPIKey), retry: config.FlagValue(cmd.Flags(), "retry-auth") == "true", log: log}
}

func addRetryAuth(flags *pflag.FlagSet) {
	flags.Bool("retry-auth", false, "log in to the firewall even with what it refused before")
}

// pfsense opens the firewall for iface; "" for none. A login is tried again once in a run, not once for each interface.
func (l loaded) pfsense(iface string) (*pfsense.Server, error) {
	p := l.Config.DHCP.PfSense
	if p.URL == nil {
		return nil, cli.Failure{Code: cli.Usage, Err: errors.New("dhcp.pfsense.url: is not set"), Hints: []string{"name the firewall: --pfsense https://fw.lan"}}
	}
	retry := l.login.retry
	l.login.retry = false
	return pfsense.New(pfsense.Config{
		URL: p.URL, Transport: p.Transport, Interface: iface, User: p.User, Password: l.login.password, APIKey: l.login.apiKey,
		TLSSHA256: p.TLSSHA256, CAFile: p.CAFile, StateDir: l.Config.StateDir, RetryAuth: retry, Log: l.login.log,
		// It changes what is the site's own, so only who asks for it by name has it.
		TellIPXE: l.Config.Chain == ipxe.ChainDHCP,
	})
}

// findPfSense asks the firewall what it calls name, so that this machine's place there is found by the network's addresses.
func (l loaded) findPfSense(ctx context.Context) func(name string) (found, error) {
	return func(name string) (found, error) {
		s, err := l.pfsense(name)
		if err != nil {
			return found{}, err
		}
		i, err := s.Found(ctx)
		if err != nil {
			return found{}, err
		}
		return found{server: s, id: i.ID, prefix: i.Network}, nil
	}
}

// found is a network as its DHCP server knows it.
type found struct {
	server *pfsense.Server
	id     string       // the one name of it that does not change
	prefix netip.Prefix // invalid where it has no fixed addresses
}
