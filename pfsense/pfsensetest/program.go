package pfsensetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// firstLine is the first line of every program of pxeagent.
var firstLine = regexp.MustCompile(`^\$pxeagent_args = '([A-Za-z0-9+/=]+)';\n`)

// arguments are those of both programs.
type arguments struct {
	Op      string          `json:"op"`
	ID      string          `json:"id"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	Undo    bool            `json:"undo"`
	Stop    bool            `json:"stop"`
	Custom  *customChange   `json:"custom"`
	Message string          `json:"message"`
}

// customChange changes the custom configuration at Kea's top level together with the keys.
type customChange struct {
	Before *string `json:"before"`
	After  *string `json:"after"`
	Class  string  `json:"class"`
	// Element keeps the element kea, if nothing is left in it.
	Element bool `json:"element"`
}

func argumentsOf(code string) (a arguments, known bool) {
	m := firstLine.FindStringSubmatch(code)
	if m == nil {
		return a, false
	}
	raw, err := base64.StdEncoding.DecodeString(m[1])
	return a, err == nil && json.Unmarshal(raw, &a) == nil && (a.Op == "read" || a.Op == "write")
}

// opOf is "read" or "write", or "" if code is not a program of pxeagent.
func opOf(code string) string {
	if a, known := argumentsOf(code); known {
		return a.Op
	}
	return ""
}

// php carries out a program by its arguments, and returns the JSON that it leaves in $toreturn. Its entries in the
// history start with who; kind is its fault.
func (f *Firewall) php(code, who string, kind Kind) (result string, known bool) {
	a, known := argumentsOf(code)
	if !known {
		return "", false
	}
	f.program.Lock()
	defer f.program.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Op == "read" {
		return plainJSON(f.read()), true
	}
	before, err := parseKeys(a.Before)
	after, err2 := parseKeys(a.After)
	if err != nil || err2 != nil {
		return plainJSON(outcome{Status: "unsaved", Detail: fmt.Sprint("arguments: ", err, err2)}), true
	}
	w := writing{Firewall: f, id: a.ID, before: before, after: after, custom: a.Custom, undo: a.Undo, stop: a.Stop,
		message: who + a.Message, kind: kind}
	return plainJSON(w.run()), true
}

func parseKeys(raw json.RawMessage) (Keys, error) {
	var k Keys
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	for name := range k {
		if !slices.Contains(keyNames, name) {
			return nil, fmt.Errorf("no such key: %s", name)
		}
	}
	if len(k) != len(keyNames) {
		return nil, fmt.Errorf("%d keys, want %d", len(k), len(keyNames))
	}
	return k, nil
}

// plainJSON is the output of json_encode with JSON_UNESCAPED_SLASHES.
func plainJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values of this package are encoded
	}
	return string(b)
}

// outcome is the result of a writing program.
type outcome struct {
	Status string `json:"status"`
	Keys   Keys   `json:"keys"` // in config.xml at the end; nil: no DHCP settings
	Saved  bool   `json:"saved"`
	Ran    bool   `json:"ran"`  // the daemon, before
	Runs   bool   `json:"runs"` // and now
	Detail string `json:"detail"`
}

// writing is one run of the writing program. The firewall's mutex is held.
type writing struct {
	*Firewall
	id            string
	before, after Keys
	custom        *customChange // nil: it is not looked at
	undo, stop    bool
	message       string
	kind          Kind
}

// run follows write.php: from the planned settings to the new ones, all or nothing.
func (w writing) run() outcome {
	w.happen(BeforeLock)
	found, was := w.keys(w.id), w.saved.keaCustom()
	o := outcome{Status: "unsaved", Keys: found, Ran: w.loaded != nil, Runs: w.loaded != nil}
	before, after := w.there(w.before, func(c *customChange) *string { return c.Before }), w.isAfter()
	switch {
	case found == nil:
		o.Status = "gone"
		return o
	case w.dirty:
		o.Status = "dirty"
		return o
	case !before && !(w.undo && after):
		o.Status = "changed"
		return o
	}
	if why := w.unfit(); !after && why != "" {
		o.Status, o.Detail = "unfit", why
		return o
	}
	if !after {
		if w.kind == Unsaved {
			o.Detail = "write_config did not save: -1"
			return o
		}
		w.save(w.after, w.customAfter(), w.message)
		o.Saved, o.Keys = true, w.keys(w.id)
	}
	if !w.isAfter() {
		o.Status = "differs"
		return o
	}
	if w.kind == Unloaded {
		if o.Saved {
			o.Status = "unloaded"
		}
		o.Detail = "the DHCP settings cannot be loaded"
		return o
	}
	if w.kind == Killed {
		w.loaded = nil
		return o
	}
	if w.stop {
		w.loaded = nil
		if w.opts.Started != nil {
			w.opts.Started(nil)
		}
		o.Status, o.Runs = "done", false
		return o
	}
	w.load()
	w.happen(AfterLoad)
	if o.Runs = w.loaded != nil; o.Runs || !o.Ran {
		o.Status = "done"
		return o
	}
	if o.Status = "stopped"; !o.Saved {
		return o
	}
	if !w.isAfter() {
		return o
	}
	w.save(found, was, w.message+"; put back, the DHCP server did not start")
	o.Saved, o.Keys = false, w.keys(w.id)
	w.load()
	o.Status, o.Runs = "rolled back", w.loaded != nil
	return o
}

// there reports whether config.xml has these keys, and this custom Kea configuration.
func (w writing) there(k Keys, of func(*customChange) *string) bool {
	now := w.keys(w.id)
	return now != nil && now.equal(k) && (w.custom == nil || sameText(w.saved.keaCustom(), of(w.custom)))
}

func (w writing) isAfter() bool {
	return w.there(w.after, func(c *customChange) *string { return c.After })
}

func (w writing) customAfter() *string {
	if w.custom == nil {
		return nil
	}
	return w.custom.After
}

func sameText(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// unfit is Kea's error for the new class; "" if it accepts it, or is not asked.
func (w writing) unfit() string {
	var class customClass
	if w.custom == nil || w.saved.engine() != engineKea || json.Unmarshal([]byte(w.custom.Class), &class) != nil {
		return ""
	}
	return class.takes()
}

// save is write_config.
func (w writing) save(k Keys, custom *string, message string) {
	k.writeTo(w.saved.Under("dhcpd/" + w.id))
	if w.custom != nil {
		w.saved.setKeaCustom(custom, w.custom.Element)
	}
	w.revision(message)
	w.writes++
	w.happen(AfterWrite)
}
