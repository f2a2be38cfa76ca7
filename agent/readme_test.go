package agent

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
	"pxeagent/agent/recorder"
	"pxeagent/agent/watch"
)

// describer collects what would be registered.
type describer struct{ descs []string }

func (d *describer) Register(c prometheus.Collector) error { d.MustRegister(c); return nil }
func (d *describer) Unregister(prometheus.Collector) bool  { return false }
func (d *describer) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		ch := make(chan *prometheus.Desc, 16)
		c.Describe(ch)
		close(ch)
		for desc := range ch {
			d.descs = append(d.descs, desc.String())
		}
	}
}

var descRE = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]+)".*variableLabels: \{([^}]*)\}`)

// The table of metrics in the reference is what the code has.
func TestReadmeListsTheMetrics(t *testing.T) {
	var d describer
	if _, err := recorder.New(recorder.Config{Metrics: &d, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	watch.New(watch.Config{Metrics: &d})
	newReloadMetrics(&d)
	d.MustRegister(newDisks(nil), menuOK(nil), newImages("", nil, nil), guard.New(nil), newRefused())
	d.MustRegister(tftpLoad(nil)...)
	readme, err := os.ReadFile("../deploy/guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, desc := range d.descs {
		m := descRE.FindStringSubmatch(desc)
		if m == nil {
			t.Fatalf("not understood: %s", desc)
		}
		labels := ""
		if m[3] != "" {
			labels = "`" + strings.ReplaceAll(m[3], ",", "`, `") + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", m[1], labels, m[2])
	}
	if !strings.Contains(string(readme), table.String()) {
		t.Errorf("deploy/guide/reference.md lacks this table:\n%s", table.String())
	}
}

// The reference lists every kind of client and every outcome.
func TestReferenceListsTheLabels(t *testing.T) {
	text, err := os.ReadFile("../deploy/guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var labels []string
	for _, c := range boot.Classes() {
		labels = append(labels, string(c))
	}
	for _, o := range boot.Outcomes() {
		labels = append(labels, string(o))
	}
	for _, l := range labels {
		if !strings.Contains(string(text), "\n| `"+l+"` |") {
			t.Errorf("deploy/guide/reference.md says nothing of %q", l)
		}
	}
}
