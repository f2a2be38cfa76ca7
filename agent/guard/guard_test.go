package guard_test

import (
	"bytes"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/guard"
)

func newGuard() (*guard.Guard, *bytes.Buffer) {
	var out bytes.Buffer
	return guard.New(slog.New(slog.NewTextHandler(&out, nil))), &out
}

func index(b []byte, i int) byte { return b[i] }

func write(m map[string]int) { m["a"] = 1 }

// counted is the metric's value of each part that is not 0.
func counted(t *testing.T, g *guard.Guard) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(g)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		if v := m.GetCounter().GetValue(); v != 0 {
			n[m.GetLabel()[0].GetValue()] = v
		}
	}
	return n
}

func TestDo(t *testing.T) {
	g, out := newGuard()
	for range 3 {
		err := g.Do(guard.Probe, func() error { index(nil, 7); return nil })
		var p *guard.Panic
		if !errors.As(err, &p) || p.Part != guard.Probe ||
			!strings.Contains(err.Error(), "panic in probe: runtime error: index out of range [7]") {
			t.Fatalf("error is %v", err)
		}
	}
	if err := g.Do(guard.TFTP, func() error { write(nil); return nil }); err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("want one line a place, got:\n%s", out)
	}
	for i, want := range [][]string{
		{"level=ERROR", "part=probe", "guard_test.go", "index out of range [7]", "guard_test.index"},
		{"level=ERROR", "part=tftp", "guard_test.go", "nil map", "guard_test.write"},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("no %q in %s", w, lines[i])
			}
		}
	}
	if n := counted(t, g); len(n) != 2 || n["probe"] != 3 || n["tftp"] != 1 {
		t.Errorf("counted %v", n)
	}
}

func TestErrorsPass(t *testing.T) {
	g, out := newGuard()
	want := errors.New("an error")
	if err := g.Do(guard.Check, func() error { return want }); err != want {
		t.Errorf("error is %v", err)
	}
	if out.Len() != 0 || len(counted(t, g)) != 0 {
		t.Errorf("logged %q, counted %v", out, counted(t, g))
	}
}

func TestNilGuardStopsNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was stopped")
		}
	}()
	var g *guard.Guard
	_ = g.Do(guard.Probe, func() error { index(nil, 0); return nil })
}

// net/http has a recover of its own, which would log each panic once more.
func TestHandler(t *testing.T) {
	g, out := newGuard()
	var own bytes.Buffer
	s := httptest.NewUnstartedServer(
		g.Handler(guard.Control, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/good" {
				index(nil, 0)
			}
		})),
	)
	s.Config.ErrorLog = log.New(&own, "", 0)
	s.Start()
	defer s.Close()
	for range 2 {
		if resp, err := s.Client().Get(s.URL + "/bad"); err == nil {
			resp.Body.Close()
			t.Errorf("answered with %s", resp.Status)
		}
	}
	resp, err := s.Client().Get(s.URL + "/good")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.Close()
	if resp.StatusCode != http.StatusOK || own.Len() != 0 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("status %s, net/http logged %q, the guard %q", resp.Status, own.String(), out)
	}
	// The client asks again where a connection breaks before an answer.
	if n := counted(t, g); n["control"] < 2 {
		t.Errorf("counted %v", n)
	}
}
