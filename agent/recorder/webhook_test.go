package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// hooked is a webhook with the server that it posts to.
type hooked struct {
	*webhook
	t        *testing.T
	registry *prometheus.Registry
	stop     func()
	posts    chan post

	mu  sync.Mutex
	log bytes.Buffer
}

type post struct {
	header http.Header
	body   string
}

func (h *hooked) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(b)
}

// newHooked answers the posts by answer, in order; the last one stays.
func newHooked(t *testing.T, answer ...http.HandlerFunc) *hooked {
	t.Helper()
	h := &hooked{t: t, registry: prometheus.NewRegistry(), posts: make(chan post, 1000)}
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.posts <- post{r.Header, string(body)}
		h.mu.Lock()
		f := answer[min(n, len(answer)-1)]
		n++
		h.mu.Unlock()
		f(w, r)
	}))
	to, err := url.Parse(server.URL + "/path-token?query-token=1")
	if err != nil {
		t.Fatal(err)
	}
	h.webhook = newWebhook(
		Webhook{URL: to, Secret: "the-secret", limit: 200 * time.Millisecond, pause: time.Millisecond},
		newMetrics(h.registry, false).deliveries,
		guard.New(slog.New(slog.DiscardHandler)),
		slog.New(slog.NewTextHandler(h, nil)),
	)
	if len(answer) == 0 {
		h.client.Transport = panicking{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.run(ctx) }()
	h.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(func() {
		h.stop()
		server.CloseClientConnections()
		server.Close()
		for _, secret := range []string{"the-secret", "path-token", "query-token"} {
			if strings.Contains(h.log.String(), secret) {
				t.Errorf("the log has %q:\n%s", secret, &h.log)
			}
		}
	})
	return h
}

// panicking is a transport that does not come to an end.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("a panic while posting") }

// A panic ends the post of one boot, and the next is posted.
func TestWebhookGoesOnAfterAPanic(t *testing.T) {
	h := newHooked(t)
	h.send(boot.Boot{ID: "1"})
	h.send(boot.Boot{ID: "2"})
	h.counted(hookFailed, 2)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (h *hooked) count(outcome string) int {
	families, err := h.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "pxeagent_webhook_deliveries_total" && m.GetLabel()[0].GetValue() == outcome {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return -1
}

// counted waits until so many posts had that outcome.
func (h *hooked) counted(outcome string, want int) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); h.count(outcome) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("%d are %s, want %d", h.count(outcome), outcome, want)
		}
	}
}

func TestWebhook(t *testing.T) {
	h := newHooked(t, status(http.StatusNoContent))
	b := boot.Boot{ID: "abc", MAC: "52:54:00:12:34:56", Result: boot.Booted, Files: []boot.Fetch{{Name: "x"}}}
	h.send(b)
	p := <-h.posts
	var got boot.Boot
	if err := json.Unmarshal([]byte(p.body), &got); err != nil || got.ID != b.ID || got.MAC != b.MAC ||
		len(got.Files) != 1 {
		t.Errorf("%v: %s", err, p.body)
	}
	at := p.header.Get(HeaderTimestamp)
	var seconds int64
	if fmt.Sscan(at, &seconds); time.Since(time.Unix(seconds, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q", at)
	}
	if want := Sign("the-secret", at, []byte(p.body)); p.header.Get(HeaderSignature) != want ||
		p.header.Get(HeaderDelivery) != "abc" ||
		p.header.Get(HeaderEvent) != "boot" {
		t.Errorf("%v, want the signature %s", p.header, want)
	}
	h.counted(hookOK, 1)
}

// As openssl has it: printf '1700000000.{}' | openssl dgst -sha256 -hmac key.
func TestSign(t *testing.T) {
	const want = "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
	if got := Sign("key", "1700000000", []byte("{}")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWebhookTriesAgain(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, tc := range []struct {
		name    string
		answers []http.HandlerFunc
		outcome string
		posts   int
	}{
		{"a server that was down", []http.HandlerFunc{status(500), status(503), status(200)}, hookOK, 3},
		{"a server that hangs once", []http.HandlerFunc{slow, status(201)}, hookOK, 2},
		{"a connection that is cut", []http.HandlerFunc{cut, status(200)}, hookOK, 2},
		{"too many requests", []http.HandlerFunc{status(429), status(200)}, hookOK, 2},
		{"a server that stays down", []http.HandlerFunc{status(500)}, hookFailed, hookTries},
		{"a server that refuses", []http.HandlerFunc{status(403)}, hookFailed, 1},
		{"a redirect", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}}, hookFailed, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHooked(t, tc.answers...)
			h.send(boot.Boot{ID: "abc"})
			h.counted(tc.outcome, 1)
			if n := len(h.posts); n < tc.posts ||
				n > tc.posts+1 { // Go's client itself repeats a post on a connection that was cut
				t.Errorf("%d posts, want %d", n, tc.posts)
			}
			h.stop()
			h.mu.Lock()
			defer h.mu.Unlock()
			if logged := strings.Contains(h.log.String(), "could not be posted"); logged != (tc.outcome == hookFailed) {
				t.Errorf("logged: %s", &h.log)
			}
		})
	}
}

// A server that never answers holds up neither boots nor the end of the agent; what finds no room is dropped and
// counted.
func TestWebhookNeverWaits(t *testing.T) {
	h := newHooked(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	h.limit, h.client.Timeout = time.Hour, time.Hour
	began := time.Now()
	const n = hookQueue + 100
	h.send(boot.Boot{})
	<-h.posts
	for range n {
		h.send(boot.Boot{})
	}
	if dropped := h.count(hookDropped); dropped != n-hookQueue {
		t.Errorf("%d dropped, want %d", dropped, n-hookQueue)
	}
	h.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if dropped := h.count(hookDropped); dropped != n+1 {
		t.Errorf("%d dropped after the end, want %d", dropped, n+1)
	}
}
