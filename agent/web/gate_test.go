package web

import (
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func (g *Gate) try(t *testing.T, client, token string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://192.0.2.1/api/v1/check", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	if no := g.admit(r, netip.MustParseAddr(client)); no != nil {
		return no.status
	}
	return 200
}

func TestWrongTokensAreSlowedDown(t *testing.T) {
	g := NewGate(theToken)
	now := time.Now()
	g.now = func() time.Time { return now }
	for range maxTries {
		if got := g.try(t, "192.0.2.7", "wrong"); got != 401 {
			t.Fatalf("got %d", got)
		}
	}
	for _, token := range []string{"wrong", theToken} {
		if got := g.try(t, "::ffff:192.0.2.7", token); got != 429 {
			t.Errorf("after %d wrong ones: %d", maxTries, got)
		}
	}
	if got := g.try(t, "192.0.2.8", theToken); got != 200 {
		t.Errorf("another address: %d", got)
	}
	now = now.Add(triesTime)
	if got := g.try(t, "192.0.2.7", theToken); got != 200 {
		t.Errorf("after a minute: %d", got)
	}
	// A right one forgets the wrong ones before.
	for range 3 {
		for range maxTries - 1 {
			g.try(t, "192.0.2.9", "wrong")
		}
		if got := g.try(t, "192.0.2.9", theToken); got != 200 {
			t.Errorf("the right one: %d", got)
		}
	}
	// Whoever has a /64 has one try as well.
	for i := range maxTries {
		g.try(t, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}).String(), "wrong")
	}
	if got := g.try(t, "2001:db8::ffff", theToken); got != 429 {
		t.Errorf("the same /64: %d", got)
	}
}

func TestTriersAreBounded(t *testing.T) {
	g := NewGate(theToken)
	now := time.Now()
	g.now = func() time.Time { return now }
	for i := range 3 * maxTriers {
		now = now.Add(time.Millisecond)
		g.try(t, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String(), "wrong")
	}
	if len(g.wrong) != maxTriers {
		t.Errorf("%d addresses are remembered", len(g.wrong))
	}
	if _, kept := g.wrong[netip.MustParsePrefix("10.0.0.0/32")]; kept {
		t.Error("the oldest was kept")
	}
}

func TestHostNames(t *testing.T) {
	g := NewGate(theToken, "boot-1", "pxe.example.org")
	for host, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.1:8080": true, "[2001:db8::1]": true, "[fe80::1%25eth0]:80": true, "localhost": true,
		"LOCALHOST:80": true, "boot-1:80": true, "Boot-1": true,
		"pxe.example.org.": true, "": false, "example.org": false, "xpxe.example.org": false,
		"localhost.evil.example": false, "192.0.2.1.evil.example": false, ":80": false, "[": false,
	} {
		if got := g.knows(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
