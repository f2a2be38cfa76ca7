package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
)

const entriesSample = `menu:
  items:
    - group: Production
    - item: smartos-20130808T195337Z
      title: SmartOS, the tested one
      args: -kd hostname=${hostname}
      console: ttyb
    - {item: "debian-*", hidden: true, console: "ttyS1,9600"}
`

var sampleEntries = []menu.Entry{
	{Group: "Production"},
	{Item: "smartos-20130808T195337Z", Title: "SmartOS, the tested one", Args: "-kd hostname=${hostname}",
		Console: catalog.Console{Port: 'b'}},
	{Item: "debian-*", Hidden: true, Console: catalog.Console{Port: 'b', Speed: 9600}},
}

func TestEntriesMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"[{}]":                         "menu.items[0]: want group, which is a heading, or item",
		"[smartos]":                    "menu.items[0]: want keys under it, not",
		"[{group: A, item: b}]":        "menu.items[0]: a group is a heading and nothing else",
		"[{group: ' '}]":               "menu.items[0].group: want a text",
		"[{item: a b}]":                `menu.items[0].item: "a b" is neither an item's key nor a pattern`,
		"[{item: 'a[', hidden: true}]": `menu.items[0].item: "a[" is neither`,
		"[{item: 'a-*', title: A}]":    "menu.items[0]: one title cannot be that of all items that fit",
		"[{item: a, args: 'x || y'}]":  `menu.items[0].args: "x || y" cannot be passed to a kernel: || alone would end the command`,
		"[{item: a, args: 'x #y'}]":    `menu.items[0].args: "x #y" cannot be passed to a kernel: "#y" would be a comment`,
		"[{item: a, args: 'Grüße'}]":   "want printable ASCII on one line",
		"[{item: a, console: ttyS9}]":  `menu.items[0].console: invalid console "ttyS9"`,
		"[{item: a, hidden: perhaps}]": `menu.items[0].hidden: invalid value "perhaps": use true or false`,
		"[{item: a, kernel: x}]": "menu.items[0].kernel: unknown key; there are args, console, group, hidden, " +
			"item, title",
		"[{item: a, titel: x}]":          "did you mean title?",
		"[{item: a, password: x}]":       "secrets do not stand in this file",
		"{item: a}":                      "menu.items: want a list",
		"[{item: a}, {item: b, args: }]": "",
	} {
		dir := isolate(t)
		if err := os.WriteFile("pxeagent.yaml", []byte("menu:\n  items: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := schema.Load(nil)
		if want == "" && err == nil {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), filepath.Join(dir, "pxeagent.yaml")+":2") {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}
