package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Console is where a kernel speaks to people. The zero Console leaves it to the kernel.
type Console struct {
	Port  byte // 't': the screen; 'a' to 'd': the first to fourth serial port; 0: none said
	Speed int  // of a serial port, in bit/s; 0: 115200
}

var consoleRE = regexp.MustCompile(`^(?:(text)|(?:tty([a-d])|ttyS([0-3]))(?:,([0-9]{3,7}))?)$`)

// ParseConsole reads "text" (the screen), or a serial port by its name in SmartOS (ttya to ttyd) or Linux (ttyS0 to
// ttyS3), with its speed where that is not 115200 bit/s: "ttyb", "ttyb,9600". "" is the zero Console. The error is a
// clause about the text.
func ParseConsole(s string) (Console, error) {
	m := consoleRE.FindStringSubmatch(s)
	switch {
	case s == "":
		return Console{}, nil
	case m == nil:
		return Console{}, fmt.Errorf(
			"invalid console %q: want text, ttya to ttyd or ttyS0 to ttyS3, optionally with a comma and a speed", s)
	case m[1] != "":
		return Console{Port: 't'}, nil
	}
	c := Console{}
	if m[2] != "" {
		c.Port = m[2][0]
	} else {
		c.Port = m[3][0] - '0' + 'a'
	}
	c.Speed, _ = strconv.Atoi(m[4]) // "": 0
	return c, nil
}

// String is as ParseConsole takes it.
func (c Console) String() string {
	switch {
	case c.Port == 0:
		return ""
	case c.Port == 't':
		return "text"
	case c.Speed == 0:
		return "tty" + string(c.Port)
	}
	return fmt.Sprintf("tty%c,%d", c.Port, c.Speed)
}

// MarshalText is String.
func (c Console) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// properties are the console's boot properties of SmartOS. Without a mode its serial ports run at 9600 bit/s.
func (c Console) properties() []string {
	switch {
	case c.Port == 0:
		return nil
	case c.Port == 't':
		return []string{"console=text"}
	}
	speed := c.Speed
	if speed == 0 {
		speed = 115200
	}
	return []string{fmt.Sprintf("console=tty%c", c.Port), fmt.Sprintf(`tty%c-mode="%d,8,n,1,-"`, c.Port, speed)}
}

// linux is the console's argument for Linux, and for the memory test, which has taken it over.
func (c Console) linux() string {
	switch {
	case c.Port == 0:
		return ""
	case c.Port == 't':
		return "console=tty0"
	}
	speed := c.Speed
	if speed == 0 {
		speed = 115200
	}
	return fmt.Sprintf("console=ttyS%d,%d", c.Port-'a', speed)
}

// withConsole puts a console's properties into a list of boot properties, in the place of what is there about it.
func (c Console) withConsole(properties []string) []string {
	if c.Port == 0 {
		return properties
	}
	out := c.properties()
	for _, p := range properties {
		name, _, _ := strings.Cut(p, "=")
		if name != "console" && !(strings.HasPrefix(name, "tty") && strings.HasSuffix(name, "-mode")) {
			out = append(out, p)
		}
	}
	return out
}
