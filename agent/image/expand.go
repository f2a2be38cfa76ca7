package image

import (
	"fmt"
	"regexp"
)

// vocabulary is what stands for the words of a recipe's templates: {version}, {arch}, and the named groups of its
// version's pattern.
type vocabulary map[string]string

// wordRE is a word of a template. A repetition in a pattern, a{2}, is not a word.
var wordRE = regexp.MustCompile(`\{[a-z]+\}`)

// expand puts the words in. A word that is not known stays, for checkTemplate to find.
func (v vocabulary) expand(s string) string { return v.replace(s, func(s string) string { return s }) }

// pattern puts the words into a regular expression that must fit the whole.
func (v vocabulary) pattern(s string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + v.replace(s, regexp.QuoteMeta) + `)\z`)
}

func (v vocabulary) replace(s string, quote func(string) string) string {
	return wordRE.ReplaceAllStringFunc(s, func(w string) string {
		if text, ok := v[w[1:len(w)-1]]; ok {
			return quote(text)
		}
		return w
	})
}

// checkTemplate fails on the first word that is not known.
func (v vocabulary) checkTemplate(s string) error {
	for _, w := range wordRE.FindAllString(s, -1) {
		if _, ok := v[w[1:len(w)-1]]; !ok {
			return fmt.Errorf("%q has no word %s", s, w)
		}
	}
	return nil
}
