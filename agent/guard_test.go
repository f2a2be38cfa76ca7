package agent

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/guard"
	"pxeagent/agent/web"
)

// panics counts those of a part.
func panics(t *testing.T, g *guard.Guard, part guard.Part) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(g)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		if m.GetLabel()[0].GetValue() == string(part) {
			return m.GetCounter().GetValue()
		}
	}
	t.Fatalf("part %q is not counted", part)
	return 0
}

// What commands ask over the control socket is guarded as well.
func TestControlGoesOnAfterAPanic(t *testing.T) {
	g := guard.New(slog.New(slog.DiscardHandler))
	h := g.Handler(guard.Control, web.NewBootsAPI(nil, nil)) // a feed that is not there
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("the handler ended with %v", p)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, web.BootsPath, nil))
	}()
	if n := panics(t, g, guard.Control); n != 1 {
		t.Errorf("%v panics are counted", n)
	}
}
