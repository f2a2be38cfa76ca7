package backend

import (
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/config"
)

// Standard input is read once, however many interfaces there are.
func TestPasswordFromStdin(t *testing.T) {
	t.Setenv(config.EnvPassword, "")
	t.Setenv(config.EnvAPIKey, "")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	c := config.Config{DHCP: config.DHCPConfig{PfSense: config.PfSenseConfig{PasswordFile: config.Stdin}}}
	s := NewSession(c, nil, strings.NewReader("a secret\n"), nil)
	for range 3 {
		if p, err := s.secret(config.FirewallPassword)(); p != "a secret" || err != nil {
			t.Errorf("%q, %v", p, err)
		}
	}
	if k, err := s.secret(config.FirewallAPIKey)(); k != "" || err != nil {
		t.Errorf("%q, %v", k, err)
	}
	for _, bad := range []string{"", "\n", "one\ntwo\n", strings.Repeat("x", 4097)} {
		s := NewSession(c, nil, strings.NewReader(bad), nil)
		if _, err := s.secret(config.FirewallPassword)(); err == nil || !strings.Contains(err.Error(), "standard input") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
