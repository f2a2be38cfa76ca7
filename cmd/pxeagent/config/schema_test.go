package config

import (
	"strings"
	"testing"
)

// shed and tower are made-up DHCP servers: one on this machine, one that is logged in to.
type shedSettings struct {
	Dir     string
	Restart []string
}

type towerSettings struct{ Name, PasswordFile string }

func shedOf(c *Config) *shedSettings   { return Own[shedSettings](c, "shed") }
func towerOf(c *Config) *towerSettings { return Own[towerSettings](c, "tower") }

var towerPassword = SecretSource{
	Key: "dhcp.tower.password", Env: "PXEAGENT_DHCP_TOWER_PASSWORD",
	FileKey: "dhcp.tower.password_file", File: func(c Config) string { return towerOf(&c).PasswordFile },
	Credential: "tower-password",
}

var schema = NewSchema(
	Backend{
		Name: "shed", Networks: "a device", SendsURL: true,
		Auto:     func(c Config) bool { return len(c.Interfaces) > 0 },
		AutoWhen: "an interface is set",
		Keys: []Key{
			{Name: "dhcp.shed.dir", Default: "/etc/shed", Flag: "shed-dir", Arg: "DIR", Path: true, Usage: "folder",
				Into: Text(func(c *Config) *string { return &shedOf(c).Dir })},
			{Name: "dhcp.shed.restart", Flag: "shed-restart", Arg: "COMMAND", Shape: Words, Usage: "command",
				Into: Argv(func(c *Config) *[]string { return &shedOf(c).Restart })},
		},
	},
	Backend{
		Name: "tower", Networks: "a name or an id", Secrets: []SecretSource{towerPassword},
		Auto:     func(c Config) bool { return towerOf(&c).Name != "" },
		AutoWhen: "its name is set",
		Keys: []Key{
			{Name: "dhcp.tower.name", Flag: "tower", Arg: "NAME", Usage: "name",
				Into: Text(func(c *Config) *string { return &towerOf(c).Name })},
			{Name: "dhcp.tower.password_file", Flag: "tower-password-file", Arg: "FILE", Path: true, Usage: "file",
				Into: Text(func(c *Config) *string { return &towerOf(c).PasswordFile })},
		},
		Check: func(c Config, wrong func(key, format string, args ...any)) {
			if c.DHCP.Backend == "tower" && towerOf(&c).Name == "" {
				wrong("dhcp.tower.name", "is not set; dhcp.backend %s needs it", c.DHCP.Backend)
			}
		},
	},
)

func TestBackendThatAutoMeans(t *testing.T) {
	isolate(t)
	for args, want := range map[string]string{
		"":                               NoBackend,
		"--interface=a":                  "shed",
		"--tower=t":                      "tower",
		"--interface=a --tower=t":        "tower",
		"--backend=shed --tower=t":       "shed",
		"--backend=none --interface=a":   NoBackend,
		"--backend=auto --interface=a,b": "shed",
	} {
		l, err := loadArgs(strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if l.Config.DHCP.Backend != want {
			t.Errorf("%s: %s, want %s", args, l.Config.DHCP.Backend, want)
		}
	}
}

// What the keys of pxeagent itself say of DHCP servers comes from the schema's backends.
func TestSchemaDescribesItsBackends(t *testing.T) {
	for _, c := range []struct {
		schema *Schema
		want   []string
	}{
		{schema, []string{
			"DHCP server to configure: shed, tower, none; auto: tower if its name is set, else shed if an interface is set, " +
				"else none |",
			"as the DHCP server names it: a device (shed); a name or an id (tower) |", "sent it (shed) |",
			"| `dhcp.tower.name` | `--tower` |  | name |",
		}},
		{NewSchema(), []string{"DHCP server to configure: none; auto: none |", "as the DHCP server names it |", "sent it |"}},
	} {
		table := c.schema.Markdown()
		for _, want := range c.want {
			if !strings.Contains(table, want) {
				t.Errorf("the table lacks %q:\n%s", want, table)
			}
		}
	}
}
