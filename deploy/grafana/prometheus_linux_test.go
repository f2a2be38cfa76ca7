package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"pxeagent/deploy/lab/site"
)

// server is a real Prometheus on the box of a site.
type server struct {
	t      *testing.T
	client http.Client
}

// scrape is how often it asks.
const scrape = time.Second

// lookback is how old a sample may be that stands for now. It is long so that one can ask what would be if half an hour
// went by without another sample.
const lookback = 45 * time.Minute

// startPrometheus runs Prometheus with the rules of this tree, and targets besides the agent.
func startPrometheus(t *testing.T, s *site.Site, more ...string) *server {
	t.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	targets := ""
	for _, target := range append([]string{s.Addr + ":80"}, more...) {
		targets += fmt.Sprintf("        - targets: ['%s']\n", target)
	}
	s.Write("prometheus.yml", fmt.Sprintf(`global:
  scrape_interval: %[1]s
  evaluation_interval: %[1]s
rule_files: ['%[2]s']
scrape_configs:
  - job_name: pxeagent
    static_configs:
%[3]s`, scrape, rules, targets))
	p := s.Box.Start(
		"prometheus",
		"--config.file="+s.Path("prometheus.yml"),
		"--storage.tsdb.path="+s.Path("tsdb"),
		"--web.listen-address=127.0.0.1:9090",
		"--query.lookback-delta="+lookback.String(),
		"--enable-feature=exemplar-storage",
	)
	p.WaitOutput(time.Minute, `Server is ready`)
	return &server{t, http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
			s.Box.Do(func() { conn, err = net.Dial(network, addr) })
			return conn, err
		},
	}}}
}

// api asks Prometheus' HTTP API and returns its data.
func (p *server) api(path string, query url.Values, into any) error {
	resp, err := p.client.Get("http://127.0.0.1:9090/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// series is one of a result, with the values that are numbers.
type series struct {
	labels map[string]string
	values []float64
}

// sample is [time, "value"].
type sample [2]any

func (s sample) number() (float64, bool) {
	text, _ := s[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil && !math.IsNaN(v)
}

// ask evaluates at one moment, or with a step over a range.
func (p *server) ask(expr string, from, to time.Time, step time.Duration) ([]series, error) {
	q, path := url.Values{"query": {expr}}, "query"
	if step > 0 {
		path = "query_range"
		q.Set("start", stamp(from))
		q.Set("end", stamp(to))
		q.Set("step", seconds(step))
	} else {
		q.Set("time", stamp(to))
	}
	var data struct {
		Result []struct {
			Metric map[string]string
			Value  sample
			Values []sample
		}
	}
	if err := p.api(path, q, &data); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, expr)
	}
	var out []series
	for _, r := range data.Result {
		s := series{labels: r.Metric}
		for _, v := range append(r.Values, r.Value) {
			if n, ok := v.number(); ok {
				s.values = append(s.values, n)
			}
		}
		if len(s.values) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// now is the value of an expression that has one, and whether there is one.
func (p *server) now(expr string) (float64, bool) {
	p.t.Helper()
	result, err := p.ask(expr, time.Time{}, time.Now(), 0)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(result) == 0 {
		return 0, false
	}
	return result[0].values[0], true
}

// until waits until an expression has a value other than 0.
func (p *server) until(what, expr string, limit time.Duration) {
	p.t.Helper()
	waitFor(p.t, what+": "+expr, limit, func() bool {
		v, ok := p.now(expr)
		return ok && v != 0
	})
}

// waitFor asks again with each scrape.
func waitFor(t *testing.T, what string, limit time.Duration, come func() bool) {
	t.Helper()
	tick := time.NewTicker(scrape / 2)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !come(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", limit, what)
		}
	}
}
