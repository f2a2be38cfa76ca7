package main

import "fmt"

// columns is the width of Grafana's grid.
const columns = 24

// board places panels from left to right and from top to bottom.
type board struct {
	panels    []*panel
	x, y, low int // where the next one goes; where the row of panels under way ends
}

// row begins a part of the dashboard with a heading.
func (b *board) row(title string) {
	b.wrap()
	open := false
	b.place(columns, 1, &panel{Type: "row", Title: title, Collapsed: &open, Panels: &[]*panel{}})
}

// place puts p where there is room, w columns wide and h rows high.
func (b *board) place(w, h int, p *panel) {
	if b.x+w > columns {
		b.wrap()
	}
	p.ID = len(b.panels) + 1
	p.GridPos = gridPos{X: b.x, Y: b.y, W: w, H: h}
	b.x, b.low = b.x+w, max(b.low, b.y+h)
	b.panels = append(b.panels, p)
}

func (b *board) wrap() { b.x, b.y = 0, b.low }

// query is an expression with selections, and what its series are called.
type query struct{ expr, legend string }

// newPanel makes a panel with its queries, of which it shows a series over time, in one colour and with no unit.
func newPanel(kind, title, description string, queries ...query) *panel {
	p := &panel{
		Type: kind, Title: title, Description: description, Datasource: prometheus(),
		FieldConfig: &fieldConfig{
			Defaults: field{
				Unit: "short", Color: map[string]any{"mode": "palette-classic"}, Mappings: []mapping{},
				Links:      []link{{"Live page", livePage, true}},
				Thresholds: steps("green"),
			},
			Overrides: []override{},
		},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID: fmt.Sprintf("%c", 'A'+i), Datasource: prometheus(), EditorMode: "code", Expr: selections.Replace(q.expr),
			Format: "time_series", Range: true, Legend: q.legend,
		})
	}
	return p
}

// unit of values, by Grafana's name for it.
func (p *panel) unit(unit string) *panel { p.FieldConfig.Defaults.Unit = unit; return p }

// instant asks for the values at the end of the time range alone.
func (p *panel) instant() *panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range = true, false
	}
	return p
}

// format is that of what is asked for: "table" or "heatmap".
func (p *panel) format(format string) *panel {
	for i := range p.Targets {
		p.Targets[i].Format = format
	}
	return p
}

// exemplars shows single boots as points, where Prometheus keeps exemplars (--enable-feature=exemplar-storage).
func (p *panel) exemplars() *panel {
	for i := range p.Targets {
		p.Targets[i].Exemplar = i == 0 // the same ones for each quantile
	}
	return p
}

// every sets the least time from one point to the next. Events that are rare are counted in such steps.
func (p *panel) every(interval string) *panel { p.Interval = interval; return p }

// from sets the colours of values: the first for the lowest, then a value and the colour from there on, and so on.
func (p *panel) from(color string, more ...any) *panel {
	p.FieldConfig.Defaults.Thresholds = steps(color, more...)
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
	return p
}

func steps(color string, more ...any) thresholds {
	t := thresholds{Mode: "absolute", Steps: []step{{Color: color}}}
	for i := 0; i+1 < len(more); i += 2 {
		value := more[i].(float64)
		t.Steps = append(t.Steps, step{more[i+1].(string), &value})
	}
	return t
}

// words are shown for 1 and 0, in green and red.
func (p *panel) words(one, zero string) *panel {
	p.from("red", 1.0, "green")
	p.FieldConfig.Defaults.Mappings = []mapping{
		{"value", map[string]meaning{"1": {one, "green", 0}, "0": {zero, "red", 1}}},
	}
	return p.between(0, 1)
}

// between sets the ends of the axis or gauge.
func (p *panel) between(low, high float64) *panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = &low, &high
	return p
}

// atLeast sets the lower end alone.
func (p *panel) atLeast(low float64) *panel { p.FieldConfig.Defaults.Min = &low; return p }

// decimals are the digits after the point.
func (p *panel) decimals(n int) *panel { p.FieldConfig.Defaults.Decimals = &n; return p }

// without is shown where there is nothing to show.
func (p *panel) without(text string) *panel { p.FieldConfig.Defaults.NoValue = text; return p }

// perAgent has each series lead to the page of its own agent. Its queries keep the label instance.
func (p *panel) perAgent() *panel {
	p.FieldConfig.Defaults.Links = []link{
		{"Live page of ${__field.labels.instance}", "http://${__field.labels.instance}/", true},
	}
	return p
}

// colored gives series colours by their names.
func (p *panel) colored(pairs ...string) *panel {
	for i := 0; i+1 < len(pairs); i += 2 {
		p.override("byName", pairs[i], property{"color", map[string]any{"mode": "fixed", "fixedColor": pairs[i+1]}})
	}
	return p
}

func (p *panel) override(by string, what any, properties ...property) *panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{by, what}, properties})
	return p
}
