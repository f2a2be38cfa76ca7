package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// menu is the menu as it is configured, with what is secret in it. No secret comes from standard input, which can be
// read once only.
func (l loaded) menu() (menu.Settings, error) {
	c := l.Config.Menu
	m := menu.Settings{Title: c.Title, Default: c.Default, Timeout: c.Timeout, Console: c.Console, NoRescue: !c.Rescue,
		Hide: c.Hide, Entries: c.Entries}
	var none io.Reader = strings.NewReader("")
	secret, err := config.ReadSecret(l.Config, config.RootShadow, none)
	if errors.Is(err, config.ErrNoSecret) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if m.RootShadow, err = catalog.ParseShadow(secret.Reveal()); err != nil {
		return m, cli.Failure{
			Code:  cli.Usage,
			Err:   fmt.Errorf("%s: %w", config.RootShadow.FileKey, err),
			Hints: []string{"openssl passwd -5 asks for a password and prints its hash: `umask 077; openssl passwd -5 > FILE`"},
		}
	}
	return m, nil
}
