package main

import "pxeagent/cmd/pxeagent/cli"

// explain finds the code and the hints for any error.
func explain(err error) cli.Failure { return cli.Explain(err, rules) }
