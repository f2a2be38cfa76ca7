package cli

import (
	"fmt"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Printable is where a command prints. What could steer a terminal or turn its text round is written as an escape of
// JSON, which a reader of --json turns back: whatever a name, a server's message or a file holds, it is only text.
type Printable struct {
	w io.Writer

	mu   sync.Mutex
	part []byte // the beginning of a character whose end has not come yet
}

// NewPrintable prints to w.
func NewPrintable(w io.Writer) *Printable { return &Printable{w: w} }

// Write never keeps more than three bytes back.
func (p *Printable) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := append(p.part, b...)
	p.part = nil
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case !utf8.FullRune(text):
			p.part, n = text, len(text)
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, text[0])
		case steers(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	if _, err := p.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// steers reports whether a character does something to a terminal: controls of ASCII and of ISO 6429 (C0 and C1), line
// and paragraph separators, and what turns the direction of text. Line feeds and tabs are our own.
func steers(r rune) bool {
	control := unicode.IsControl(r) && r != '\n' && r != '\t'
	separator := r == '\u2028' || r == '\u2029'
	return control || separator || unicode.Is(unicode.Bidi_Control, r)
}
