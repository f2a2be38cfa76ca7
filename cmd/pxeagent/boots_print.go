package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pxeagent/agent/boot"
	"pxeagent/cmd/pxeagent/cli"

	"github.com/dustin/go-humanize"
)

const timeLayout = "2006-01-02 15:04:05"

// bootPrinter prints boots for a person, or as JSON.
type bootPrinter struct {
	out  io.Writer
	json bool
	full string            // a piece of a bar
	said map[string]string // by ID, with --follow
}

func newBootPrinter(out io.Writer, asJSON bool) *bootPrinter {
	p := &bootPrinter{out: out, json: asJSON, full: "#", said: map[string]string{}}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if v = strings.ToLower(v); strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") {
				p.full = "█"
			}
			break
		}
	}
	return p
}

// table prints rows in columns.
func (p *bootPrinter) table(rows [][]string) error {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := ""
		for i, c := range r {
			line += c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// plainText is a hostile text on one line of a terminal.
func plainText(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` || strings.ContainsRune(s, ' ') {
		return quoted
	}
	return s
}

// lineText is a text that people wrote, or a machine, on one line of a terminal.
func lineText(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func resultText(b boot.Boot) string {
	if b.Result == boot.UnderWay {
		return "under-way"
	}
	return string(b.Result)
}

func why(b boot.Boot) string {
	text := ""
	if b.Result == boot.Stalled && b.At != "" {
		text += " at " + string(b.At)
	}
	if b.File != "" {
		text += ", " + plainText(b.File)
	}
	if b.Note != "" {
		text += ": " + lineText(b.Note)
	}
	return text
}

// took is how long a boot took, or takes until now.
func took(b boot.Boot) string {
	end := b.Ended
	if end.IsZero() {
		end = b.Updated
	}
	return seconds(end.Sub(b.Started))
}

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < 10*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return d.Round(time.Minute).String()
}

// barWidth is how many characters stand for the whole of a boot.
const barWidth = 40

// bar draws the part of whole between from and to, at least one character of it.
func (p *bootPrinter) bar(whole, from, to time.Duration) string {
	whole = max(whole, 1)
	at := func(d time.Duration) int { return int(max(0, min(whole, d)) * barWidth / whole) }
	begin := min(at(from), barWidth-1)
	n := max(1, at(to)-begin)
	return "|" + strings.Repeat(" ", begin) + strings.Repeat(p.full, n) + strings.Repeat(" ", barWidth-begin-n) + "|"
}

// timeline draws one boot: its stages to one scale, then its files.
func (p *bootPrinter) timeline(b boot.Boot) error {
	last := b.Updated
	for _, s := range b.Stages {
		if s.End.After(last) {
			last = s.End
		}
	}
	whole := last.Sub(b.Started)
	var t strings.Builder
	fmt.Fprintf(&t, "%s  %s  %s\n", b.ID, b.Machine(), resultText(b))
	for _, row := range [][2]string{
		{"address", b.Addr.String()}, {"mac", b.MAC}, {"host", b.Host}, {"profile", b.Profile}, {"item", b.Item},
		{"machine", plainFacts(b.Facts)}, {"firmware", string(b.Firmware) + ", " + b.Arch},
		{"began", b.Started.Local().Format(timeLayout)}, {"took", took(b)}, {"why", strings.TrimLeft(why(b), ":, ")},
		{"fetching", plainName(b.Fetching)},
	} {
		if row[1] != "" {
			fmt.Fprintf(&t, "  %-9s %s\n", row[0], row[1])
		}
	}
	t.WriteByte('\n')
	for _, s := range b.Stages {
		fmt.Fprintf(&t, "  %-7s %s %8s  %9s  %s", s.Stage, p.bar(whole, s.Start.Sub(b.Started), s.End.Sub(b.Started)),
			seconds(s.End.Sub(s.Start)), humanize.IBytes(uint64(s.Bytes)), cli.Count(s.Files, "file"))
		if s.Resent > 0 {
			fmt.Fprintf(&t, ", %s sent again", cli.Count(s.Resent, "packet"))
		}
		t.WriteByte('\n')
	}
	if len(b.Files) > 0 {
		t.WriteByte('\n')
	}
	for _, f := range b.Files {
		fmt.Fprintf(&t, "  %8s  %-4s %-12s %-10s %9s %8s  %s\n", "+"+seconds(f.Start.Sub(b.Started)), f.Proto, f.Class,
			f.Outcome,
			humanize.IBytes(uint64(f.Bytes)), seconds(f.Took), plainText(f.Name))
	}
	if b.More > 0 {
		fmt.Fprintf(&t, "  and %s more\n", cli.Count(b.More, "file"))
	}
	_, err := io.WriteString(p.out, t.String())
	return err
}

func plainName(name string) string {
	if name == "" {
		return ""
	}
	return plainText(name)
}

// plainFacts is what a machine says of itself.
func plainFacts(f boot.Facts) string {
	var parts []string
	for _, s := range []string{f.Manufacturer, f.Product} {
		if s != "" {
			parts = append(parts, lineText(s))
		}
	}
	if f.Serial != "" {
		parts = append(parts, "serial "+plainText(f.Serial))
	}
	if f.UUID != "" {
		parts = append(parts, "UUID "+f.UUID)
	}
	return strings.Join(parts, ", ")
}
