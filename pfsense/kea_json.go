package pfsense

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// siteJSON is the site's custom configuration for Kea: a JSON object that pfSense merges into the one that it
// generates. It is changed by inserting and removing text, so that the site's part keeps every byte.
type siteJSON struct {
	text    string
	start   int // after the object's {
	empty   bool
	list    int // after the [ of client-classes; 0: there is none
	classes []siteClass
}

// siteClass is one element of client-classes.
type siteClass struct {
	name     string
	from, to int
	boots    bool // it sets a boot file
}

// classList is the text before the first class if pxeagent created the list.
const classList = `"client-classes":[`

// parseSiteJSON parses text. What PHP would parse differently, or reject, is an error.
func parseSiteJSON(text string) (siteJSON, error) {
	if !utf8.ValidString(text) {
		return siteJSON{}, errors.New("invalid UTF-8")
	}
	j := siteJSON{text: text}
	d := json.NewDecoder(strings.NewReader(text))
	if err := wantDelim(d, '{'); err != nil {
		return siteJSON{}, err
	}
	j.start, j.empty = int(d.InputOffset()), true
	for ; d.More(); j.empty = false {
		key, err := d.Token()
		if err != nil {
			return siteJSON{}, err
		}
		if key != "client-classes" {
			if err := d.Decode(new(json.RawMessage)); err != nil {
				return siteJSON{}, err
			}
			continue
		}
		if j.list > 0 {
			return siteJSON{}, errors.New("duplicate key client-classes")
		}
		if err := j.readClasses(d); err != nil {
			return siteJSON{}, fmt.Errorf("client-classes: %w", err)
		}
	}
	if err := wantDelim(d, '}'); err != nil {
		return siteJSON{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return siteJSON{}, errors.New("trailing data after the object")
	}
	return j, nil
}

func (j *siteJSON) readClasses(d *json.Decoder) error {
	if err := wantDelim(d, '['); err != nil {
		return err
	}
	j.list = int(d.InputOffset())
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var c struct {
			Name    string `json:"name"`
			File    string `json:"boot-file-name"`
			Options []struct {
				Name string `json:"name"`
				Code int    `json:"code"`
			} `json:"option-data"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			return fmt.Errorf("class %d: %w", len(j.classes)+1, err)
		}
		to := int(d.InputOffset())
		one := siteClass{name: c.Name, from: to - len(raw), to: to, boots: c.File != ""}
		for _, o := range c.Options {
			one.boots = one.boots || o.Name == "boot-file-name" || o.Code == 67
		}
		j.classes = append(j.classes, one)
	}
	return wantDelim(d, ']')
}

func wantDelim(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && got != want {
		err = fmt.Errorf("%v, want %v", got, want)
	}
	return err
}

// class is the text of the class of that name.
func (j siteJSON) class(name string) (text string, there bool) {
	i := j.index(name)
	if i < 0 {
		return "", false
	}
	return j.text[j.classes[i].from:j.classes[i].to], true
}

func (j siteJSON) index(name string) int {
	return slices.IndexFunc(j.classes, func(c siteClass) bool { return c.name == name })
}

// with is the text with this class in place of the one of that name, or before all others: Kea takes an option from the
// first class that sets it.
func (j siteJSON) with(name, class string) string {
	at := j.list
	switch i := j.index(name); {
	case i >= 0:
		return j.text[:j.classes[i].from] + class + j.text[j.classes[i].to:]
	case j.list > 0 && len(j.classes) > 0:
		class += ","
	case j.list > 0:
	case j.empty:
		at, class = j.start, classList+class+"]"
	default:
		at, class = j.start, classList+class+"],"
	}
	return j.text[:at] + class + j.text[at:]
}

// without undoes with.
func (j siteJSON) without(name string) string {
	i := j.index(name)
	if i < 0 {
		return j.text
	}
	from, to := j.classes[i].from, j.classes[i].to
	after := strings.TrimLeft(j.text[to:], " \t\r\n")
	switch {
	case strings.HasPrefix(after, ","):
		to = len(j.text) - len(after) + 1
	case i > 0:
		from = j.classes[i-1].to
	case j.text[j.start:from] == classList && strings.HasPrefix(j.text[to:], "]"):
		from, to = j.start, to+1
		if strings.HasPrefix(j.text[to:], ",") {
			to++
		}
	}
	return j.text[:from] + j.text[to:]
}

// The text without classes, for a field that was absent or empty before a class was added.
const (
	wasAbsent  = "{}\n"
	wasEmpty   = "{}\n\n"
	wasElement = "{}\n\n\n" // absent, in an element kea without content: <kea></kea>
)

// decodeSite parses the text in the field of config.xml. element: an element kea without content is around it.
func decodeSite(field setting, element bool) (siteJSON, error) {
	text := wasAbsent
	switch {
	case element && !field.present:
		text = wasElement
	case field.text != "":
		raw, err := base64.StdEncoding.DecodeString(field.text)
		if err != nil || base64.StdEncoding.EncodeToString(raw) != field.text {
			return siteJSON{}, errors.New("not base64 as the web interface writes it")
		}
		text = string(raw)
	case field.present:
		text = wasEmpty
	}
	return parseSiteJSON(text)
}

// encodeSite is the value of the field in config.xml.
func encodeSite(text string) setting {
	switch text {
	case wasAbsent, wasElement:
		return setting{}
	case wasEmpty:
		return setting{present: true}
	}
	return setting{true, base64.StdEncoding.EncodeToString([]byte(text))}
}
