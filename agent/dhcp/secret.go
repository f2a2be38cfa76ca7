package dhcp

import (
	"fmt"
	"io"
	"log/slog"
)

// Hidden is shown in place of a secret.
const Hidden = "(hidden)"

// Secret is a password or key that prints as Hidden in every way that fmt, log/slog and encoding/json know. It is
// behind a pointer, because fmt calls no method of what stands in another struct's unexported field. The zero Secret
// is none.
type Secret struct{ text *string }

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal is the secret itself, to be handed to what sends or hashes it and to nothing that prints.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String, GoString, Format, MarshalText and LogValue are Hidden.
func (s Secret) String() string { return Hidden }

// GoString is for %#v.
func (s Secret) GoString() string { return Hidden }

// Format is for every other verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, Hidden) }

// MarshalText is for encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Hidden), nil }

// LogValue is for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Hidden) }
