package script

import (
	"net/url"
	"slices"
)

// somewhere is where a script lies of which nobody says where it lies.
var somewhere = &url.URL{Scheme: "http", Host: "pxeagent.invalid", Path: "/script.ipxe"}

// Lint says what is wrong with a script, in the order of its lines, without knowing the machine or what includes the
// script: a setting that it does not set itself may be anything.
func Lint(script []byte) []Finding {
	found := Run(script, somewhere, Machine{Open: true}, nil).Findings
	for i := range found {
		found[i].Script = ""
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Line - b.Line })
	return found
}

// Faults are the Findings of Lint that are errors: what will not work as it is written.
func Faults(script []byte) []Finding {
	var faults []Finding
	for _, f := range Lint(script) {
		if f.Level == Error {
			faults = append(faults, f)
		}
	}
	return faults
}
