package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const rulesFile = "../prometheus/rules.yaml"

// rule is one of Prometheus' rules, as far as it is looked at here.
type rule struct {
	Alert, Record, Expr string
	For                 string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// asked is an expression with what is made of its labels: legends, or texts of an alert.
type asked struct {
	where, expr string
	labels      []string
}

var (
	legendRE     = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	annotationRE = regexp.MustCompile(`\$labels\.(\w+)`)
)

// everything asked of Prometheus by the dashboard and the rules.
func everything(t *testing.T) []asked {
	t.Helper()
	d := committed(t)
	var all []asked
	add := func(where string, expr, text any, re *regexp.Regexp) {
		a := asked{where: where, expr: fmt.Sprint(expr)}
		for _, m := range re.FindAllStringSubmatch(fmt.Sprint(text), -1) {
			a.labels = append(a.labels, m[1])
		}
		all = append(all, a)
	}
	for _, p := range objects(t, "panels", d["panels"]) {
		if p["type"] == "row" {
			continue
		}
		for _, q := range objects(t, "targets", p["targets"]) {
			add(fmt.Sprintf("panel %v, %v", p["title"], q["refId"]), q["expr"], q["legendFormat"], legendRE)
		}
	}
	for _, a := range objects(t, "annotations", within(t, "the dashboard", d, "annotations")["list"]) {
		if a["expr"] != nil {
			add(fmt.Sprintf("annotation %v", a["name"]), a["expr"], a["textFormat"], legendRE)
		}
	}
	for _, v := range objects(t, "templating", within(t, "the dashboard", d, "templating")["list"]) {
		if m := labelValuesRE.FindStringSubmatch(fmt.Sprint(v["definition"])); m != nil {
			add(fmt.Sprintf("variable %v", v["name"]), m[1], "{{"+m[2]+"}}", legendRE)
		} else if v["type"] == "query" {
			t.Errorf("variable %v asks for %v", v["name"], v["definition"])
		}
	}
	for _, r := range rules(t) {
		add("rule "+r.Alert+r.Record, r.Expr, r.Annotations, annotationRE)
	}
	return all
}

// labelValuesRE takes a query of a variable apart: series, and the label whose values are wanted.
var labelValuesRE = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// documented are the metrics in deploy/guide/reference.md with their labels. That table is held against the code by a
// test of package agent.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	// Not in the table: what the agent has from elsewhere, what Prometheus adds.
	metrics := map[string][]string{
		"pxeagent_build_info": {"version", "revision", "goversion"}, "up": nil,
		"process_resident_memory_bytes": nil, "process_cpu_seconds_total": nil, "process_start_time_seconds": nil,
	}
	row := regexp.MustCompile("(?m)^\\| `(pxeagent_\\w+)` \\| ([^|]*) \\| ")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		metrics[m[1]] = labels
		if strings.HasSuffix(m[1], "_duration_seconds") { // histograms
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				metrics[m[1]+suffix] = append(slices.Clone(labels), "le")
			}
		}
	}
	if len(metrics) < 20 {
		t.Fatalf("only %d metrics were found in deploy/guide/reference.md", len(metrics))
	}
	return metrics
}

var (
	recordedRE = regexp.MustCompile(`[a-z_]+:pxeagent_\w+:\w+`)
	metricRE   = regexp.MustCompile(`\b((?:pxeagent|process)_\w+|up)\b(\{[^}]*\})?`)
	matcherRE  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	groupingRE = regexp.MustCompile(`\b(?:by|on|without|ignoring) \(([^)]*)\)`)
	stringRE   = regexp.MustCompile(`"[^"]*"`)
)

// Every metric that is asked for exists, with every label that is matched, grouped by, or shown.
func TestMetricsAndLabelsExist(t *testing.T) {
	metrics := documented(t)
	recorded := map[string][]string{}
	for _, r := range rules(t) {
		if r.Record == "" {
			continue
		}
		labels := slices.Collect(maps.Keys(r.Labels))
		for _, m := range groupingRE.FindAllStringSubmatch(r.Expr, -1) {
			labels = append(labels, strings.Split(m[1], ", ")...)
		}
		recorded[r.Record] = labels
	}
	seen := map[string]bool{}
	for _, a := range everything(t) {
		have := map[string]bool{"job": true, "instance": true, "le": true}
		use := func(name, selector string, labels []string, exists bool) {
			if !exists {
				t.Errorf("%s: there is no metric %s", a.where, name)
				return
			}
			seen[name] = true
			for _, l := range labels {
				have[l] = true
			}
			for _, m := range matcherRE.FindAllStringSubmatch(selector, -1) {
				if !slices.Contains(labels, m[1]) && m[1] != "job" && m[1] != "instance" {
					t.Errorf("%s: %s has no label %s", a.where, name, m[1])
				}
			}
		}
		for _, name := range recordedRE.FindAllString(a.expr, -1) {
			labels, ok := recorded[name]
			use(name, "", labels, ok)
		}
		rest := recordedRE.ReplaceAllString(a.expr, "")
		for _, m := range metricRE.FindAllStringSubmatch(rest, -1) {
			labels, ok := metrics[m[1]]
			use(m[1], m[2], labels, ok)
		}
		grouped := map[string]bool{}
		for _, m := range groupingRE.FindAllStringSubmatch(stringRE.ReplaceAllString(rest, ""), -1) {
			for _, l := range strings.Split(m[1], ", ") {
				grouped[l] = true
				if !have[l] {
					t.Errorf("%s groups by %s, which none of its metrics has", a.where, l)
				}
			}
		}
		for _, l := range a.labels {
			if !have[l] || len(grouped) > 0 && !grouped[l] {
				t.Errorf("%s shows the label %s, which the result does not have", a.where, l)
			}
		}
	}
	// The other way round: what the agent counts can be seen. Time from a DHCP probe's offer is a gauge, and no histogram.
	for name := range metrics {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if strings.HasPrefix(name, "pxeagent_") && !seen[name] && !seen[base] && !seen[base+"_bucket"] {
			t.Errorf("%s is neither in the dashboard nor in a rule", name)
		}
	}
}
