package cli

import "testing"

// A hint names a command that its system has.
func TestIP(t *testing.T) {
	for _, c := range []struct{ goos, args, want string }{
		{"linux", "-br addr", "ip -br addr"},
		{"linux", "link set eth1 up", "ip link set eth1 up"},
		{"freebsd", "-br addr", "ifconfig"},
		{"freebsd", "link set igb0 up", "ifconfig igb0 up"},
	} {
		if got := ipOn(c.goos, c.args); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.goos, c.args, got, c.want)
		}
	}
}
