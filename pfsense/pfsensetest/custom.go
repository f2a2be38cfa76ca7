package pfsensetest

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// custom is custom_kea_config: custom JSON that pfSense merges into Kea's. Of Kea's expression language only the tests
// in customTests are supported; a class with any other test matches nobody.
type custom struct {
	keys     map[string]json.RawMessage
	Classes  []customClass  `json:"client-classes"`
	BootFile string         `json:"boot-file-name"`
	Options  []customOption `json:"option-data"`
}

type customClass struct {
	Name     string         `json:"name"`
	Test     string         `json:"test"`
	BootFile string         `json:"boot-file-name"`
	Options  []customOption `json:"option-data"`
}

type customOption struct {
	Name   string `json:"name"`
	Data   string `json:"data"`
	Always bool   `json:"always-send"`
}

// customCodes are the options that can be named.
var customCodes = map[string]uint8{"vendor-class-identifier": 60, "tftp-server-name": 66, "boot-file-name": 67}

// customTests are the supported class tests.
var customTests = map[string]func(asker) bool{
	"substring(option[60].text, 0, 10) == 'HTTPClient'": func(a asker) bool { return a.http },
	"option[77].hex == 'iPXE'":                          func(a asker) bool { return a.ipxe },
	"option[175].exists":                                func(a asker) bool { return a.option175 },
	"option[93].hex == 0x0000 and not (option[77].hex == 'iPXE')": func(a asker) bool {
		return a.hasArch && a.arch == 0 && !a.ipxe
	},
}

// customFrom is iPXE on one interface only.
var customFrom = regexp.MustCompile(`^option\[175\]\.exists and pkt\.iface == '([A-Za-z0-9._-]+)'$`)

// customTest is the test text, or nil if it is not supported.
func customTest(text string) func(asker) bool {
	if m := customFrom.FindStringSubmatch(text); m != nil {
		return func(a asker) bool { return a.option175 && a.device == m[1] }
	}
	return customTests[text]
}

// takes is the error with which kea-dhcp4 -t rejects a class; "" if it accepts it.
func (c customClass) takes() string {
	switch {
	case c.Name == "":
		return "missing parameter 'name'"
	case len(c.BootFile) > 127:
		return "boot-file-name must be at most 127 bytes long"
	case customTest(c.Test) == nil:
		return "expression: [" + c.Test + "] error: syntax error"
	}
	return ""
}

// parseCustom decodes text, which may be empty; ok is false if it is not a JSON object.
func parseCustom(text string) (c custom, ok bool) {
	if text == "" {
		return c, true
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &c.keys) != nil || json.Unmarshal(raw, &c) != nil {
		return custom{}, false
	}
	return c, true
}

// globalKeysKnown: Kea does not start with an unknown key.
func (c custom) globalKeysKnown() bool {
	return c.known("client-classes", "option-data", "boot-file-name", "next-server", "user-context")
}

func (c custom) known(names ...string) bool {
	all := strings.Join(names, "\n") + "\n"
	for key := range c.keys {
		if !strings.Contains(all, key+"\n") {
			return false
		}
	}
	return true
}

// sayCustom adds the site's custom configuration to an answer, at Kea's top level and at the interface. If several set
// an option, the first wins. Options: the interface, then classes in order, then the top level. The BOOTP file:
// classes, the interface, the top level.
func sayCustom(top, iface custom, a asker, s *answer) {
	heard := map[uint8]bool{}
	options := func(list []customOption) {
		for _, o := range list {
			if code, known := customCodes[o.Name]; known && (o.Always || a.asksFor(code)) && !heard[code] {
				s.options[code], heard[code] = o.Data, true
			}
		}
	}
	file := func(name string) {
		if s.file == "" {
			s.file = name
		}
	}
	options(iface.Options)
	for _, class := range top.Classes {
		if test := customTest(class.Test); test != nil && test(a) {
			file(class.BootFile)
			options(class.Options)
		}
	}
	file(iface.BootFile)
	file(top.BootFile)
	for code := range s.options { // pfSense's own classes come before global options
		heard[code] = true
	}
	options(top.Options)
}
