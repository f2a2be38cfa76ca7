package script

import (
	"errors"
	"fmt"
	"strings"
)

// Words makes text fit for the end of a command: one line, and no word that iPXE takes for a comment or for the end
// of the command.
func Words(s string) string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
	for i, w := range fields {
		switch {
		case w == ";" || w == "&&" || w == "||":
			fields[i] = `"` + w + `"`
		case strings.HasPrefix(w, "#"), strings.HasPrefix(w, "-"):
			fields[i] = "_" + w[1:]
		}
	}
	return strings.Join(fields, " ")
}

// CheckArgs refuses kernel arguments that iPXE would not pass on as they are. The error is a clause about the text.
// iPXE's ${settings} may stand in it.
func CheckArgs(args string) error {
	if strings.ContainsFunc(args, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("want printable ASCII on one line")
	}
	for _, w := range strings.Fields(args) {
		switch {
		case w == ";" || w == "&&" || w == "||":
			return fmt.Errorf("%s alone would end the command in an iPXE script", w)
		case strings.HasPrefix(w, "#"):
			return fmt.Errorf("%q would be a comment in an iPXE script", w)
		}
	}
	if strings.HasSuffix(args, `\`) {
		return errors.New(`\ at the end would join the next line to it in an iPXE script`)
	}
	return nil
}

// URL is the URL of a path below base. Whatever iPXE might take for a setting, a blank or the end
// of the command is written as %XX.
func URL(base, p string) string {
	p = strings.TrimLeft(p, "/")
	if p == "." {
		p = ""
	}
	var b strings.Builder
	b.WriteString(base)
	b.WriteByte('/')
	for i := range len(p) {
		c := p[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/+@=,:", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// MaxCommandLine is what BIOS iPXE has for the URLs and arguments of a multiboot kernel and its modules
// together, in bytes; what is over is cut off without a word.
const MaxCommandLine = 512

// CommandLine is how much of that a URL with arguments needs: both, a blank between and NUL, in bytes.
func CommandLine(url, args string) int { return len(url) + 1 + len(args) + 1 }
