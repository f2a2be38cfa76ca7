package pfsensetest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// custom is custom_kea_config: JSON of the site's own that pfSense merges into Kea's. Of Kea's language only the tests in customTests are
// understood; a class with another one matches nobody.
type custom struct {
	keys     map[string]json.RawMessage
	Classes  []customClass  `json:"client-classes"`
	BootFile string         `json:"boot-file-name"`
	Options  []customOption `json:"option-data"`
}

type customClass struct {
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

// customTests are the class tests that are understood.
var customTests = map[string]func(asker) bool{
	"substring(option[60].text, 0, 10) == 'HTTPClient'":           func(a asker) bool { return a.http },
	"option[77].hex == 'iPXE'":                                    func(a asker) bool { return a.ipxe },
	"option[175].exists":                                          func(a asker) bool { return a.option175 },
	"option[93].hex == 0x0000 and not (option[77].hex == 'iPXE')": func(a asker) bool { return a.hasArch && a.arch == 0 && !a.ipxe },
}

// parseCustom decodes text, which may be empty; ok is false where it is no JSON object.
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

// globalKeysKnown: a key that Kea does not know stops it.
func (c custom) globalKeysKnown() bool {
	return c.known("client-classes", "option-data", "boot-file-name", "next-server")
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

// apply has c say what it adds to an answer.
func (c custom) apply(a asker, s *answer) {
	say := func(file string, options []customOption) {
		if file != "" {
			s.file = file
		}
		for _, o := range options {
			if code, known := customCodes[o.Name]; known {
				if o.Always || a.asksFor(code) {
					s.options[code] = o.Data
				}
			}
		}
	}
	say(c.BootFile, c.Options)
	for _, class := range c.Classes {
		if test := customTests[class.Test]; test != nil && test(a) {
			say(class.BootFile, class.Options)
		}
	}
}
