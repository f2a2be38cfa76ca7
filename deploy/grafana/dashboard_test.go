package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object as it is in the file, so that what is checked is the file and not our idea of it.
type object = map[string]any

func committed(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d object
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// objects are the members of a list. A member that is not an object fails the test.
func objects(t *testing.T, where string, in any) []object {
	t.Helper()
	all, ok := in.([]any)
	if !ok {
		t.Fatalf("%s is not a list: %v", where, in)
	}
	var out []object
	for _, v := range all {
		o, ok := v.(object)
		if !ok {
			t.Fatalf("%s has a member that is not an object: %v", where, v)
		}
		out = append(out, o)
	}
	return out
}

func within(t *testing.T, where string, o object, key string) object {
	t.Helper()
	in, ok := o[key].(object)
	if !ok {
		t.Fatalf("%s has no object %s", where, key)
	}
	return in
}

func TestTheFileIsWhatTheProgramWrites(t *testing.T) {
	want, err := render(build())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: run go generate ./deploy/grafana", file)
	}
}

// What Grafana's documentation of the JSON model and its schema of dashboards (kind "Dashboard") allow and require.
var (
	dashboardKeys = []string{
		"annotations",
		"description",
		"editable",
		"fiscalYearStartMonth",
		"gnetId",
		"graphTooltip",
		"id",
		"links",
		"liveNow",
		"panels",
		"refresh",
		"revision",
		"schemaVersion",
		"tags",
		"templating",
		"time",
		"timepicker",
		"timezone",
		"title",
		"uid",
		"version",
		"weekStart",
	}
	rowKeys   = []string{"collapsed", "gridPos", "id", "panels", "title", "type"}
	panelKeys = []string{
		"datasource",
		"description",
		"fieldConfig",
		"gridPos",
		"id",
		"interval",
		"links",
		"maxDataPoints",
		"options",
		"pluginVersion",
		"repeat",
		"repeatDirection",
		"targets",
		"timeFrom",
		"timeShift",
		"title",
		"transformations",
		"transparent",
		"type",
	}
	targetKeys = []string{
		"datasource",
		"editorMode",
		"exemplar",
		"expr",
		"format",
		"hide",
		"instant",
		"interval",
		"legendFormat",
		"range",
		"refId",
	}
	fieldKeys = []string{
		"color",
		"custom",
		"decimals",
		"description",
		"displayName",
		"links",
		"mappings",
		"max",
		"min",
		"noValue",
		"thresholds",
		"unit",
	}

	panelTypes      = []string{"stat", "timeseries", "bargauge", "state-timeline", "heatmap", "table"}
	colorModes      = []string{"thresholds", "palette-classic", "continuous-BlPu", "fixed"}
	transformations = []string{"merge", "filterFieldsByName", "organize"}
	properties      = []string{"color", "unit", "links", "mappings", "noValue", "custom.cellOptions"}
	units           = []string{"short", "s", "bytes", "Bps", "pps", "percentunit", "dateTimeFromNow"}
)

func only(t *testing.T, where string, o object, keys []string) {
	t.Helper()
	for k := range o {
		if !slices.Contains(keys, k) {
			t.Errorf("%s has %q, which Grafana does not know", where, k)
		}
	}
}

func oneOf(t *testing.T, where string, v any, of []string) {
	t.Helper()
	if s, ok := v.(string); !ok || !slices.Contains(of, s) {
		t.Errorf("%s is %v, want one of %v", where, v, of)
	}
}

func TestDashboardByGrafanasSchema(t *testing.T) {
	d := committed(t)
	only(t, "the dashboard", d, dashboardKeys)
	if id, there := d["id"]; !there || id != nil {
		t.Errorf("id is %v, want null: Grafana's database gives it", id)
	}
	if uid, _ := d["uid"].(string); len(uid) < 8 || len(uid) > 40 {
		t.Errorf("uid is %q, want 8 to 40 characters", uid)
	}
	// 36 is what the schema of Grafana 9.5 and 10.0 takes where none is given, 39 what Grafana 10.4 writes. A Grafana does
	// not load a later one than its own well.
	if v, _ := d["schemaVersion"].(float64); v < 36 || v > 38 {
		t.Errorf("schemaVersion is %v, want Grafana 10.0's", d["schemaVersion"])
	}
	if span := within(t, "the dashboard", d, "time"); span["from"] != "now-6h" || span["to"] != "now" {
		t.Errorf("time is %v", span)
	}
	if d["refresh"] != "30s" || d["title"] == "" || d["editable"] != true || d["timezone"] != "browser" {
		t.Errorf("refresh %v, title %v, editable %v, timezone %v", d["refresh"], d["title"], d["editable"], d["timezone"])
	}
	if tip, _ := d["graphTooltip"].(float64); tip != 0 && tip != 1 && tip != 2 {
		t.Errorf("graphTooltip is %v", tip)
	}
	for _, l := range objects(t, "links", d["links"]) {
		for _, k := range []string{"asDropdown", "icon", "includeVars", "keepTime", "tags", "targetBlank", "title",
			"tooltip", "type", "url"} {
			if _, there := l[k]; !there {
				t.Errorf("link %v has no %s", l["title"], k)
			}
		}
		oneOf(t, "type of a link", l["type"], []string{"link", "dashboards"})
	}
}

func TestPanelsByGrafanasSchema(t *testing.T) {
	titles := map[string]bool{}
	row := ""
	for _, p := range objects(t, "panels", committed(t)["panels"]) {
		title, _ := p["title"].(string)
		if p["type"] == "row" {
			row = title
			only(t, "row "+title, p, rowKeys)
			if inner, ok := p["panels"].([]any); !ok || len(inner) != 0 || p["collapsed"] != false {
				t.Errorf("row %s is open and has panels of its own, or is closed", title)
			}
			continue
		}
		where := row + ": " + title
		only(t, where, p, panelKeys)
		oneOf(t, "type of "+where, p["type"], panelTypes)
		if titles[where] || title == "" {
			t.Errorf("%s is a duplicate, or has no title", where)
		}
		titles[where] = true
		if text, _ := p["description"].(string); len(text) < 20 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s has no description that says something: %q", where, text)
		}
		fieldsByGrafanasSchema(t, where, within(t, where, p, "fieldConfig"))
		if _, ok := p["options"].(object); !ok {
			t.Errorf("%s has no options", where)
		}
		refs := map[any]bool{}
		targets := objects(t, "targets of "+where, p["targets"])
		for _, q := range targets {
			only(t, "a query of "+where, q, targetKeys)
			if ref, _ := q["refId"].(string); len(ref) != 1 || refs[ref] {
				t.Errorf("%s: refId %q is a duplicate, or not a letter", where, ref)
			}
			refs[q["refId"]] = true
			if expr, _ := q["expr"].(string); expr == "" ||
				strings.ContainsAny(expr, "<>") && strings.Contains(expr, "<agents") {
				t.Errorf("%s: query %q", where, expr)
			}
			if q["instant"] == q["range"] {
				t.Errorf("%s: a query is for one moment or for a range, and here for %v and %v", where, q["instant"], q["range"])
			}
			oneOf(t, "format in "+where, q["format"], []string{"time_series", "table", "heatmap"})
			if (q["format"] == "table") != (p["type"] == "table") || (q["format"] == "heatmap") != (p["type"] == "heatmap") {
				t.Errorf("%s: format %v in a %v", where, q["format"], p["type"])
			}
		}
		if len(targets) == 0 {
			t.Errorf("%s asks for nothing", where)
		}
		if list, there := p["transformations"]; there {
			for _, tr := range objects(t, "transformations of "+where, list) {
				oneOf(t, "a transformation of "+where, tr["id"], transformations)
				within(t, where, tr, "options")
			}
		}
	}
	if len(titles) < 40 {
		t.Errorf("only %d panels", len(titles))
	}
}

func fieldsByGrafanasSchema(t *testing.T, where string, c object) {
	t.Helper()
	f := within(t, where, c, "defaults")
	only(t, "defaults of "+where, f, fieldKeys)
	oneOf(t, "unit of "+where, f["unit"], units)
	oneOf(t, "colour mode of "+where, within(t, where, f, "color")["mode"], colorModes)
	thresholds := within(t, where, f, "thresholds")
	oneOf(t, "mode of thresholds of "+where, thresholds["mode"], []string{"absolute", "percentage"})
	var last *float64
	for i, s := range objects(t, "thresholds of "+where, thresholds["steps"]) {
		value, number := s["value"].(float64)
		if color, _ := s["color"].(string); color == "" || number == (i == 0) {
			t.Errorf("%s: the first threshold has no value and all others have one, and each a colour: %v", where, s)
		}
		if number && last != nil && value <= *last {
			t.Errorf("%s: thresholds are not in order", where)
		}
		if number {
			last = &value
		}
	}
	for _, m := range objects(t, "mappings of "+where, f["mappings"]) {
		oneOf(t, "mapping of "+where, m["type"], []string{"value", "range", "regex", "special"})
	}
	links := objects(t, "links of "+where, f["links"])
	if len(links) == 0 {
		t.Errorf("%s leads nowhere", where)
	}
	for _, l := range links {
		if url, _ := l["url"].(string); !strings.HasPrefix(url, "http://${") || l["title"] == "" {
			t.Errorf("%s: link %v", where, l)
		}
	}
	for _, o := range objects(t, "overrides of "+where, c["overrides"]) {
		oneOf(
			t,
			"matcher of "+where,
			within(t, where, o, "matcher")["id"],
			[]string{"byName", "byRegexp", "byFrameRefID", "byType"},
		)
		for _, p := range objects(t, "properties of "+where, o["properties"]) {
			oneOf(t, "property of "+where, p["id"], properties)
		}
	}
}

func TestPanelsDoNotOverlap(t *testing.T) {
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range objects(t, "panels", committed(t)["panels"]) {
		title, _ := p["title"].(string)
		number := func(o object, key string) int {
			v, ok := o[key].(float64)
			if !ok || v != float64(int(v)) {
				t.Fatalf("%s: %s is %v, want a whole number", title, key, o[key])
			}
			return int(v)
		}
		if id := number(p, "id"); ids[id] || id < 1 {
			t.Errorf("%s: id %d is a duplicate, or missing", title, id)
		}
		ids[number(p, "id")] = true
		g := within(t, title, p, "gridPos")
		x, y, w, h := number(g, "x"), number(g, "y"), number(g, "w"), number(g, "h")
		if x < 0 || y < 0 || w < 1 || h < 1 || x+w > 24 {
			t.Errorf("%s is outside of Grafana's 24 columns: %v", title, g)
		}
		if p["type"] == "row" && (x != 0 || w != 24 || h != 1) {
			t.Errorf("the row %s is not a row: %v", title, g)
		}
		for i := x; i < x+w; i++ {
			for j := y; j < y+h; j++ {
				if other := taken[[2]int{i, j}]; other != "" {
					t.Fatalf("%s lies on %s", title, other)
				}
				taken[[2]int{i, j}] = title
			}
		}
	}
}
