package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext, 12 °C, 日本語, 🙂\n":  "plain\ttext, 12 °C, 日本語, 🙂\n",
		"\x1b[2J\x07\x00\r\x7f":         `\u001b[2J\u0007\u0000\u000d\u007f`,
		"C1: \u009b31m\u0085":           `C1: \u009b31m\u0085`,
		"a raw \x9b and \xff":           `a raw \x9b and \xff`,
		"bidi \u202e\u2066\u200f\u061c": `bidi \u202e\u2066\u200f\u061c`,
		"lines \u2028\u2029":            `lines \u2028\u2029`,
		"a replacement \ufffd":          "a replacement \ufffd",
	} {
		for size := 1; size <= len(text); size++ { // however it is cut into writes
			var out bytes.Buffer
			w := NewPrintable(&out)
			for at := 0; at < len(text); at += size {
				part := []byte(text[at:min(at+size, len(text))])
				if n, err := w.Write(part); n != len(part) || err != nil {
					t.Fatalf("%d, %v", n, err)
				}
			}
			if out.String() != want {
				t.Errorf("%q by %d bytes is printed as %q, want %q", text, size, out.String(), want)
			}
		}
	}
}

// What --json prints is the same text to its reader.
func TestPrintableJSON(t *testing.T) {
	text := "a\x1b[2J\u009b\u202e\u2028\nb"
	var out bytes.Buffer
	if err := WriteJSON(NewPrintable(&out), text); err != nil {
		t.Fatal(err)
	}
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != text {
		t.Errorf("%s is read as %q, %v", out.String(), back, err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\u202e\u2028") {
		t.Errorf("printed %q", out.String())
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("a\x1b[2J"), 1)
	f.Add([]byte("日\xe6\x97"), 2)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 1 {
			return
		}
		var out bytes.Buffer
		w := NewPrintable(&out)
		for part := b; len(part) > 0; part = part[min(size, len(part)):] {
			if _, err := w.Write(part[:min(size, len(part))]); err != nil {
				t.Fatal(err)
			}
		}
		if !utf8.Valid(out.Bytes()) {
			t.Errorf("%q is not UTF-8", out.String())
		}
		for _, r := range out.String() {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%q has %U", out.String(), r)
			}
		}
	})
}
