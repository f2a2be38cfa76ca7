package main

import (
	"slices"

	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// explain finds the code and the hints for any error. A plan that a backend refuses for a reason of its own has
// that reason's code. Several backends end on the same errors of a connection: the hints are those of the one at work.
func (a *app) explain(err error) cli.Failure {
	rules := []cli.Rule{{Is: isMistakes, Code: cli.Usage, Hints: mistakeHints}}
	asked := a.backends
	if b, ok := backend.Of(a.backends, a.asked); ok {
		asked = []backend.Backend{b}
	}
	for _, b := range asked {
		rules = append(rules, b.Refusals...)
	}
	rules = append(rules, endRules...)
	for _, b := range asked {
		rules = append(rules, b.Hints...)
	}
	return cli.Explain(err, append(rules, causeRules...))
}

// explain is the same for the backends that there are.
func explain(err error) cli.Failure { return (&app{backends: backend.Table()}).explain(err) }

// codes are all that an error may have.
func (a *app) codes() []cli.Code {
	all := cli.Codes()
	for _, b := range a.backends {
		for _, c := range b.Codes {
			if !slices.Contains(all, c) { // several backends have it
				all = append(all, c)
			}
		}
	}
	return all
}
