package pfsense

import (
	"context"
	"time"

	"pxeagent/agent/dhcp/remote"
)

// Timeouts. PHP is slow to start on small firewalls, and a change waits for the DHCP daemon, twice 10 s if it is
// rolled back.
const (
	chunkTimeout   = 20 * time.Second
	programTimeout = 90 * time.Second
)

// session is the connection to one firewall, for both transports.
type session struct {
	*remote.Client
	logins logins
}

func newSession(c Config) (*session, error) {
	client, err := remote.New(c.Config)
	if err != nil {
		return nil, err
	}
	return &session{Client: client, logins: newLogins(c)}, nil
}

// post sends one request, without retries.
func (s *session) post(ctx context.Context, path, contentType, accept string, body []byte, login remote.Login,
	within time.Duration) (remote.Reply, error) {
	return s.Do(ctx, remote.Request{
		Path: path, Header: map[string]string{"Content-Type": contentType, "Accept": accept}, Body: body,
		Sign: sign(login), Within: within,
	})
}
