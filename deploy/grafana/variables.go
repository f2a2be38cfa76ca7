package main

import "strings"

// variable is one of the choices at the top of the dashboard.
type variable struct {
	Type        string         `json:"type"` // datasource or query
	Name        string         `json:"name"`
	Label       string         `json:"label"`
	Description string         `json:"description"`
	Hide        int            `json:"hide"`
	Datasource  *source        `json:"datasource,omitempty"`
	Definition  string         `json:"definition,omitempty"` // the query once more, for the list of variables
	Query       any            `json:"query"`
	Regex       string         `json:"regex"`
	Refresh     int            `json:"refresh"`
	Sort        int            `json:"sort,omitempty"`
	Multi       bool           `json:"multi"`
	IncludeAll  bool           `json:"includeAll"`
	AllValue    string         `json:"allValue,omitempty"`
	SkipURLSync bool           `json:"skipUrlSync"`
	Options     []any          `json:"options"`
	Current     map[string]any `json:"current,omitempty"`
}

const (
	hidden         = 2
	onLoad         = 1 // when a variable asks again
	onTimeRange    = 2
	alphabetically = 1
)

// livePage is the page of the agent that is chosen, or of the first of them. An agent serves its page and its metrics
// at one port, so that the label instance is the page's address, unless relabelling made it something else.
const livePage = "http://${page}/"

// selections are written in queries in short: <agents> for the agents that are chosen, <boots> for boots of the
// machines that are.
var selections = strings.NewReplacer(
	"<agents>", `job=~"$job",instance=~"$instance"`,
	"<boots>", `job=~"$job",instance=~"$instance",arch=~"$arch",profile=~"$profile"`,
	"<arch>", `job=~"$job",instance=~"$instance",arch=~"$arch"`,
)

func variables() []variable {
	all := map[string]any{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}
	query := func(name, label, description, labelValues string) variable {
		q := selections.Replace(labelValues)
		return variable{
			Type: "query", Name: name, Label: label, Description: description, Datasource: prometheus(), Definition: q,
			// The name of the reference is the one that Grafana itself writes for a query in this form.
			Query: map[string]any{"query": q, "refId": "StandardVariableQuery"}, Refresh: onTimeRange, Sort: alphabetically,
			Multi: true, IncludeAll: true, Options: []any{}, Current: all,
		}
	}
	// All jobs are those of agents, one by one: up and the process_ metrics are everyone's.
	job := query("job", "Job", "Prometheus' name for the scrape of agents", "label_values(pxeagent_build_info, job)")
	instance := query(
		"instance",
		"Agent",
		"Agents, by the address that they are scraped at",
		`label_values(pxeagent_build_info{job=~"$job"}, instance)`,
	)
	instance.AllValue = ".+" // those, too, that never answered
	arch := query(
		"arch",
		"Arch",
		"Processors of the machines that booted",
		"label_values(pxeagent_boots_total{<agents>}, arch)",
	)
	arch.AllValue = ".*"
	profile := query(
		"profile",
		"Profile",
		"Profiles of the configuration; All has the machines without one, too",
		"label_values(pxeagent_boots_total{<agents>}, profile)",
	)
	// Prometheus has no empty label: what is joined from the values alone would leave out every machine without a profile.
	profile.AllValue = ".*"
	page := query(
		"page",
		"Live page of",
		"The agent whose page links lead to",
		"label_values(pxeagent_build_info{<agents>}, instance)",
	)
	page.Hide, page.Multi, page.IncludeAll, page.SkipURLSync, page.Current = hidden, false, false, true, nil
	return []variable{
		{
			Type: "datasource", Name: "datasource", Label: "Prometheus", Description: "Data source of all panels",
			Query: "prometheus", Refresh: onLoad,
			Options: []any{},
		},
		job, instance, arch, profile, page,
	}
}
