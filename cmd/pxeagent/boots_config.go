package main

import (
	"errors"
	"os"

	"pxeagent/agent/recorder"
	"pxeagent/cmd/pxeagent/config"
)

// boots is how the daemon follows boots, and whom it tells.
func (l loaded) boots() (recorder.Config, error) {
	c := l.Config
	b := recorder.Config{Keep: c.Boots.Keep, MaxAge: c.Boots.MaxAge, Stall: c.Boots.Stall}
	if c.Webhook.URL == nil {
		return b, nil
	}
	b.Webhook.URL = c.Webhook.URL
	secret, err := config.ReadSecret(c, config.WebhookSecret, os.Stdin)
	if errors.Is(err, config.ErrNoSecret) {
		return b, nil
	}
	b.Webhook.Secret = secret.Reveal()
	return b, err
}
