package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"pxeagent/agent"
	"pxeagent/agent/web"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// minToken is the fewest bytes that the page's token may have. Wrong ones are counted, but only by address.
const minToken = 16

// page is what the live page is told of the configuration, and its gate where there is a token.
func (l loaded) page() (agent.Page, error) {
	p := agent.Page{Settings: l.shown()}
	token, err := config.ReadSecret(l.Config, config.PageToken, os.Stdin)
	switch {
	case errors.Is(err, config.ErrNoSecret):
		return p, nil
	case err != nil:
		return p, err
	case len(token.Reveal()) < minToken || strings.ContainsFunc(token.Reveal(),
		func(r rune) bool { return r <= ' ' || r > '~' }):
		return p, cli.Failure{Code: cli.Usage,
			Err:   fmt.Errorf("page.token: want at least %d characters of ASCII, without blanks", minToken),
			Hints: []string{"make one: openssl rand -hex 20"}}
	}
	hosts := slices.Clone(l.Config.Page.Hosts)
	if own, err := os.Hostname(); err == nil {
		own = strings.ToLower(own)
		short, _, _ := strings.Cut(own, ".")
		hosts = append(hosts, own, short)
	}
	p.Gate = web.NewGate(token.Reveal(), hosts...)
	return p, nil
}

// shown are the settings that the page shows. Everyone on the network sees it: it says how machines are served, not how
// the DHCP server is got into nor where things are kept.
func (l loaded) shown() []web.Setting {
	var out []web.Setting
	for _, s := range l.Settings {
		if s.Key.Public {
			out = append(out, web.Setting{Key: s.Key.Name, Value: strings.Join(s.Texts, ", "), From: s.From.Short()})
		}
	}
	return out
}
