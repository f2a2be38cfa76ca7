//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func startLAN(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("a network of one's own needs Linux; see [root]")
}
