package dnsmasq

import (
	"iter"
	"slices"
	"strings"
)

// directive is one line of a configuration, or one argument of the command line, as Dnsmasq reads it.
type directive struct {
	file   string // "" for the command line
	line   int    // from 1
	raw    string // as written, without the line end
	name   string // "dhcp-boot"
	value  string // after the =, without quotes
	fields []string
	broken bool // an unclosed quote: Dnsmasq does not start
}

// cell is one byte of a line; a quoted one never separates.
type cell struct {
	c      byte
	quoted bool
}

// parseLine parses a line as Dnsmasq does: quotes hide commas and spaces, # starts a comment at the start
// or after a space, spaces around = and commas are ignored. The name of an empty line is "".
func parseLine(raw string) directive {
	d := directive{raw: raw}
	cells, ok := unquote(raw)
	d.broken = !ok
	cells = trim(cells)
	name, value := cells, []cell(nil)
	if i := slices.IndexFunc(cells, func(c cell) bool { return c.c == '=' }); i >= 0 {
		name, value = trim(cells[:i]), trim(cells[i+1:])
	}
	d.name, d.value, d.fields = text(name), text(value), split(value)
	return d
}

var escapes = map[byte]byte{'t': '\t', 'n': '\n', 'e': 0x1b, 'b': '\b', 'r': '\r', '"': '"', '\\': '\\'}

// unquote removes quotes and the comment; not ok if a quote is unclosed.
func unquote(raw string) (cells []cell, ok bool) {
	quoted, blank := false, true
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '"':
			quoted, blank = !quoted, false
			continue
		case quoted:
			if c == '\\' && i+1 < len(raw) && escapes[raw[i+1]] != 0 {
				i++
				c = escapes[raw[i]]
			}
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			c, blank = ' ', true
		case c == '#' && blank:
			return cells, true
		default:
			blank = false
		}
		cells = append(cells, cell{c, quoted})
	}
	return cells, !quoted
}

func trim(cells []cell) []cell {
	blank := cell{c: ' '}
	for len(cells) > 0 && cells[0] == blank {
		cells = cells[1:]
	}
	for len(cells) > 0 && cells[len(cells)-1] == blank {
		cells = cells[:len(cells)-1]
	}
	return cells
}

func text(cells []cell) string {
	b := make([]byte, len(cells))
	for i, c := range cells {
		b[i] = c.c
	}
	return string(b)
}

func split(cells []cell) []string {
	if len(cells) == 0 {
		return nil
	}
	var fields []string
	for {
		i := slices.Index(cells, cell{c: ','})
		if i < 0 {
			return append(fields, text(trim(cells)))
		}
		fields = append(fields, text(trim(cells[:i])))
		cells = cells[i+1:]
	}
}

// directives are those of a file's text, in order, without empty lines and comments.
func directives(file, text string) iter.Seq[directive] {
	return func(yield func(directive) bool) {
		n := 0
		for line := range strings.Lines(text) {
			n++
			d := parseLine(strings.TrimSuffix(line, "\n"))
			d.file, d.line = file, n
			if (d.name != "" || d.broken) && !yield(d) {
				return
			}
		}
	}
}

// tags are the tags that a line requires and those that it excludes ("!x"), and the rest of its fields.
func (d directive) tags() (tags, rest []string) {
	rest = d.fields
	for len(rest) > 0 {
		tag, ok := isTag(rest[0])
		if !ok {
			break
		}
		tags, rest = append(tags, tag), rest[1:]
	}
	return tags, rest
}

// isTag reports whether a field is a condition on a tag, and which.
func isTag(field string) (string, bool) {
	if tag, ok := strings.CutPrefix(field, "tag:"); ok {
		return tag, true
	}
	return strings.CutPrefix(field, "net:")
}
