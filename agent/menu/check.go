package menu

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/script"
)

// checkMenu refuses a script on which machines would hang or be left with half a command line.
func checkMenu(text []byte) error {
	for _, f := range script.Faults(text) {
		if f.Code != script.SameLabel {
			return fmt.Errorf("line %d: %s", f.Line, f.Text)
		}
	}
	return nil
}

// checkGRUB refuses a grub.cfg that GRUB would not read to its end: what is opened must be closed, and there must be
// something to choose.
func checkGRUB(text []byte) error {
	g := grubReader{line: 1, text: string(text)}
	entries := 0
	var open []grubWord // what waits for its end
	first := true       // the next word is a command
	for {
		w, err := g.next()
		switch {
		case err != nil:
			return err
		case w.text == "" && !w.quoted: // the end
			if len(open) > 0 {
				return fmt.Errorf("line %d: %s has no end", open[len(open)-1].line, open[len(open)-1].text)
			}
			if entries == 0 {
				return errors.New("it has no menuentry")
			}
			return nil
		}
		closes := map[string]string{"}": "{", "fi": "if", "done": "do"}[w.text]
		switch {
		case w.quoted:
			first = false
		case w.text == "{", first && slices.Contains([]string{"if", "do"}, w.text):
			open, first = append(open, w), true
		case w.text == "}", first && closes != "":
			if len(open) == 0 || open[len(open)-1].text != closes {
				return fmt.Errorf("line %d: %s without %s", w.line, w.text, closes)
			}
			open, first = open[:len(open)-1], false
		default:
			if first && w.text == "menuentry" {
				entries++
			}
			first = slices.Contains([]string{";", "then", "else", "elif", "while", "until"}, w.text)
		}
	}
}

// grubReader reads the words of a grub.cfg. The end of a line is the word ";".
type grubReader struct {
	text string
	line int
}

type grubWord struct {
	text   string
	quoted bool // in a part of it
	line   int
}

// next is the next word; the zero text, not quoted, is the end.
func (g *grubReader) next() (grubWord, error) {
	for {
		g.text = strings.TrimLeft(g.text, " \t\r")
		if !strings.HasPrefix(g.text, "#") {
			break
		}
		if _, rest, more := strings.Cut(g.text, "\n"); more {
			g.text = "\n" + rest
		} else {
			g.text = ""
		}
	}
	w := grubWord{line: g.line}
	if g.text != "" && strings.IndexByte("\n;{}", g.text[0]) >= 0 {
		w.text = g.text[:1]
		if w.text == "\n" {
			w.text, g.line = ";", g.line+1
		}
		g.text = g.text[1:]
		return w, nil
	}
	n := 0
	for n < len(g.text) && strings.IndexByte(" \t\r\n;{}", g.text[n]) < 0 {
		switch c := g.text[n]; {
		case c == '\\' && n+1 < len(g.text):
			g.line += strings.Count(g.text[n+1:n+2], "\n")
			n += 2
		case c == '$' && strings.HasPrefix(g.text[n:], "${"):
			end := strings.IndexByte(g.text[n:], '}')
			if end < 0 {
				return w, fmt.Errorf("line %d: ${ has no end", g.line)
			}
			n += end + 1
		case c == '\'' || c == '"':
			end := quoteEnd(g.text[n:])
			if end < 0 {
				return w, fmt.Errorf("line %d: the quote %c has no end", g.line, c)
			}
			g.line += strings.Count(g.text[n:n+end], "\n")
			n, w.quoted = n+end, true
		default:
			n++
		}
	}
	w.text, g.text = g.text[:n], g.text[n:]
	return w, nil
}

// quoteEnd is the length of the quoted text at the beginning of s; -1: it has no end.
func quoteEnd(s string) int {
	for n := 1; n < len(s); n++ {
		switch {
		case s[n] == s[0]:
			return n + 1
		case s[n] == '\\' && s[0] == '"':
			n++
		}
	}
	return -1
}

// extlinuxWords begin the lines of a menu of syslinux's or U-Boot's. Others are taken for mistyped ones.
var extlinuxWords = strings.Fields(`
	allowoptions append background boot bss com32 config console default devicetree devicetree-overlay devicetreedir
	display f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12 fdi fdt fdtdir fdtoverlays font implicit include initrd ipappend
	kaslrseed kbdmap kernel label linux localboot menu nocomplete noescape nohalt onerror ontimeout path prompt pxe say
	serial sendcookies sysappend text timeout totaltimeout ui`)

// extlinuxLoads are those of them that say what a label boots.
var extlinuxLoads = []string{"boot", "bss", "com32", "config", "fdi", "kernel", "linux", "localboot", "menu", "pxe"}

// checkExtlinux refuses a menu in which a line is none of syslinux's or U-Boot's, or whose default is not there.
func checkExtlinux(text []byte) error {
	var labels []string
	byDefault, defaultLine, inText, loads := "", 0, false, true
	empty := func(n int) error {
		if loads {
			return nil
		}
		return fmt.Errorf("line %d: the label %q boots nothing", n, labels[len(labels)-1])
	}
	labelLine := 0
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		word := strings.ToLower(words[0])
		switch {
		case inText:
			inText = word != "endtext"
			continue
		case word == "text":
			inText = true
		case !slices.Contains(extlinuxWords, word):
			return fmt.Errorf("line %d: %q begins no line of such a menu", n, words[0])
		case len(words) == 1 && word != "append" && word != "initrd":
			return fmt.Errorf("line %d: %s says nothing", n, word)
		case word == "label":
			if err := empty(labelLine); err != nil {
				return err
			}
			labels, labelLine, loads = append(labels, words[1]), n, false
		case word == "default":
			byDefault, defaultLine = words[1], n
		case len(line) > maxAppend+len("append ")+2:
			return fmt.Errorf("line %d: it has %d bytes, and syslinux has %d", n, len(line), maxAppend)
		}
		loads = loads || slices.Contains(extlinuxLoads, word) && (word != "menu" || strings.EqualFold(words[1], "include"))
	}
	switch {
	case inText:
		return errors.New("text has no endtext")
	case len(labels) == 0:
		return errors.New("it has no label")
	case byDefault != "" && !slices.Contains(labels, byDefault):
		return fmt.Errorf("line %d: the default %q does not name a label", defaultLine, byDefault)
	}
	return empty(labelLine)
}
