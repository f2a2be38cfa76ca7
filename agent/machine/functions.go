package machine

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"text/template"
)

// functions are what templates of documents may call besides text/template's own.
func functions(s secrets) template.FuncMap {
	return template.FuncMap{
		"json":   quoteJSON,
		"yaml":   quoteJSON, // a text of JSON is one of YAML
		"sh":     quoteShell,
		"xml":    quoteXML,
		"base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"lower":  strings.ToLower,
		"upper":  strings.ToUpper,
		"indent": indent,
		"default": func(other, s string) string {
			if s == "" {
				return other
			}
			return s
		},
		"fail":   func(why string) (string, error) { return "", errors.New(why) },
		"secret": s.read,
	}
}

// quoteJSON writes any value as JSON, a text with its quotes.
func quoteJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// quoteShell makes s one word of a shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteXML(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

// indent puts so many blanks before each line but the first: for a text in YAML's |.
func indent(n int, s string) (string, error) {
	if n < 0 || n > 100 {
		return "", fmt.Errorf("an indent of %d", n)
	}
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n)), nil
}

// secrets are files of one line in the folder of secrets, readable by their owner alone.
type secrets struct {
	root *os.Root
	sure bool // which machine asks is known for sure
}

// maxSecret is more than any password, hash or key has, in bytes.
const maxSecret = 16 << 10

// read is the text of a secret, without the newline at its end. Its errors do not hold the text.
func (s secrets) read(name string) (string, error) {
	switch {
	case !s.sure:
		return "", fmt.Errorf(
			"%w: the template holds a secret, and that this machine asks is only what it says itself; give its host an address",
			ErrNotIts,
		)
	case !isName(name):
		return "", fmt.Errorf("invalid secret name %q: use letters, digits, dots, dashes and underscores", name)
	}
	file := path.Join(secretsFolder, name)
	info, err := s.root.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("secret %s not found", file) // which is not to be taken for a document that is not there
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("reading the secret: %s is not a regular file", file)
	}
	in, err := s.root.Open(file)
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	defer in.Close()
	if info, err = in.Stat(); err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s can be read or written by others (mode %04o); want chmod 600", file, info.Mode().Perm())
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxSecret)
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}
