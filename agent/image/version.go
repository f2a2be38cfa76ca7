package image

import (
	"cmp"
	"strings"
)

// CompareVersions orders versions as people do: runs of digits by their number, all else by its bytes, so that v1.10 comes after v1.9.
func CompareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := run(a), run(b)
		if c := compareRuns(x, y); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return cmp.Compare(len(a), len(b))
}

// run is the digits that s begins with, or all up to the next digit.
func run(s string) string {
	digits := digit(s[0])
	for i := range len(s) {
		if digit(s[i]) != digits {
			return s[:i]
		}
	}
	return s
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func compareRuns(a, b string) int {
	if digit(a[0]) && digit(b[0]) {
		x, y := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(len(a), len(b)))
	}
	return cmp.Compare(a, b)
}
