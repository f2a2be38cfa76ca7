package script

import (
	"fmt"
	"net/url"
	"slices"
)

// Role is what a file is for.
type Role string

// Roles.
const (
	Script  Role = "script" // or a program: what chain runs
	Program Role = "program"
	Kernel  Role = "kernel"
	Initrd  Role = "initrd"
	Disk    Role = "disk"
	Picture Role = "picture"
	Any     Role = "any"
)

// Reference is a file that a script fetches in some run.
type Reference struct {
	URL      string // absolute
	Role     Role   // as the first command that fetches it says
	Required bool   // its failure ends the outermost script; false where something catches that
	// Handled: on some way its failure is caught by a command that fetches nothing instead, such as || goto failed. What
	// was to be booted then does not boot.
	Handled bool
	Item    string   // menu items that were chosen on the first way that leads there, joined by "/": "linux/13"
	When    []string // what must have come true before: "platform is not efi", "a failed"
	Args    string   // command line of a kernel; settings that are not known stand as ${name}
	Script  string   // URL of the script that fetches it
	Line    int      // there, from 1
}

// Broken reports whether the script is broken where the file cannot be fetched: it ends, or what it was to boot does
// not boot. A script or file that is tried before a menu is shown, and not missed, is not reported.
func (r Reference) Broken() bool {
	switch {
	case r.Required:
		return true
	case r.Role == Kernel, r.Role == Initrd, r.Role == Disk, r.Item != "":
		return r.Handled
	}
	return false
}

// Unknown is a file whose name depends on what only the machine knows.
type Unknown struct {
	Text     string   // as in the script, with what is known put in
	Settings []string // on which it depends
	Role     Role
	Script   string
	Line     int
}

// Level says how bad a Finding is.
type Level string

// Levels.
const (
	Error   Level = "error"   // it will not work as it is written
	Warning Level = "warning" // likely not what was meant, or worth knowing
)

// Finding is something in a script that will not work, or not as meant.
type Finding struct {
	Script string // its URL; empty for the one that was given without
	Line   int    // from 1
	Code   string // stable
	Level  Level
	Text   string
}

// Codes of Findings.
const (
	NotScript         = "not-a-script"
	UnknownCommand    = "unknown-command"
	UnknownOption     = "unknown-option"
	WrongArguments    = "arguments"
	NoLabel           = "no-label"    // goto to what is not there
	LabelColon        = "label-colon" // goto :x
	SameLabel         = "same-label"  // the first of two is the one that counts
	Unreachable       = "unreachable"
	Semicolon         = "semicolon"     // a word that ends in ;
	IncOfString       = "inc-of-string" // set n 0 makes a string
	IsSetOfName       = "isset-of-name" // isset x is true whatever x is
	EmptyURI          = "empty-uri"     // fetches the running script again
	OpenBackslash     = "open-backslash"
	ParamsMissing     = "params-missing"
	NoItem            = "no-item"    // the default of choose is not an item
	NoMenu            = "no-menu"    // choose or item without a menu, or a menu without items
	Uncaught          = "uncaught"   // choose without ||: the escape key ends the script
	StaleCopy         = "stale-copy" // chain by a bare name runs the copy of before
	RelativeAfterDHCP = "relative-after-dhcp"
	LongMultiboot     = "long-command-line" // over the 512 bytes of BIOS
)

// Report is what running a script in every way that it can take found.
type Report struct {
	References []Reference
	Unknown    []Unknown
	Findings   []Finding
	Boots      []Boot
	Menus      []Menu // as choose shows them
	// Failures are lines at which the outermost script ends in failure on some way, other than by a file that could not be
	// fetched.
	Failures []int
	// Succeeds: on some way something is booted or started, or the outermost script ends without failure.
	Succeeds bool
	// Complete is false where the script has more ways than were followed; nothing is said to be unreachable then.
	Complete bool
}

// collector gathers a Report; the same thing is found on many ways.
type collector struct {
	Report
	index map[string]int // of References
}

// reference records a file and returns its index.
func (c *collector) reference(r Reference) int {
	key := r.Script + "\x00" + fmt.Sprint(r.Line) + "\x00" + r.URL
	if i, has := c.index[key]; has {
		return i
	}
	c.References = append(c.References, r)
	c.index[key] = len(c.References) - 1
	return len(c.References) - 1
}

func (c *collector) unknown(u Unknown) {
	if !slices.ContainsFunc(
		c.Unknown,
		func(o Unknown) bool { return o.Script == u.Script && o.Line == u.Line && o.Text == u.Text },
	) {
		c.Unknown = append(c.Unknown, u)
	}
}

func (c *collector) find(script string, line int, level Level, code, format string, args ...any) {
	f := Finding{script, line, code, level, fmt.Sprintf(format, args...)}
	if !slices.Contains(c.Findings, f) {
		c.Findings = append(c.Findings, f)
	}
}

// resolve makes a URI absolute as iPXE does: relative to the innermost running script. An empty word is that script
// itself; what follows # is not sent; //h/x is a path.
func resolve(base *url.URL, word string) (*url.URL, error) {
	if len(word) > 1 && word[0] == '/' && word[1] == '/' {
		u := *base
		u.Path, u.RawPath, u.RawQuery, u.Fragment = word, "", "", ""
		return &u, nil
	}
	ref, err := url.Parse(word)
	if err != nil {
		return nil, err
	}
	u := base.ResolveReference(ref)
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}
