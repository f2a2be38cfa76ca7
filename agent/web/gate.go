package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Gate lets those act who have the token. The token is sent as Authorization: Bearer (RFC 6750 section 2.1), which no
// browser adds by itself, so that another site's page cannot act in the name of its visitor.
type Gate struct {
	digest [sha256.Size]byte
	hosts  []string
	cross  *http.CrossOriginProtection
	now    func() time.Time

	mu    sync.Mutex
	wrong map[netip.Prefix]tries
}

// tries are the wrong tokens of one address since a time.
type tries struct {
	n     int
	since time.Time
}

// Wrong tokens: so many from an address (IPv6: a /64) in that time, and it is not listened to until the time is over.
const (
	maxTries   = 5
	triesTime  = time.Minute
	maxTriers  = 1024 // addresses that are remembered
	maxRequest = 4 << 10
)

// NewGate makes a gate for a token. A request must be sent to an IP address, to localhost or to one of hosts: a name
// that somebody else let point here (DNS rebinding) is rejected.
func NewGate(token string, hosts ...string) *Gate {
	return &Gate{digest: sha256.Sum256([]byte(token)), hosts: hosts, cross: http.NewCrossOriginProtection(), now: time.Now,
		wrong: map[netip.Prefix]tries{}}
}

// refusal is why a request may not act: a status and a line of text.
type refusal struct {
	status int
	text   string
}

// admit returns nil where the request may act. client is who asks.
func (g *Gate) admit(r *http.Request, client netip.Addr) *refusal {
	if g == nil {
		return &refusal{http.StatusForbidden, "read-only: page.token_file is not set"}
	}
	if !g.knows(r.Host) {
		return &refusal{http.StatusMisdirectedRequest, "this name is not known here: ask by IP address, or set page.hosts"}
	}
	if g.cross.Check(r) != nil {
		return &refusal{http.StatusForbidden, "another site's page may not act here"}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, "want Content-Type: application/json"}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	from := addressOf(client)
	t := g.wrong[from]
	if g.now().Sub(t.since) >= triesTime {
		t = tries{since: g.now()}
	}
	if t.n >= maxTries {
		return &refusal{http.StatusTooManyRequests, "too many wrong tokens: wait a minute"}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	digest := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(digest[:], g.digest[:]) == 1 {
		delete(g.wrong, from)
		return nil
	}
	t.n++
	g.remember(from, t)
	return &refusal{http.StatusUnauthorized, "the token is wrong"}
}

// remember keeps the tries of at most maxTriers addresses; the oldest goes first.
func (g *Gate) remember(from netip.Prefix, t tries) {
	if _, known := g.wrong[from]; !known && len(g.wrong) >= maxTriers {
		var oldest netip.Prefix
		for p, o := range g.wrong {
			if !oldest.IsValid() || o.since.Before(g.wrong[oldest].since) {
				oldest = p
			}
		}
		delete(g.wrong, oldest)
	}
	g.wrong[from] = t
}

// addressOf is what counts as one client.
func addressOf(a netip.Addr) netip.Prefix {
	bits := 64
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // an address that is not valid has the zero Prefix
	return p
}

// knows reports whether host, of a request's Host header, is a name of this machine.
func (g *Gate) knows(host string) bool {
	name := strings.ToLower(hostname(host))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || name == "localhost" {
		return true
	}
	return slices.ContainsFunc(g.hosts, func(h string) bool {
		return strings.EqualFold(strings.TrimSuffix(h, "."), strings.TrimSuffix(name, "."))
	})
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}
