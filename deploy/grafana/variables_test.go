package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// builtIn are variables of Grafana itself that are used here.
var builtIn = []string{"__rate_interval", "__range", "__from", "__field", "__value", "__all"}

var variableRE = regexp.MustCompile(`\$\{?(\w+)`)

func TestVariables(t *testing.T) {
	d := committed(t)
	known := map[string]bool{}
	for _, v := range objects(t, "templating", within(t, "the dashboard", d, "templating")["list"]) {
		name, _ := v["name"].(string)
		if name == "" || known[name] {
			t.Errorf("variable %q is a duplicate, or has no name", name)
		}
		for _, k := range []string{"label", "description", "query", "refresh", "options", "hide", "skipUrlSync", "multi",
			"includeAll", "regex"} {
			if _, there := v[k]; !there {
				t.Errorf("variable %s has no %s", name, k)
			}
		}
		// 1: when the dashboard is loaded; 2: also when the time range changes.
		if r, _ := v["refresh"].(float64); r != 1 && r != 2 {
			t.Errorf("variable %s is asked for at %v", name, v["refresh"])
		}
		switch v["type"] {
		case "datasource":
			if name != "datasource" || v["query"] != "prometheus" || len(known) > 0 {
				t.Errorf("the data source is %v of the type %v, want it first", name, v["query"])
			}
		case "query":
			q := within(t, name, v, "query")
			text, _ := q["query"].(string)
			if text == "" || text != v["definition"] || q["refId"] == "" {
				t.Errorf("variable %s: query %v, definition %v", name, q, v["definition"])
			}
			for _, m := range variableRE.FindAllStringSubmatch(text, -1) {
				if !known[m[1]] {
					t.Errorf("variable %s needs %s, which comes later or never", name, m[1])
				}
			}
			chosen := slices.Contains([]string{"job", "instance", "arch", "profile"}, name)
			if v["multi"] != chosen || v["includeAll"] != chosen {
				t.Errorf("variable %s: multi %v, include all %v", name, v["multi"], v["includeAll"])
			}
			all, _ := v["allValue"].(string)
			switch {
			case name == "job":
				if all != "" {
					t.Error("All jobs are more than those of agents")
				}
			case name == "page":
				if all != "" || v["hide"] != 2.0 {
					t.Error("the page of a link is one agent's, and not for choosing")
				}
			case !regexp.MustCompile("^(?:"+all+")$").MatchString("x") || all == "":
				t.Errorf("variable %s: All is %q, which does not match everything", name, all)
			case name == "profile" && !regexp.MustCompile("^(?:"+all+")$").MatchString(""):
				t.Error("All profiles leave out the machines without one")
			}
		default:
			t.Errorf("variable %s has the type %v", name, v["type"])
		}
		known[name] = true
	}
	if want := []string{"arch", "datasource", "instance", "job", "page", "profile"}; !slices.Equal(
		slices.Sorted(maps.Keys(known)),
		want,
	) {
		t.Errorf("variables %v, want %v", known, want)
	}

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range variableRE.FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = true
		if !known[m[1]] && !slices.Contains(builtIn, m[1]) {
			t.Errorf("$%s is used and not defined", m[1])
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("the variable %s is not used", name)
		}
	}
}

// Nothing names a data source but by the variable, except what people write into the dashboard, which is Grafana's own.
func TestNoDataSourceIsFixed(t *testing.T) {
	d := committed(t)
	refs := 0
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(where, e)
			}
		case object:
			if name, is := v["name"].(string); is {
				where = name
			}
			if ds, there := v["datasource"]; there {
				refs++
				ref, _ := ds.(object)
				ours := ref["type"] == "prometheus" && ref["uid"] == "${datasource}"
				grafanas := where == "Annotations & Alerts" && ref["type"] == "grafana" && ref["uid"] == "-- Grafana --"
				if len(ref) != 2 || !ours && !grafanas {
					t.Errorf("%s: data source %v", where, ds)
				}
			}
			for k, e := range v {
				if k == "uid" && where != "" && !strings.HasPrefix(e.(string), "${") && e != "-- Grafana --" {
					t.Errorf("%s: uid %v", where, e)
				}
				walk(where, e)
			}
		}
	}
	for _, part := range []string{"panels", "templating", "annotations", "links"} {
		walk(part, d[part])
	}
	for _, p := range objects(t, "panels", d["panels"]) {
		if p["type"] == "row" {
			continue
		}
		for _, q := range append(objects(t, "targets", p["targets"]), p) {
			if q["datasource"] == nil {
				t.Errorf("%v has no data source: Grafana would take its default one", p["title"])
			}
		}
	}
	if refs < 100 {
		t.Errorf("only %d data sources were seen", refs)
	}
}

func TestAnnotations(t *testing.T) {
	names := map[string]bool{}
	for _, a := range objects(t, "annotations", within(t, "the dashboard", committed(t), "annotations")["list"]) {
		name, _ := a["name"].(string)
		names[name] = true
		if a["iconColor"] == "" || a["enable"] != true {
			t.Errorf("annotation %s: colour %v, enabled %v", name, a["iconColor"], a["enable"])
		}
		target := within(t, name, a, "target")
		if a["builtIn"] == 1.0 {
			continue
		}
		if a["expr"] == nil || a["expr"] != target["expr"] || a["step"] != target["interval"] || target["refId"] == "" ||
			a["textFormat"] == "" {
			t.Errorf("annotation %s is one query to Grafana 10 and another to later ones: %v", name, a)
		}
	}
	for _, want := range []string{"Annotations & Alerts", "Configuration taken up", "Configuration changed",
		"DHCP changed its mind"} {
		if !names[want] {
			t.Errorf("there is no annotation %s", want)
		}
	}
}
