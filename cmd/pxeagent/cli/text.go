package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Plain quotes what would spoil a table or a terminal.
func Plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// Value is a setting as it is shown: quoted where it would spoil the terminal.
func Value(s string) string {
	switch {
	case s == "":
		return "(not set)"
	case Plain(s) != s || strings.ContainsAny(s, " \t"):
		return strconv.Quote(s)
	}
	return s
}

// Dash is s, or - where of is empty.
func Dash(s, of string) string {
	if of == "" {
		return "-"
	}
	return s
}

// Count is "1 device", "2 devices".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %s", n, plural(thing))
}

func plural(thing string) string {
	if stem, ry := strings.CutSuffix(thing, "ry"); ry { // entry, but not key
		return stem + "ries"
	}
	return thing + "s"
}
