package logging

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cut is the first bytes of a text that came over the wire, at most limit, with a note of how many follow. What cannot
// be printed, such as the escape character of a terminal, is replaced.
func Cut(s string, limit int) string { return cut(s, limit, false) }

func cut(s string, limit int, lines bool) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	clean := func(r rune) rune {
		if unicode.IsPrint(r) || lines && (r == '\n' || r == '\t') {
			return r
		}
		return unicode.ReplacementChar
	}
	var b strings.Builder
	for i, r := range s { // a byte that is not UTF-8 comes as a ReplacementChar
		r = clean(r)
		if b.Len()+utf8.RuneLen(r) > limit {
			fmt.Fprintf(&b, "… (%d bytes more)", len(s)-i)
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports whether a text has nothing but printable ASCII, as most have.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cut makes a value fit for the log. Numbers and times are left alone, all else becomes text.
func (b *budgets) cut(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, member := range v.Group() {
			group[i] = b.cut(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	case slog.KindAny:
		v = slog.StringValue(fmt.Sprint(v.Any())) // which survives a nil that has no String
	default:
		return slog.Attr{Key: a.Key, Value: v}
	}
	limit, long := b.Long[a.Key]
	if !long {
		limit = maxField
	}
	return slog.String(a.Key, cut(v.String(), limit, long))
}
