package script

import "strings"

// program is a script split into lines and commands, before anything is expanded: iPXE finds comments, operators and
// labels first.
type program struct {
	lines []line
}

// line is one logical line: physical ones that end in a backslash are joined with the next.
type line struct {
	number   int // of its first physical line, from 1
	label    string
	labelled bool
	commands []command
	broken   bool // the file ends in its backslash: it never runs, and the script fails
}

// command is one command of a line.
type command struct {
	operator string   // what stands before it: "" for the first, ";", "&&" or "||"
	words    []string // empty between two operators: the empty command succeeds
}

func (c command) last() string { return c.words[len(c.words)-1] }

// parseProgram reads a script. The rest of its first line is a comment.
func parseProgram(b []byte) (*program, error) {
	if err := Validate(b); err != nil {
		return nil, err
	}
	p := &program{}
	// The marks of unknown settings are none of the script's.
	text := strings.NewReplacer(markOpen, "?", markClose, "?").Replace(string(b))
	physical := strings.Split(text, "\n")
	for i := 0; i < len(physical); i++ {
		number, text, broken := i+1, strings.TrimSuffix(physical[i], "\r"), false
		for strings.HasSuffix(text, `\`) {
			text = strings.TrimSuffix(text, `\`)
			if i++; i >= len(physical) || i == len(physical)-1 && physical[i] == "" {
				broken = true
				break
			}
			text += strings.TrimSuffix(physical[i], "\r")
		}
		if number == 1 {
			continue
		}
		l := parseLine(text)
		l.number, l.broken = number, broken
		if l.labelled || len(l.commands) > 0 || broken {
			p.lines = append(p.lines, l)
		}
	}
	return p, nil
}

// parseLine splits a line into words and commands. A label is the first word where that begins with a colon; the rest
// is a command.
func parseLine(text string) line {
	var l line
	words := strings.Fields(text)
	if len(words) > 0 && strings.HasPrefix(words[0], ":") {
		l.label, l.labelled, words = words[0][1:], true, words[1:]
	}
	current := command{}
	for _, w := range words {
		if strings.HasPrefix(w, "#") {
			break
		}
		if w == ";" || w == "&&" || w == "||" {
			l.commands = append(l.commands, current)
			current = command{operator: w}
			continue
		}
		current.words = append(current.words, w)
	}
	if len(l.commands) > 0 || len(current.words) > 0 {
		l.commands = append(l.commands, current)
	}
	return l
}

// find is the first line with a label; iPXE searches from the top.
func (p *program) find(label string) (int, bool) {
	for i, l := range p.lines {
		if l.labelled && l.label == label {
			return i, true
		}
	}
	return 0, false
}
