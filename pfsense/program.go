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
	code string // all of it, without an opening tag
}

// newProgram is php/<name>.php after what both programs share, with args in its first line. They
// go as base64 of JSON, whose alphabet cannot end a PHP string, so that no value of theirs is
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
		code.WriteString(lean(string(source)))
	}
	return program{name: name, code: code.String()}, nil
}

// lean is PHP source without its opening tag, comment lines and indentation: what is sent over
// a way that takes 1,024 characters at a time. The sources hold no string of several lines, so
// that a line can be judged by itself.
func lean(source string) string {
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
