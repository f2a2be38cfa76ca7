// Package guide has the tests of the guides: that each is written in the form that README.md here describes, and that
// the commands in it print what it shows.
package guide

import (
	"fmt"
	"regexp"
	"strings"
)

// block is a fenced block of a guide.
type block struct {
	lang  string
	line  int // of its first line of text, from 1
	lines []string
}

// command is one command of a block of sh.
type command struct {
	line int // where it stands in the guide, from 1
	text string
	want []string // the lines that it is shown to print
	show bool     // whether it is shown what it prints
	exit string   // the exit code that a comment names, "0" without one
}

// blocks are the fenced blocks of a guide.
func blocks(text string) (found []block, err error) {
	open := false
	for i, line := range strings.Split(text, "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			open = true
			found = append(found, block{lang: lang, line: i + 2})
		case fence && lang != "":
			return nil, fmt.Errorf("line %d: a block begins in the block of line %d", i+1, found[len(found)-1].line)
		case fence:
			open = false
		case open:
			last := &found[len(found)-1]
			last.lines = append(last.lines, line)
		}
	}
	if open {
		return nil, fmt.Errorf("the block of line %d does not end", found[len(found)-1].line)
	}
	return found, nil
}

var exitRE = regexp.MustCompile(`# exit (\d+)$`)

// commands are those of a block of sh. Where lines begin with "$ " these are the commands, and each other line is
// output of the one above it; else all lines are commands. A line that ends with a backslash goes on in the next.
func (b block) commands() (found []command) {
	shown := strings.HasPrefix(strings.Join(b.lines, "\n"), "$ ")
	unfinished := false
	for i, line := range b.lines {
		text, prompt := strings.CutPrefix(line, "$ ")
		switch {
		case unfinished:
			found[len(found)-1].text += "\n" + line
		case prompt || !shown && strings.TrimSpace(line) != "":
			found = append(found, command{line: b.line + i, text: text, exit: "0"})
		case shown:
			last := &found[len(found)-1]
			last.want, last.show = append(last.want, line), true
			continue
		default:
			continue
		}
		unfinished = strings.HasSuffix(line, "\\")
		if m := exitRE.FindStringSubmatch(line); m != nil {
			found[len(found)-1].exit = m[1]
		}
	}
	return found
}

// file is the path of the file whose text the block is: the comment in its first line. "" if there is none.
func (b block) file() string {
	if len(b.lines) == 0 || b.lang == "sh" || b.lang == "text" {
		return ""
	}
	if path, ok := strings.CutPrefix(b.lines[0], "# /"); ok && !strings.Contains(path, " ") {
		return "/" + path
	}
	return ""
}

// matches reports whether output is as shown. In a line … stands for any text, and alone for any lines. Spaces at the
// end of a line do not count, and neither do empty lines at the end.
func matches(want []string, output string) bool {
	var re strings.Builder
	re.WriteString(`\A`)
	for _, line := range want {
		if strings.TrimSpace(line) == "…" {
			re.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(strings.TrimRight(line, " "), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		re.WriteString(strings.Join(parts, `.*?`) + ` *\n`)
	}
	re.WriteString(`\s*\z`)
	return regexp.MustCompile(re.String()).MatchString(output + "\n")
}
