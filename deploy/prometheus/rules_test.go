// Package prometheus holds Prometheus' rules for pxeagent and an example of its configuration. There is no Go here but
// the tests of them.
package prometheus

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pxeagent/deploy/lab"
)

func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		lab.Missing(t, "promtool")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) { promtool(t, "check", "rules", "rules.yaml") }
func TestPromtoolAcceptsTheExample(t *testing.T) {
	promtool(t, "check", "config", "prometheus.example.yaml")
}
func TestRulesFireWhenTheyMustAndNotElse(t *testing.T) {
	promtool(t, "test", "rules", "rules_test.yaml")
}

type rulesFile struct {
	Groups []struct {
		Rules []struct {
			Alert, Record, Expr string
			Labels, Annotations map[string]string
		}
	}
}

type casesFile struct {
	Tests []struct {
		Name  string
		Exprs []struct {
			Expr    string
			Samples []struct{ Labels string } `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
	}
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// An alert says how bad it is, what was seen and what to do; and rules_test.yaml has it fire, and has a moment at which
// it must not.
func TestEveryRuleIsSpokenForAndTested(t *testing.T) {
	var rules rulesFile
	read(t, "rules.yaml", &rules)
	var cases casesFile
	read(t, "rules_test.yaml", &cases)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		about, _, _ := strings.Cut(c.Name, " ")
		for _, e := range c.Exprs {
			if len(e.Samples) == 0 && strings.HasPrefix(e.Expr, "ALERTS") ||
				strings.Contains(e.Expr, "(ALERTS") && len(e.Samples) == 0 {
				quiet[about] = true
			}
			for _, s := range e.Samples {
				fires[s.Labels] = true
			}
		}
	}
	tested := func(name string) bool {
		for labels := range fires {
			if strings.Contains(labels, `alertname="`+name+`"`) || strings.HasPrefix(labels, name+"{") {
				return true
			}
		}
		return false
	}
	alerts := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if !tested(r.Alert + r.Record) {
				t.Errorf("%s%s gives a result in no test", r.Alert, r.Record)
			}
			if r.Alert == "" {
				continue
			}
			alerts++
			if !quiet[r.Alert] {
				t.Errorf("%s has no test in which it must not fire", r.Alert)
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s has the severity %q", r.Alert, s)
			}
			for _, key := range []string{"summary", "description", "runbook"} {
				if len(r.Annotations[key]) < 20 {
					t.Errorf("%s: %s is %q", r.Alert, key, r.Annotations[key])
				}
			}
			if strings.Contains(r.Annotations["summary"], "\n") || len(r.Annotations["summary"]) > 120 {
				t.Errorf("%s: the summary is more than a line", r.Alert)
			}
		}
	}
	if alerts < 10 {
		t.Errorf("only %d alerts", alerts)
	}
}
