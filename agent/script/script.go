// Package script is the language of iPXE's scripts: what a text must be to be one, its commands, what can be said of it
// without running it, and how to write texts into one.
package script

import (
	"bytes"
	"errors"
	"fmt"
)

// Magic is what a script begins with.
const Magic = "#!ipxe"

// HeadLength is how many bytes of a script Validate looks at.
const HeadLength = len(Magic) + 1

// ErrNotScript: iPXE would not take a text for a script.
var ErrNotScript = errors.New("not an iPXE script")

// Validate says whether iPXE takes a text for a script: "#!ipxe" and white space, at its very beginning. A BIOS machine
// runs anything else as machine code and hangs. Whether the script works is Lint's subject. The error unwraps to
// ErrNotScript.
func Validate(script []byte) error {
	rest, ok := bytes.CutPrefix(script, []byte(Magic))
	switch {
	case ok && len(rest) > 0 && bytes.IndexByte([]byte(" \t\n\v\f\r"), rest[0]) >= 0:
		return nil
	case len(script) == 0:
		return fmt.Errorf("%w: the file is empty", ErrNotScript)
	case ok && len(rest) == 0:
		return fmt.Errorf("%w: nothing comes after %s, not even the end of the line", ErrNotScript, Magic)
	case bytes.HasPrefix(script, []byte("\xef\xbb\xbf")):
		return fmt.Errorf("%w: it begins with a byte order mark; save it as UTF-8 without one", ErrNotScript)
	case bytes.HasPrefix(script, []byte("\xff\xfe")), bytes.HasPrefix(script, []byte("\xfe\xff")):
		return fmt.Errorf("%w: it is UTF-16; save it as ASCII or UTF-8", ErrNotScript)
	case !ok && bytes.HasPrefix(bytes.TrimLeft(script, " \t\r\n"), []byte(Magic)):
		return fmt.Errorf("%w: %s must be the very first bytes, before any blank or empty line", ErrNotScript, Magic)
	}
	return fmt.Errorf(
		"%w: it begins with %q, not with %s and the end of the line",
		ErrNotScript,
		script[:min(len(script), HeadLength)],
		Magic,
	)
}
