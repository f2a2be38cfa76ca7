// Command grafana writes the Grafana dashboard of pxeagent, pxeagent.json, into the current folder.
//
// A dashboard of some fifty panels is not kept right by hand in 4,000 lines of JSON. Here each panel is a few lines: a
// title, what it tells, its queries, its unit. After a change:
//
//	go generate ./deploy/grafana
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

//go:generate go run .

const file = "pxeagent.json"

func main() {
	text, err := render(build())
	if err == nil {
		err = renameio.WriteFile(file, text, 0o644)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "writing the dashboard: %v\n", err)
		os.Exit(1)
	}
}

// render is the dashboard as Grafana imports it: two spaces deep, and "<" in a query stays "<".
func render(d dashboard) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// build puts the dashboard together.
func build() dashboard {
	b := &board{}
	glance(b)
	boots(b)
	duration(b)
	trouble(b)
	transfers(b)
	dhcp(b)
	images(b)
	agents(b)
	return dashboard{
		UID: "pxeagent", Title: "pxeagent: network boot", Tags: []string{"pxeagent", "pxe", "network boot"},
		Description: "Boots from the network: how they end, how long they take and where they stop; transfers, DHCP " +
			"probes, images, disk. " +
			"Quantiles and the heatmap read classic histograms: with metrics.native set the series that end in _bucket are " +
			"gone, and those panels are empty.",
		Editable: true, GraphTooltip: sharedCrosshair, Refresh: "30s", SchemaVersion: schemaVersion, Version: 1,
		Time:       span{"now-6h", "now"},
		Timepicker: map[string]any{},
		Timezone:   "browser", WeekStart: "",
		Panels:      b.panels,
		Templating:  list[variable]{variables()},
		Annotations: list[annotation]{annotations()},
		Links: []dashboardLink{{
			Title: "Live page", Type: "link", Icon: "external link", URL: livePage, TargetBlank: true, Tags: []string{},
			Tooltip: "Machines and their boots as they move, on the agent itself",
		}},
	}
}
