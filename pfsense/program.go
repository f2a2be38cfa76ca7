package pfsense

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed php/*.php
var sources embed.FS

// program is one PHP program that runs on the firewall, under pfSense's own includes. Its text
// begins with exactly one line that assigns its arguments to $pxeagent_args, and ends having set
// $toreturn to one string, the JSON of its result.
type program struct {
	name string // "read" or "write"
	code string // complete, without an opening tag
}

// newProgram is php/<name>.php after php/shared.php, with args in its first line. They
// are encoded as base64 of JSON, whose alphabet cannot end a PHP string, so no value of theirs is
// ever read as code.
func newProgram(name string, args any) (program, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return program{}, fmt.Errorf("arguments of the %s program: %w", name, err)
	}
	var code strings.Builder
	fmt.Fprintf(&code, "$pxeagent_args = '%s';\n", base64.StdEncoding.EncodeToString(raw))
	for _, file := range []string{"shared", name} {
		source, err := sources.ReadFile("php/" + file + ".php")
		if err != nil {
			return program{}, fmt.Errorf("the %s program: %w", name, err)
		}
		code.WriteString(minify(string(source)))
	}
	return program{name: name, code: code.String()}, nil
}

// minify is PHP source without its opening tag, comment lines and indentation, as one transport
// sends 1,024 characters at a time. The sources have no string of several lines, so that each
// line can be handled by itself.
func minify(source string) string {
	var kept strings.Builder
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line == "" || line == "<?php" || strings.HasPrefix(line, "//") {
			continue
		}
		kept.WriteString(line + "\n")
	}
	return kept.String()
}
