package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"pxeagent/cmd/pxeagent/cli"
)

// These are set by release builds: -ldflags "-X main.version=1.2.3".
var version, revision, committed string

// build is what this binary was made from.
type build struct {
	Version  string `json:"version"`            // "devel" for a build from a checkout
	Revision string `json:"revision,omitempty"` // of the source
	Time     string `json:"time,omitempty"`     // of that revision, RFC 3339
	Modified bool   `json:"modified,omitempty"` // there were changes besides
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readBuild asks the binary itself.
func readBuild() build {
	b := build{Version: version, Revision: revision, Time: committed, Go: runtime.Version(), Platform: runtime.GOOS +
		"/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; b.Version == "" && v != "" && v != "(devel)" {
			b.Version = v
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

// String is one line: "pxeagent 1.2.3 (1a2b3c4d5e6f, modified) go1.26 linux/amd64".
func (b build) String() string {
	source := ""
	if b.Revision != "" {
		source = fmt.Sprintf(" (%.12s", b.Revision)
		if b.Modified {
			source += ", modified"
		}
		source += ")"
	}
	return fmt.Sprintf("pxeagent %s%s %s %s", b.Version, source, b.Go, b.Platform)
}

func newVersionCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what it was built from",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if asJSON {
				return cli.WriteJSON(a.stdout, b)
			}
			_, err := fmt.Fprintln(a.stdout, b)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
