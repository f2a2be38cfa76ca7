package pfsense

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pxeagent/agent/dhcp"
)

// Kea can tell iPXE from a ROM by a class of the site's own. pfSense has a field for such configuration (custom_kea_config) at Kea's top, at
// each interface, pool and static mapping; it checks what stands at the lower ones before it uses it, and leaves out what Kea does not take.
// But Kea knows classes only at the top, where pfSense checks nothing: so the class goes there, in a test that holds for one interface
// alone, and the writing program asks Kea about it before anything is written.

// classPrefix begins the names of pxeagent's classes; the interface's id follows.
const classPrefix = "pxeagent_ipxe_"

func className(id string) string { return classPrefix + id }

// keaClass is a client class as Kea reads it.
type keaClass struct {
	Name string `json:"name"`
	Test string `json:"test"`
	// Kea writes the name into both places, and iPXE looks into the BOOTP field first. Both belong to a class that is always looked at:
	// one that is only looked at where it is required comes after pfSense's own.
	File    string      `json:"boot-file-name"`
	Options []keaOption `json:"option-data"`
}

type keaOption struct {
	Name   string `json:"name"`
	Data   string `json:"data"`
	Always bool   `json:"always-send"`
}

// ipxeClass sends iPXE on p to script. iPXE is known by its encapsulated options (175), which every build sends; the user class is another
// in builds of other people.
func ipxeClass(p port, script string) (setting, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(keaClass{Name: className(p.ID), Test: "option[175].exists and pkt.iface == '" + p.Device + "'", File: script,
		Options: []keaOption{{Name: "boot-file-name", Data: script, Always: true}}})
	if err != nil {
		return setting{}, fmt.Errorf("the class for iPXE: %w", err)
	}
	return setting{true, strings.TrimSuffix(b.String(), "\n")}, nil
}

// classScript is where a class sends iPXE, or "".
func classScript(class setting) string {
	var c keaClass
	if !class.there || json.Unmarshal([]byte(class.text), &c) != nil {
		return ""
	}
	return c.File
}

// keaField is the site's own configuration at Kea's top, as it stands in config.xml.
func (f firewall) keaField() setting {
	if f.KeaCustom == nil {
		return setting{}
	}
	return setting{true, *f.KeaCustom}
}

// class is pxeagent's class for p. What cannot be read has none.
func (f firewall) class(p port) setting {
	j, err := decodeSite(f.keaField())
	if err != nil {
		return setting{}
	}
	text, there := j.class(className(p.ID))
	return setting{there, text}
}

// siteCustom reports whether Kea is given JSON that is not pxeagent's, for all interfaces.
func (f firewall) siteCustom() bool {
	field := f.keaField()
	for {
		j, err := decodeSite(field)
		if err != nil {
			return true
		}
		ours := ""
		for _, c := range j.classes {
			if strings.HasPrefix(c.name, classPrefix) {
				ours = c.name
			}
		}
		if ours == "" {
			return field.text != ""
		}
		field = encodeSite(j.without(ours))
	}
}

var releaseNumbers = regexp.MustCompile(`^(\d+)\.(\d+)`)

// takesCustom reports whether this version hands the site's own configuration to Kea: CE from 2.8, Plus from 25.03 on.
func (f firewall) takesCustom() bool {
	m := releaseNumbers.FindStringSubmatch(f.Version)
	if m == nil {
		return false
	}
	major, err := strconv.Atoi(m[1])
	minor, err2 := strconv.Atoi(m[2])
	if err != nil || err2 != nil {
		return false
	}
	if major < 20 {
		return major > 2 || major == 2 && minor >= 8
	}
	return major > 25 || major == 25 && minor >= 3
}

// deviceName is what may stand in a class's test.
var deviceName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// scriptRefusals are why iPXE cannot be sent to want.Script by a class of its own.
func (f firewall) scriptRefusals(p port, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	add := func(code, format string, args ...any) { list = append(list, refuse(code, format, args...)) }
	switch {
	case !f.kea():
		add("script-isc", "pfSense's ISC DHCP server cannot tell iPXE from a ROM; Kea can, or iPXE can be told apart as it asks for files")
	case !f.takesCustom():
		add("script-version", "pfSense %s has no field for a configuration of Kea's own, by which iPXE could be told from a ROM; it came with 2.8 and 25.03", f.Version)
	}
	if why := badURL(want.Script, maxName); why != "" {
		add("bad-script", "script URL %q %s", want.Script, why)
	}
	if !deviceName.MatchString(p.Device) {
		add("script-device", "the device %q of %s cannot be named in a class of Kea", p.Device, p.label())
	}
	if _, err := decodeSite(f.keaField()); err != nil && len(list) == 0 {
		add("kea-custom-unreadable", "the firewall's custom configuration for Kea cannot be added to: %s", quoted(err.Error(), credential{}))
	}
	return list
}

// scriptNotes are what may send iPXE elsewhere all the same.
func (f firewall) scriptNotes(p port) []dhcp.Problem {
	var list []dhcp.Problem
	j, err := decodeSite(f.keaField())
	if err != nil {
		return nil
	}
	for _, c := range j.classes {
		if c.boots && !strings.HasPrefix(c.name, classPrefix) {
			list = append(list, note("kea-custom-class", "the firewall's custom configuration for Kea has a class %q that names a boot file too; iPXE on %s is sent pxeagent's", c.name, p.label()))
		}
	}
	if p.DHCP.KeaCustom {
		list = append(list, note("kea-custom-interface", "%s has a custom configuration for Kea; a boot file in it would be sent to iPXE too", p.label()))
	}
	return list
}
