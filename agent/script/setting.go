package script

import (
	"slices"
	"strconv"
	"strings"
)

// types are those that a setting can have.
var types = []string{
	"string", "uristring", "ipv4", "ipv6", "dnssl", "int8", "int16", "int32", "uint8", "uint16", "uint32", "hex",
	"hexhyp", "hexraw",
	"base64", "uuid", "guid", "busdevfn",
}

// setting runs the commands that set and compare settings. words are the command's before they were expanded.
func (r *runner) setting(s *state, c parsed, words []string, number int) *state {
	switch c.effect {
	case doIsSet:
		return r.isSet(s, c.args[0])
	case doCompare:
		return r.compare(s, c.args[0], c.args[1])
	case doClear:
		name, _ := splitName(c.args[0])
		s.settings[name] = value{}
		return s
	case doRead:
		name, _ := splitName(c.args[0])
		s = r.both(s, "")
		s.settings[name] = value{text: unknown(name)}
		return s
	case doIncrement:
		return r.increment(s, c, number)
	}
	return r.set(s, c)
}

// set joins its words; without any it deletes the setting, and succeeds.
func (r *runner) set(s *state, c parsed) *state {
	name, typ := splitName(c.args[0])
	text := strings.Join(c.args[1:], " ")
	v := value{text: text, typ: typ}
	switch {
	case !isKnown(name):
		return s // which one is not known, and what it was stays
	case typ != "" && !slices.Contains(types, typ):
		return fail(s)
	case text == "":
		s.settings[name] = value{}
	case v.numeric() && isKnown(text):
		if _, err := strconv.ParseInt(text, 0, 64); err != nil {
			return fail(s)
		}
		s.settings[name] = v
	default:
		s.settings[name] = v
	}
	if name == "next-server" {
		r.serverChanged(s)
	}
	return s
}

// increment is inc. A setting that is missing begins as int32; one that set made without a type is a string, with which
// it fails.
func (r *runner) increment(s *state, c parsed, number int) *state {
	name, _ := splitName(c.args[0])
	by := int64(1)
	if len(c.args) == 2 {
		n, err := strconv.ParseInt(c.args[1], 0, 64)
		if err != nil {
			return fail(s)
		}
		by = n
	}
	v, has := s.settings[name]
	switch {
	case !has && strings.Contains(name, "/"):
		return fail(s)
	case !has && s.open:
		s.settings[name] = value{text: unknown(name), typ: "int32"}
		return s
	case !has || v == value{}:
		v = value{typ: "int32", text: "0"}
	case !v.numeric():
		r.findHere(
			s,
			number,
			Warning,
			IncOfString,
			"inc %s fails: set made it a string; write set %s:int32 %s",
			name,
			name,
			readable(v.text),
		)
		return fail(s)
	case !isKnown(v.text):
		return s
	}
	n, err := strconv.ParseInt(v.text, 0, 64)
	if err != nil {
		return fail(s)
	}
	v.text = wrap(n+by, v.typ)
	s.settings[name] = v
	return s
}

// wrap is a number as a setting of a type holds and prints it: intN decimal, uintN hexadecimal.
func wrap(n int64, typ string) string {
	switch typ {
	case "int8":
		return strconv.Itoa(int(int8(n)))
	case "int16":
		return strconv.Itoa(int(int16(n)))
	case "uint8":
		return "0x" + strconv.FormatUint(uint64(uint8(n)), 16)
	case "uint16":
		return "0x" + strconv.FormatUint(uint64(uint16(n)), 16)
	case "uint32":
		return "0x" + strconv.FormatUint(uint64(uint32(n)), 16)
	}
	return strconv.Itoa(int(int32(n)))
}

// isSet is isset: whether the word is not empty.
func (r *runner) isSet(s *state, word string) *state {
	switch {
	case isKnown(word) && word == "":
		return fail(s)
	case isKnown(word):
		return s
	}
	name, whole := wholly(word)
	if !whole {
		if literal(word) != "" {
			return s // text beside the setting is there in any case
		}
		return r.both(s, readable(word)+" is set")
	}
	other := s.fork()
	other.top().failed = true
	other.settings[name] = value{}
	other.when = append(other.when, name+" is not set")
	r.push(other)
	s.when = append(s.when, name+" is set")
	return s
}

// literal is what stands in a text besides unknown settings.
func literal(text string) string {
	for _, name := range unknownNames(text) {
		text = strings.ReplaceAll(text, unknown(name), "")
	}
	return text
}

// compare is iseq: whether two words are the same, to the byte. On the way on which an unknown setting equals a word it
// has that value.
func (r *runner) compare(s *state, a, b string) *state {
	switch {
	case a == b:
		return s
	case isKnown(a) && isKnown(b):
		return fail(s)
	case s.excluded(a, b):
		return fail(s)
	}
	name, whole := wholly(a)
	other := b
	if !whole {
		name, whole = wholly(b)
		other = a
	}
	test := readable(a) + " is " + readable(b)
	if !whole || !isKnown(other) {
		return r.both(s, test)
	}
	no := name + " is not " + other
	differs := s.fork()
	differs.top().failed = true
	differs.when, differs.differs = append(differs.when, no), append(differs.differs, no)
	r.push(differs)
	s.when = append(s.when, name+" is "+other)
	s.settings[name] = value{text: other}
	return s
}

// excluded reports whether an earlier test on this way says that two words differ.
func (s *state) excluded(a, b string) bool {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if name, whole := wholly(pair[0]); whole && slices.Contains(s.differs, name+" is not "+pair[1]) {
			return true
		}
	}
	return false
}
