package pfsense

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Kea can tell iPXE from firmware by a custom client class. pfSense has a field for custom JSON (custom_kea_config) at
// Kea's top level, at each interface, pool and static mapping. It checks the lower ones before it uses them, and leaves
// out what Kea rejects. But Kea knows classes only at the top level, where pfSense checks nothing: so the class goes
// there, with a test that matches one interface only, and the writing program has Kea check it before anything is
// written.

// classPrefix begins the names of pxeagent's classes; the interface's id follows.
const classPrefix = "pxeagent_ipxe_"

func className(id string) string { return classPrefix + id }

// keaClass is a client class in Kea's configuration.
type keaClass struct {
	Name string `json:"name"`
	Test string `json:"test"`
	// Kea writes the name into both places, and iPXE reads the BOOTP field first. The class must always be evaluated: one
	// that is only evaluated if required comes after pfSense's own.
	File    string      `json:"boot-file-name"`
	Options []keaOption `json:"option-data"`
}

type keaOption struct {
	Name   string `json:"name"`
	Data   string `json:"data"`
	Always bool   `json:"always-send"`
}

// ipxeClass sends iPXE on p to script. iPXE is recognized by its encapsulated options (175), which every build sends;
// custom builds may have another user class.
func ipxeClass(p iface, script string) (setting, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(keaClass{Name: className(p.ID), Test: "option[175].exists and pkt.iface == '" + p.Device + "'",
		File:    script,
		Options: []keaOption{{Name: "boot-file-name", Data: script, Always: true}}})
	if err != nil {
		return setting{}, fmt.Errorf("encoding the class for iPXE: %w", err)
	}
	return setting{true, strings.TrimSuffix(b.String(), "\n")}, nil
}

// classScript is the script that a class sends iPXE, or "".
func classScript(class setting) string {
	var c keaClass
	if !class.present || json.Unmarshal([]byte(class.text), &c) != nil {
		return ""
	}
	return c.File
}

// keaField is the site's custom configuration at Kea's top level, as stored in config.xml.
func (f firewall) keaField() setting {
	if f.KeaCustom == nil {
		return setting{}
	}
	return setting{true, *f.KeaCustom}
}

// site is that configuration, parsed.
func (f firewall) site() (siteJSON, error) { return decodeSite(f.keaField(), f.KeaElement) }

// class is pxeagent's class for p. Unreadable configuration has none.
func (f firewall) class(p iface) setting {
	j, err := f.site()
	if err != nil {
		return setting{}
	}
	text, there := j.class(className(p.ID))
	return setting{there, text}
}

// siteCustom reports whether Kea has custom JSON that is not pxeagent's, for all interfaces.
func (f firewall) siteCustom() bool {
	field := f.keaField()
	for {
		j, err := decodeSite(field, false)
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

// takesCustom reports whether this version supports custom configuration for Kea: CE from 2.8, Plus from 25.03.
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

// deviceName is a device that can be named in a class's test.
var deviceName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// scriptRefusals are reasons why a client class cannot send iPXE want.Script.
func (f firewall) scriptRefusals(p iface, want dhcp.Boot) []dhcp.Problem {
	var list []dhcp.Problem
	add := func(code, format string, args ...any) { list = append(list, dhcp.Refusal(code, format, args...)) }
	switch {
	case !f.kea():
		add("script-isc", "pfSense's ISC DHCP server cannot tell iPXE from firmware; use Kea, or another chain mode")
	case !f.takesCustom():
		add("script-version",
			"pfSense %s does not support custom Kea configuration, which the class for iPXE needs; update to 2.8 or 25.03",
			f.Version)
	}
	if why := f.values(p).CheckURL(want.Script, dhcp.MaxBootFile, "http", "https"); why != "" {
		add("bad-script", "script URL %q %s", want.Script, why)
	}
	if !deviceName.MatchString(p.Device) {
		add("script-device", "the device name %q of %s cannot be used in a Kea class", p.Device, p.label())
	}
	if _, err := f.site(); err != nil && len(list) == 0 {
		add("kea-custom-unreadable", "the firewall's custom Kea configuration cannot be extended: %s",
			remote.Login{}.Quoted(err.Error()))
	}
	return list
}

// scriptNotes are settings that may still send iPXE elsewhere.
func (f firewall) scriptNotes(p iface) []dhcp.Problem {
	var list []dhcp.Problem
	j, err := f.site()
	if err != nil {
		return nil
	}
	for _, c := range j.classes {
		if c.boots && !strings.HasPrefix(c.name, classPrefix) {
			list = append(list, dhcp.Note("kea-custom-class",
				"the firewall's custom Kea configuration has a class %q that also sets a boot file; iPXE on %s gets pxeagent's",
				c.name, p.label()))
		}
	}
	if p.DHCP.KeaCustom {
		list = append(list, dhcp.Note("kea-custom-interface",
			"%s has a custom Kea configuration; a boot file in it would be sent to iPXE too", p.label()))
	}
	return list
}
