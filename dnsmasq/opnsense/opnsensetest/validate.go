package opnsensetest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What the pages say of values.
const (
	required    = "A value is required."
	doesNot     = "Text does not validate."
	wantAddress = "Please specify a valid network segment or IP address."
)

func notInList(value string) string { return fmt.Sprintf("Option [%s] not in list.", value) }

// checkInterface and checkTags say so where a row refers to what there is not.
func checkInterface(c *Config, row map[string]string, say func(field, message string)) {
	if id := row["interface"]; id != "" && c.interfaceNames()[id] == "" {
		say("interface", notInList(id))
	}
}

func checkTags(c *Config, field string, row map[string]string, say func(field, message string)) {
	for _, uuid := range split(row[field]) {
		if !slices.ContainsFunc(c.Dnsmasq.Tags, func(t Tag) bool { return t.UUID == uuid }) {
			say(field, notInList(uuid))
		}
	}
}

var (
	oneLine  = regexp.MustCompile(`^[^\r\n]*$`)
	oneWord  = regexp.MustCompile(`^\S*$`)
	oldNames = regexp.MustCompile(`^[0-9a-zA-Z$]+$`)
)

// fenced reports whether newlines and blanks are rejected.
func (f *Firewall) fenced() bool {
	return f.since(26, 1, 11)
}

func checkBoot(f *Firewall, c *Config, row map[string]string, _ string, say func(field, message string)) {
	checkInterface(c, row, say)
	checkTags(c, "tag", row, say)
	if row["filename"] == "" {
		say("filename", required)
	}
	for _, field := range []string{"filename", "servername", "address"} {
		if f.fenced() && !oneWord.MatchString(row[field]) {
			say(field, doesNot)
		}
	}
}

func checkTag(f *Firewall, c *Config, row map[string]string, uuid string, say func(field, message string)) {
	name := row["tag"]
	switch {
	case name == "":
		say("tag", required)
	case !f.since(26, 1, 9) && !oldNames.MatchString(name):
		say("tag", doesNot)
	}
	if slices.ContainsFunc(c.Dnsmasq.Tags, func(t Tag) bool { return t.Tag == name && t.UUID != uuid }) {
		say("tag", "Tag names should be unique.")
	}
}

func checkOption(f *Firewall, c *Config, row map[string]string, _ string, say func(field, message string)) {
	checkInterface(c, row, say)
	checkTags(c, "tag", row, say)
	checkTags(c, "set_tag", row, say)
	if t := row["type"]; t != "set" && t != "match" {
		say("type", notInList(t))
	}
	switch number := row["option"]; {
	case number != "" && row["option6"] != "":
		say("option", "'Option' and 'Option6' cannot be selected at the same time.")
	case number == "" && row["option6"] == "":
		say("option", "Either 'Option' or 'Option6' is required.")
	case number != "" && f.opts.NoOptionList:
		say("option", notInList(""))
	case number != "" && !f.takesOption(number):
		say("option", notInList(number))
	}
	if row["type"] == "match" && row["set_tag"] == "" {
		say("set_tag", "When type is 'Match', a tag must be set.")
	}
	if f.fenced() && !oneLine.MatchString(row["value"]) {
		say("value", doesNot)
	}
}

// numbers are a set of options: "1-5,7".
type numbers string

func (l numbers) has(n int) bool {
	for part := range strings.SplitSeq(string(l), ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		if !isRange {
			last = first
		}
		if first <= n && n <= last {
			return true
		}
	}
	return false
}

// What can be selected: what Dnsmasq knows by name, and what IANA does not list.
const (
	dnsmasqKnows numbers = "1-3,6,7,9,12,13,15-42,44-51,54,58-62,64-77,80,93,94,97,114,119,120,121,125,150,255"
	unassigned   numbers = "84,96,102-107,110,111,115,126,127,162-174,178-207,214-219,222-254"
)

// takesOption reports whether an option with that number can be selected, which depends on the version.
func (f *Firewall) takesOption(number string) bool {
	n, err := strconv.Atoi(number)
	switch {
	case err != nil, n < 1, n > 254:
		return false
	case f.since(25, 7, 7):
		return true
	case f.since(25, 1, 7):
		return dnsmasqKnows.has(n) || !unassigned.has(n)
	}
	return dnsmasqKnows.has(n)
}

func checkRange(_ *Firewall, c *Config, row map[string]string, _ string, say func(field, message string)) {
	checkInterface(c, row, say)
	checkTags(c, "set_tag", row, say)
	if row["start_addr"] == "" {
		say("start_addr", required)
	}
	for _, field := range []string{"start_addr", "end_addr"} {
		if _, err := netip.ParseAddr(row[field]); row[field] != "" && err != nil {
			say(field, wantAddress)
		}
	}
}
