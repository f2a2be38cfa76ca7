package backend

import (
	"strings"
	"testing"

	"pxeagent/cmd/pxeagent/config"
)

// Standard input is read once, however many interfaces there are.
func TestPasswordFromStdin(t *testing.T) {
	t.Setenv(firewallPassword.Env, "")
	t.Setenv(firewallAPIKey.Env, "")
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	var c config.Config
	pfSenseOf(&c).PasswordFile = config.Stdin
	s := NewSession(c, nil, strings.NewReader("a secret\n"), nil)
	for range 3 {
		if p, err := s.secret(firewallPassword)(); p != "a secret" || err != nil {
			t.Errorf("%q, %v", p, err)
		}
	}
	if k, err := s.secret(firewallAPIKey)(); k != "" || err != nil {
		t.Errorf("%q, %v", k, err)
	}
	for _, bad := range []string{"", "\n", "one\ntwo\n", strings.Repeat("x", 4097)} {
		s := NewSession(c, nil, strings.NewReader(bad), nil)
		if _, err := s.secret(firewallPassword)(); err == nil || !strings.Contains(err.Error(), "standard input") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
