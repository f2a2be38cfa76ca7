package main

import (
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

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

func TestProvisioningFiles(t *testing.T) {
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Type, Folder string
			Options            struct{ Path string }
		}
	}
	readYAML(t, "provisioning/dashboards/pxeagent.yaml", &dashboards)
	if p := dashboards.Providers; dashboards.APIVersion != 1 || len(p) != 1 || p[0].Type != "file" || p[0].Name == "" ||
		p[0].Options.Path == "" {
		t.Errorf("dashboards: %+v", dashboards)
	}

	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, Type, Access, URL, UID string
			JSONData                     struct {
				TimeInterval string `yaml:"timeInterval"`
			} `yaml:"jsonData"`
		}
	}
	readYAML(t, "provisioning/datasources/pxeagent.yaml", &sources)
	s := sources.Datasources
	if sources.APIVersion != 1 || len(s) != 1 || s[0].Type != "prometheus" || s[0].Access != "proxy" || s[0].URL == "" {
		t.Fatalf("data sources: %+v", sources)
	}
	if s[0].UID != "" {
		t.Error("the data source has a fixed uid")
	}
	var scrape struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
	}
	readYAML(t, "../prometheus/prometheus.example.yaml", &scrape)
	if s[0].JSONData.TimeInterval != scrape.Global.Interval {
		t.Errorf(
			"Grafana thinks that Prometheus scrapes every %s, and it does every %s",
			s[0].JSONData.TimeInterval,
			scrape.Global.Interval,
		)
	}
}
