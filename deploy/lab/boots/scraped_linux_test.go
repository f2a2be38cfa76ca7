package boots

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// Debian's Prometheus scrapes the agent while a machine boots, and each query about boots in the dashboard has data of
// that boot. The dashboard's other queries, rules and alerts are asked in package grafana, where machines are played.
func TestPrometheusSeesAMachineBoot(t *testing.T) {
	lab.Need(t, "prometheus")
	s := newRoom(t, site.Leasing, "")
	s.Must(0, "configure")
	s.Write(
		"prometheus.yml",
		"global: {scrape_interval: 1s}\nscrape_configs: [{job_name: pxeagent, static_configs: [{targets: "+
			"['"+site.Addr+":80']}]}]\n",
	)
	p := s.Box.Start(
		"prometheus",
		"--config.file="+s.Path("prometheus.yml"),
		"--storage.tsdb.path="+s.Path("tsdb"),
		"--web.listen-address=127.0.0.1:9090",
	)
	p.WaitOutput(time.Minute, `Server is ready`)
	s.hasData("up", `up == 1`)

	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:05:01"})
	s.boots(m, menuByHTTP)
	s.hasData("the boot", `pxeagent_boots_total{result="booted", arch="i386"} == 1`)

	raw, err := os.ReadFile("../../grafana/pxeagent.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	all := strings.NewReplacer(
		"$__rate_interval",
		"2m",
		"$__interval",
		"1m",
		"$__range",
		"5m",
		"$job",
		".+",
		"${job}",
		".+",
		"$instance",
		".+",
		"${instance}",
		".+",
		"$arch",
		".+",
		"${arch}",
		".+",
		"$profile",
		".*",
		"${profile}",
		".*",
	)
	asked := 0
	for _, panel := range board.Panels {
		for _, q := range panel.Targets {
			if strings.Contains(q.Expr, "pxeagent_boot") && !strings.Contains(q.Expr, "pxeagent_boot_events") {
				s.hasData(panel.Title, all.Replace(q.Expr))
				asked++
			}
		}
	}
	if asked < 10 {
		t.Errorf("the dashboard asks %d times about boots; its shape has changed", asked)
	}
}

// hasData waits until a query to Prometheus on the box has an answer.
func (s *room) hasData(what, expr string) {
	s.T.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(_ context.Context, network, addr string) (conn net.Conn, err error) {
			s.Box.Do(func() { conn, err = net.Dial(network, addr) })
			return conn, err
		},
	}}
	defer client.CloseIdleConnections()
	ask := func() error {
		resp, err := client.Get("http://127.0.0.1:9090/api/v1/query?" + url.Values{"query": {expr}}.Encode())
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var answer struct {
			Error string
			Data  struct{ Result []struct{ Value [2]any } }
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return err
		}
		for _, r := range answer.Data.Result {
			if r.Value[1] != "NaN" {
				return nil
			}
		}
		return fmt.Errorf("no data %s", answer.Error)
	}
	err := ask()
	for deadline := time.Now().Add(30 * time.Second); err != nil; err = ask() {
		if time.Now().After(deadline) {
			s.T.Fatalf("%s: %v: %s", what, err, expr)
		}
		time.Sleep(time.Second)
	}
}
