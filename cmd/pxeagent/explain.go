package main

import (
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
)

// explain finds the code and the hints for any error. A plan that a backend refuses for a reason of its own has
// that reason's code.
func (a *app) explain(err error) cli.Failure {
	rules := []cli.Rule{{Is: isMistakes, Code: cli.Usage, Hints: mistakeHints}}
	for _, b := range a.backends {
		rules = append(rules, b.Refusals...)
	}
	rules = append(rules, endRules...)
	for _, b := range a.backends {
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
		all = append(all, b.Codes...)
	}
	return all
}
