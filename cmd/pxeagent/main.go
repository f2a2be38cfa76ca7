//go:build !docs

// Command pxeagent points a site's DHCP server at itself and makes the network bootable.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr).Exit) }
