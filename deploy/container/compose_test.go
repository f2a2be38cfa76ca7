package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// variables are what the files are given.
var variables = []string{
	"PXEAGENT_VERSION=1.2.3", "PXEAGENT_ADDRESS=10.77.0.7", "PXEAGENT_PARENT=eth1", "PXEAGENT_SUBNET=10.77.0.0/24",
}

// load reads a file as `docker compose` does: against the schema, with variables, what it extends put in.
func load(name string, env ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{name}, cli.WithEnv(env))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func mustLoad(t *testing.T, name string) *types.Project {
	t.Helper()
	p, err := load(name, variables...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mounted is the path on the machine of what a service has at target.
func mounted(t *testing.T, s types.ServiceConfig, target string) string {
	t.Helper()
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeBind && (v.Target == target || strings.HasPrefix(target, v.Target+"/")) {
			return v.Source + strings.TrimPrefix(target, v.Target)
		}
	}
	t.Fatalf("%s has no %s", s.Name, target)
	return ""
}

// What is mounted exists, cannot be changed from within, and nothing gets a privilege that it does not need.
func TestComposeFiles(t *testing.T) {
	for _, name := range []string{"compose.yaml", "compose.macvlan.yaml"} {
		for _, s := range mustLoad(t, name).Services {
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeVolume {
					continue
				}
				if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly || v.Type != types.VolumeTypeBind {
					t.Errorf("%s: %s mounts %s at %s, read-only %v: %v", name, s.Name, v.Source, v.Target, v.ReadOnly, err)
				}
			}
			own := s.Name == "pxeagent"
			if s.Privileged || s.User != "" || !slices.Equal(s.CapDrop, []string{"ALL"}) ||
				own == slices.Contains(s.SecurityOpt, "no-new-privileges") {
				t.Errorf("%s: %s is privileged %v, user %q, drops %q, has %q", name, s.Name, s.Privileged, s.User, s.CapDrop,
					s.SecurityOpt)
			}
			if own && (!slices.Equal(s.CapAdd, []string{"NET_BIND_SERVICE", "NET_RAW"}) || s.Image != "pxeagent:1.2.3") {
				t.Errorf("%s: image %s with %q", name, s.Image, s.CapAdd)
			}
			if !own && len(s.CapAdd) > 0 {
				t.Errorf("%s: %s has %q", name, s.Name, s.CapAdd)
			}
		}
	}
}

// The macvlan variant is the same service in another network.
func TestMacvlan(t *testing.T) {
	host, own := mustLoad(t, "compose.yaml").Services["pxeagent"], mustLoad(t, "compose.macvlan.yaml")
	s := own.Services["pxeagent"]
	if host.NetworkMode != "host" || s.NetworkMode != "" || s.Networks["boot"].Ipv4Address != "10.77.0.7" ||
		len(s.Networks) != 1 {
		t.Errorf("network %q; the variant %q, %v", host.NetworkMode, s.NetworkMode, s.Networks)
	}
	n := own.Networks["boot"]
	if n.Driver != "macvlan" || n.DriverOpts["parent"] != "eth1" || n.Ipam.Config[0].Subnet != "10.77.0.0/24" {
		t.Errorf("the network is %+v", n)
	}
	if got := *s.Environment["PXEAGENT_NEXT_SERVER"]; got != "10.77.0.7" || len(s.Environment) != len(host.Environment) {
		t.Errorf("the variant has %v", s.Environment)
	}
}

// A variable that is not set is named, with what it is for.
func TestVariableIsMissing(t *testing.T) {
	for _, v := range variables {
		name, _, _ := strings.Cut(v, "=")
		rest := slices.DeleteFunc(slices.Clone(variables), func(other string) bool { return other == v })
		if _, err := load("compose.macvlan.yaml", rest...); err == nil ||
			!strings.Contains(err.Error(), name+" is missing a value: ") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// Prometheus reads the agent and the rules, and Grafana finds Prometheus and the dashboard.
func TestMonitoring(t *testing.T) {
	p := mustLoad(t, "compose.yaml")
	prometheus, grafana := p.Services["prometheus"], p.Services["grafana"]
	var config struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Job    string                       `yaml:"job_name"`
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	text := p.Configs["prometheus"].Content
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if s := config.Scrape; len(s) != 1 || s[0].Job != "pxeagent" ||
		!slices.Equal(s[0].Static[0].Targets, []string{"10.77.0.7:80"}) {
		t.Errorf("Prometheus asks %+v", s)
	}
	at := prometheus.Configs[0].Target
	if prometheus.Configs[0].Source != "prometheus" || !slices.Contains(prometheus.Command, "--config.file="+at) {
		t.Errorf("Prometheus' configuration is at %s, and it is run as %q", at, prometheus.Command)
	}
	rules := mounted(t, prometheus, filepath.Join(filepath.Dir(at), config.RuleFiles[0]))

	var sources struct {
		Datasources []struct {
			Type, URL string
			JSONData  struct {
				Interval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, mounted(t, grafana, "/etc/grafana/provisioning/datasources/pxeagent.yaml"), &sources)
	s := sources.Datasources[0]
	if s.Type != "prometheus" || s.URL != "http://localhost:9090" || s.JSONData.Interval != config.Global.Interval ||
		!slices.Contains(prometheus.Command, "--web.listen-address=127.0.0.1:9090") {
		t.Errorf("Grafana looks for Prometheus at %+v; it runs as %q with an interval of %s", s, prometheus.Command,
			config.Global.Interval)
	}
	var boards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, mounted(t, grafana, "/etc/grafana/provisioning/dashboards/pxeagent.yaml"), &boards)
	board, err := os.ReadFile(mounted(t, grafana, boards.Providers[0].Options.Path+"/pxeagent.json"))
	if err != nil || !strings.Contains(string(board), `"uid": "pxeagent"`) {
		t.Errorf("the dashboard: %v", err)
	}

	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("PXEAGENT_REQUIRE_E2E") == "1" {
			t.Fatal("missing: promtool")
		}
		t.Skip("missing: promtool")
	}
	dir := t.TempDir()
	content, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"prometheus.yml": text, config.RuleFiles[0]: string(content)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("promtool", "check", "config", filepath.Join(dir, "prometheus.yml")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 rule files found") {
		t.Errorf("promtool: %v: %s", err, out)
	}
}
