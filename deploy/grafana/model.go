package main

// What of Grafana's dashboard model is used here. Fields are in the order in which Grafana's documentation has them.

// schemaVersion is Grafana 10.0's. Later ones migrate it as they load.
const schemaVersion = 38

// sharedCrosshair shows the time under the cursor in all panels.
const sharedCrosshair = 1

type dashboard struct {
	ID            *int             `json:"id"` // null: Grafana's database gives it
	UID           string           `json:"uid"`
	Title         string           `json:"title"`
	Description   string           `json:"description"`
	Tags          []string         `json:"tags"`
	Timezone      string           `json:"timezone"`
	Editable      bool             `json:"editable"`
	GraphTooltip  int              `json:"graphTooltip"`
	Time          span             `json:"time"`
	Timepicker    map[string]any   `json:"timepicker"`
	WeekStart     string           `json:"weekStart"`
	Refresh       string           `json:"refresh"`
	SchemaVersion int              `json:"schemaVersion"`
	Version       int              `json:"version"`
	Links         []dashboardLink  `json:"links"`
	Templating    list[variable]   `json:"templating"`
	Annotations   list[annotation] `json:"annotations"`
	Panels        []*panel         `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type list[T any] struct {
	List []T `json:"list"`
}

type dashboardLink struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	URL         string   `json:"url"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	TargetBlank bool     `json:"targetBlank"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
}

// source names a data source.
type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// prometheus is the data source that is chosen at the top of the dashboard. None is named by its uid, which is another
// one at each site.
func prometheus() *source { return &source{"prometheus", "${datasource}"} }

type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	GridPos         gridPos          `json:"gridPos"`
	Collapsed       *bool            `json:"collapsed,omitempty"` // rows only, as Panels
	Panels          *[]*panel        `json:"panels,omitempty"`
	Datasource      *source          `json:"datasource,omitempty"`
	Interval        string           `json:"interval,omitempty"` // least $__interval
	Targets         []target         `json:"targets,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
	FieldConfig     *fieldConfig     `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
}

type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// target is a query of the Prometheus data source.
type target struct {
	RefID      string  `json:"refId"`
	Datasource *source `json:"datasource"`
	EditorMode string  `json:"editorMode"`
	Expr       string  `json:"expr"`
	Format     string  `json:"format"` // time_series, table or heatmap
	Instant    bool    `json:"instant"`
	Range      bool    `json:"range"`
	Legend     string  `json:"legendFormat"`
	Exemplar   bool    `json:"exemplar,omitempty"`
}

type transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}

type fieldConfig struct {
	Defaults  field      `json:"defaults"`
	Overrides []override `json:"overrides"`
}

type field struct {
	Unit       string         `json:"unit"`
	Decimals   *int           `json:"decimals,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	NoValue    string         `json:"noValue,omitempty"`
	Color      map[string]any `json:"color"`
	Mappings   []mapping      `json:"mappings"`
	Thresholds thresholds     `json:"thresholds"`
	Links      []link         `json:"links"`
	Custom     map[string]any `json:"custom,omitempty"`
}

type link struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank"`
}

// mapping shows words in place of values.
type mapping struct {
	Type    string             `json:"type"`
	Options map[string]meaning `json:"options"`
}

type meaning struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

// step is a colour from a value on; the first has none.
type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

type override struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}
