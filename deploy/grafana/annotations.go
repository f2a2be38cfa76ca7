package main

// annotation is a query whose results are marked in all panels at their time.
type annotation struct {
	Name            string         `json:"name"`
	Datasource      source         `json:"datasource"`
	Enable          bool           `json:"enable"`
	Hide            bool           `json:"hide"`
	IconColor       string         `json:"iconColor"`
	BuiltIn         int            `json:"builtIn,omitempty"`
	Type            string         `json:"type,omitempty"`
	Target          map[string]any `json:"target"`
	Expr            string         `json:"expr,omitempty"` // Grafana 10 reads the query here, later ones in Target
	Step            string         `json:"step,omitempty"`
	TitleFormat     string         `json:"titleFormat,omitempty"`
	TextFormat      string         `json:"textFormat,omitempty"`
	TagKeys         string         `json:"tagKeys,omitempty"`
	UseValueForTime bool           `json:"useValueForTime"`
}

func annotations() []annotation {
	mark := func(name, color, expr, text string) annotation {
		expr = selections.Replace(expr)
		return annotation{
			Name: name, Datasource: *prometheus(), Enable: true, IconColor: color, Expr: expr, Step: "60s",
			Target: map[string]any{
				"refId":        "Anno",
				"expr":         expr,
				"interval":     "60s",
				"editorMode":   "code",
				"range":        true,
				"instant":      false,
				"legendFormat": "",
			},
			TitleFormat: name, TextFormat: text, TagKeys: "instance,interface",
		}
	}
	// Its value is the moment itself, to the second, whenever it was scraped.
	reloaded := mark(
		"Configuration taken up",
		"blue",
		`pxeagent_config_reload_timestamp_seconds{<agents>} * 1000 > $__from`,
		"{{instance}} took up its configuration file",
	)
	reloaded.UseValueForTime = true
	return []annotation{
		{ // Grafana's own: what people write into the dashboard
			Name: "Annotations & Alerts", Datasource: source{"grafana", "-- Grafana --"}, Enable: true, Hide: true,
			IconColor: "rgba(0, 211, 255, 1)",
			BuiltIn:   1, Type: "dashboard",
			Target: map[string]any{"limit": 100, "matchAny": false, "tags": []string{}, "type": "dashboard"},
		},
		reloaded,
		mark(
			"Configuration changed",
			"purple",
			`changes(pxeagent_config_changes_total{<agents>}[2m]) > 0`,
			"what {{instance}} is configured to do changed",
		),
		mark(
			"DHCP changed its mind",
			"orange",
			`changes(pxeagent_dhcp_in_sync{<agents>}[2m]) > 0`,
			"DHCP in {{interface}} began or ceased to point machines at {{instance}}",
		),
		mark("Agent started", "gray", `changes(process_start_time_seconds{<agents>}[2m]) > 0`, "{{instance}} was restarted"),
	}
}
