package catalog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
)

// Shadow is the hash of a password, as crypt(3) writes it. It prints as "(hidden)". The zero Shadow means that no
// password is set.
type Shadow struct{ hash string }

// hidden stands wherever a secret would be shown.
const hidden = "(hidden)"

func (s Shadow) String() string               { return hidden }
func (s Shadow) GoString() string             { return hidden }
func (s Shadow) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, hidden) }
func (s Shadow) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (s Shadow) LogValue() slog.Value         { return slog.StringValue(hidden) }

// shadowRE is "$", what made the hash, and its parts, in the letters that crypt(5) has for them. None means anything to
// iPXE, which knows "${" alone, or to SmartOS between two apostrophes. '+' is argon2's.
var shadowRE = regexp.MustCompile(`^\$[A-Za-z0-9_-]+(\$[A-Za-z0-9./+=,_-]*){1,5}$`)

// maxShadow is more than a hash has, and leaves room for the rest in BIOS iPXE's 512 bytes.
const maxShadow = 256

// ParseShadow reads a hash. The error does not repeat it: what was put there by mistake may be the password itself.
func ParseShadow(s string) (Shadow, error) {
	switch {
	case s == "":
		return Shadow{}, errors.New("it is empty")
	case len(s) > maxShadow:
		return Shadow{}, fmt.Errorf("it has %d bytes; a password hash has at most %d", len(s), maxShadow)
	case s[0] != '$':
		return Shadow{}, errors.New(`not a password hash, which begins with $; "openssl passwd -5" makes one`)
	case !shadowRE.MatchString(s):
		return Shadow{}, errors.New(
			"it has characters that a password hash cannot have, and that would not reach the kernel as they are; " +
				"want $ID$SALT$HASH of letters, digits and ./+=,_-",
		)
	}
	return Shadow{s}, nil
}

// property is the boot property of SmartOS, "" where there is none. Between apostrophes neither , nor = ends it.
func (s Shadow) property() string {
	if s.hash == "" {
		return ""
	}
	return "root_shadow='" + s.hash + "'"
}

// shadowProperty finds the property in a script, ours or the user's.
var shadowProperty = regexp.MustCompile(`(root_shadow=)('[^'\n]*'|"[^"\n]*"|[^\s,]*)`)

// Mask is a script as people may see it: without the hash.
func Mask(script []byte) []byte {
	return shadowProperty.ReplaceAll(script, []byte("${1}'"+hidden+"'"))
}
