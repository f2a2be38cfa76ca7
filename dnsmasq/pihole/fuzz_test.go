package pihole

import (
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Whatever a Pi-hole answers in place of a success is an error without the password, though the answer may have it.
func FuzzFailure(f *testing.F) {
	f.Add(400, `{"error":{"key":"bad_request","message":"Invalid configuration","hint":"`+testPassword+`"},"took":0.1}`)
	f.Add(403, `{"error":{"key":"forbidden","message":"The config is currently in read-only mode","hint":null}}`)
	f.Add(401, `{"session":{"valid":false}}`)
	f.Add(302, testPassword)
	h := &session{login: remote.Login{Secret: dhcp.NewSecret(testPassword)}}
	f.Fuzz(func(t *testing.T, status int, body string) {
		err := h.failure(remote.Reply{Status: status, Body: []byte(body), Location: body})
		if err == nil || strings.Contains(err.Error(), testPassword) {
			t.Errorf("%q: %v", body, err)
		}
	})
}
