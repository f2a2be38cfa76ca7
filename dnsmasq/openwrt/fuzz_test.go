package openwrt

import (
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Whatever a router answers is an error or a status, and no error has the password, though the answer may.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `{"jsonrpc":"2.0","id":1,"result":[0,{"values":{"x":{".type":"boot",".index":1,"filename":"a"}}}]}`)
	f.Add(200, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"`+testPassword+`"}}`)
	f.Add(200, `{"jsonrpc":"2.0","result":[]}`)
	f.Add(418, testPassword)
	h := &session{login: remote.Login{User: "pxeagent", Secret: dhcp.NewSecret(testPassword)}}
	f.Fuzz(func(t *testing.T, status int, body string) {
		var v struct {
			Values map[string]map[string]any `json:"values"`
		}
		_, err := h.read(remote.Reply{Status: status, Body: []byte(body)}, "uci get", &v)
		if err != nil && strings.Contains(err.Error(), testPassword) {
			t.Errorf("%q: %v", body, err)
		}
	})
}
