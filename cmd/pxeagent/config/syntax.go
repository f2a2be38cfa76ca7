package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var (
	// yamlLine is how package yaml says where something is.
	yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)
	// yamlParser are the errors of its parser, which counts lines from 0 where its scanner counts from 1,
	// and leaves line 0 out. They point to where the broken list or mapping begins; if that is the
	// first line, to where it breaks.
	yamlParser = regexp.MustCompile(
		`^did not find expected (key|node content|'-' indicator|',' or '[]}]'|<document start>)`)
	// yamlAnchor is an error without any line.
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// syntaxError is err, which reading text as YAML returned, at its line.
func syntaxError(path string, text []byte, err error) Mistake {
	where := yamlLine.FindStringSubmatch(err.Error())
	what := strings.TrimPrefix(err.Error(), where[0])
	line, _ := strconv.Atoi(where[1])
	if yamlParser.MatchString(what) {
		line++
	} else if m := yamlAnchor.FindStringSubmatch(what); m != nil {
		before, _, _ := bytes.Cut(text, []byte("*"+m[1]))
		line = bytes.Count(before, []byte("\n")) + 1
	}
	return Mistake{text: "not YAML: " + what, from: Origin{layer: fromFile, file: path, line: max(line, 1)}}
}
