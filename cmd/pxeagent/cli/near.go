package cli

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest is the one of names that is the fewest slips away from s, if these are few for its length, else "".
// Letters that changed places are two slips; of names as near, the one that begins alike is meant.
func Nearest(s string, names []string) string {
	s = strings.ToLower(s)
	best, slips, alike := "", max(min(2, (len(s)+2)/3), len(s)/4), -1.0
	for _, n := range names {
		name := strings.ToLower(n)
		d := levenshtein.Distance(s, name, nil)
		if d > slips {
			continue
		}
		if match := levenshtein.Match(s, name, prefixCounts); d < slips || match > alike {
			best, slips, alike = n, d, match
		}
	}
	return best
}

// prefixCounts has a common beginning count however little else is alike.
var prefixCounts = levenshtein.NewParams().BonusThreshold(0)
