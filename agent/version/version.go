// Package version says which of two versions of the same thing is the newer.
package version

import (
	"cmp"
	"strings"
)

// Compare orders versions as people do. Runs of digits are numbers: 12.9 comes before 12.10, v1.9 before v1.10,
// 20130808T195337Z before 20140101T000000Z. A pre-release of the same version ("1.0-rc1", "1.0_rc1", "1.0~beta") comes
// before it. Only what is equal is the same.
func Compare(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		var p, q string
		p, x = cutRun(x)
		q, y = cutRun(y)
		if digit(p[0]) && digit(q[0]) {
			p, q := strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
		} else if p != q {
			if early(p) != early(q) {
				return further(p)
			}
			return cmp.Compare(p, q)
		}
	}
	switch {
	case x != "":
		return further(x)
	case y != "":
		return -further(y)
	}
	return cmp.Compare(a, b) // 1.0 and 1.00
}

// further says how a version stands to another that it goes on from with rest.
func further(rest string) int {
	if early(rest) {
		return -1
	}
	return 1
}

// early: what begins so leads up to the version before it.
func early(rest string) bool {
	if rest[0] == '~' {
		return true
	}
	word := strings.TrimLeft(rest, "-_")
	return word != rest &&
		(strings.HasPrefix(word, "rc") || strings.HasPrefix(word, "alpha") || strings.HasPrefix(word, "beta"))
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// cutRun takes the leading digits, or the leading non-digits, from the beginning of s, which is not empty.
func cutRun(s string) (run, rest string) {
	n := 1
	for n < len(s) && digit(s[n]) == digit(s[0]) {
		n++
	}
	return s[:n], s[n:]
}
