package main

// The kinds of panels, each with the options that it needs under Grafana 10 and later.

// last is how a panel that shows one value takes it from a series.
func last() map[string]any {
	return map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}
}

func legend(calcs ...string) map[string]any {
	if calcs == nil {
		calcs = []string{}
	}
	mode := "list"
	if len(calcs) > 0 {
		mode = "table"
	}
	return map[string]any{"showLegend": true, "displayMode": mode, "placement": "bottom", "calcs": calcs}
}

// stat is one number, asked for at the end of the time range.
func stat(title, description string, queries ...query) *panel {
	p := newPanel("stat", title, description, queries...).instant().from("green")
	p.Options = map[string]any{
		"reduceOptions": last(), "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
		"orientation": "auto",
	}
	return p
}

// lines are values over time.
func lines(title, description string, queries ...query) *panel {
	p := newPanel("timeseries", title, description, queries...).atLeast(0)
	p.FieldConfig.Defaults.Custom = map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 10, "gradientMode": "none",
		"showPoints": "auto", "pointSize": 4,
		"spanNulls": false, "stacking": map[string]any{"mode": "none", "group": "A"}, "axisPlacement": "auto",
		"axisLabel":         "",
		"scaleDistribution": map[string]any{"type": "linear"}, "thresholdsStyle": map[string]any{"mode": "off"},
		"hideFrom": map[string]any{"legend": false, "tooltip": false, "viz": false},
	}
	p.Options = map[string]any{
		"legend":  legend("lastNotNull", "max"),
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}

// bars are events over time, counted in steps of five minutes or more. They are one upon the other, so that the height
// is the number of all.
func bars(title, description string, queries ...query) *panel {
	p := lines(title, description, queries...).every("5m")
	c := p.FieldConfig.Defaults.Custom
	c["drawStyle"], c["fillOpacity"], c["showPoints"] = "bars", 80, "never"
	c["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	p.Options["legend"] = legend()
	return p.decimals(0)
}

// warnAbove draws a line where it becomes worth a look.
func (p *panel) warnAbove(value float64) *panel {
	p.FieldConfig.Defaults.Thresholds = steps("transparent", value, "red")
	p.FieldConfig.Defaults.Custom["thresholdsStyle"] = map[string]any{"mode": "dashed"}
	return p
}

// states are bands that change their colour over time.
func states(title, description, one, zero string, queries ...query) *panel {
	p := newPanel("state-timeline", title, description, queries...).words(one, zero)
	p.FieldConfig.Defaults.Custom = map[string]any{
		"lineWidth": 0, "fillOpacity": 80, "hideFrom": map[string]any{"legend": false, "tooltip": false, "viz": false},
	}
	p.Options = map[string]any{
		"mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.85,
		"legend": legend(), "tooltip": map[string]any{"mode": "single", "sort": "none"},
	}
	return p
}

// ranking compares sums over the whole time range, one bar each.
func ranking(title, description string, queries ...query) *panel {
	p := newPanel("bargauge", title, description, queries...).instant().atLeast(0)
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "continuous-BlPu"}
	p.Options = map[string]any{
		"reduceOptions": last(), "displayMode": "gradient", "orientation": "horizontal", "showUnfilled": true,
		"valueMode":    "color",
		"minVizHeight": 10, "minVizWidth": 0,
	}
	return p
}

// heat shows a histogram over time, from its classic buckets.
func heat(title, description string, q query) *panel {
	p := newPanel("heatmap", title, description, q).format("heatmap").every("5m")
	p.FieldConfig.Defaults.Custom = map[string]any{
		"scaleDistribution": map[string]any{
			"type": "linear",
		}, "hideFrom": map[string]any{"legend": false, "tooltip": false, "viz": false},
	}
	p.Options = map[string]any{
		"calculate": false, "cellGap": 1, "cellValues": map[string]any{"unit": "short", "decimals": 1},
		"color": map[string]any{
			"mode":     "scheme",
			"scheme":   "Oranges",
			"fill":     "dark-orange",
			"scale":    "exponential",
			"exponent": 0.5,
			"steps":    64,
			"reverse":  false,
		},
		"exemplars": map[string]any{"color": "rgba(255,0,255,0.7)"},
		"filterValues": map[string]any{
			"le": 1e-9,
		}, "legend": map[string]any{"show": true}, "rowsFrame": map[string]any{"layout": "auto"}, "showValue": "never",
		"tooltip": map[string]any{
			"mode":       "single",
			"yHistogram": false,
		}, "yAxis": map[string]any{"axisPlacement": "left", "unit": "s", "reverse": false},
	}
	return p
}

// column is one of a table: the field that Prometheus gives, its heading, and how it is shown.
type column struct {
	field, heading string
	properties     []property
}

// table shows labels and values of series that have the same labels, one row for each, and of them only the columns
// that are named.
func table(title, description string, columns []column, queries ...query) *panel {
	p := newPanel("table", title, description, queries...).instant().format("table")
	p.FieldConfig.Defaults.Custom = map[string]any{
		"align":       "auto",
		"cellOptions": map[string]any{"type": "auto"},
		"inspect":     false,
	}
	p.Options = map[string]any{
		"showHeader": true, "cellHeight": "sm", "sortBy": []map[string]any{{"displayName": columns[0].heading,
			"desc": false}},
	}
	names, order, kept := map[string]string{}, map[string]int{}, []string{}
	for i, c := range columns {
		names[c.field], order[c.field] = c.heading, i
		kept = append(kept, c.field)
		if len(c.properties) > 0 {
			p.override("byName", c.heading, c.properties...)
		}
	}
	p.Transformations = []transformation{
		{"merge", map[string]any{}},
		{"filterFieldsByName", map[string]any{"include": map[string]any{"names": kept}}},
		{"organize", map[string]any{"excludeByName": map[string]bool{}, "indexByName": order, "renameByName": names}},
	}
	return p
}

// Properties of columns.

func shownAs(unit string) property { return property{"unit", unit} }

func leadsToPage() property {
	return property{"links", []link{{"Live page", "http://${__value.text}/", true}}}
}

func yesNo(one, zero string) []property {
	return []property{
		{"mappings", []mapping{{"value", map[string]meaning{"1": {one, "green", 0}, "0": {zero, "red", 1}}}}},
		{"custom.cellOptions", map[string]any{"type": "color-text"}},
	}
}
