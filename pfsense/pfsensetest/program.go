package pfsensetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// firstLine is how every program of pxeagent begins.
var firstLine = regexp.MustCompile(`^\$pxeagent_args = '([A-Za-z0-9+/=]+)';\n`)

// arguments are those of both programs.
type arguments struct {
	Op      string          `json:"op"`
	ID      string          `json:"id"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
	Undo    bool            `json:"undo"`
	Message string          `json:"message"`
}

func argumentsOf(code string) (a arguments, known bool) {
	m := firstLine.FindStringSubmatch(code)
	if m == nil {
		return a, false
	}
	raw, err := base64.StdEncoding.DecodeString(m[1])
	return a, err == nil && json.Unmarshal(raw, &a) == nil && (a.Op == "read" || a.Op == "write")
}

// opOf is "read" or "write", or "" where code is no program of pxeagent.
func opOf(code string) string {
	if a, known := argumentsOf(code); known {
		return a.Op
	}
	return ""
}

// php carries out what the program's arguments say, and returns the JSON that it leaves in $toreturn. who begins its entries in the history; kind is
// what goes wrong with it.
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
	w := writing{Firewall: f, id: a.ID, before: before, after: after, undo: a.Undo, message: who + a.Message, kind: kind}
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

// plainJSON is what json_encode with JSON_UNESCAPED_SLASHES leaves.
func plainJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only values of this package come here
	}
	return string(b)
}

// outcome is what a writing program answers.
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
	undo          bool
	message       string
	kind          Kind
}

// run follows write.php: from the settings that were planned on to others, all or nothing.
func (w writing) run() outcome {
	w.happen(BeforeLock)
	found := w.keys(w.id)
	o := outcome{Status: "unsaved", Keys: found, Ran: w.loaded != nil, Runs: w.loaded != nil}
	there := func(k Keys) bool { return found != nil && found.equal(k) }
	switch {
	case found == nil:
		o.Status = "gone"
		return o
	case w.dirty:
		o.Status = "dirty"
		return o
	case !there(w.before) && !(w.undo && there(w.after)):
		o.Status = "changed"
		return o
	}
	if !there(w.after) {
		if w.kind == Unsaved {
			o.Detail = "write_config did not save: -1"
			return o
		}
		w.save(w.after, w.message)
		o.Saved, o.Keys = true, w.keys(w.id)
	}
	if o.Keys == nil || !o.Keys.equal(w.after) {
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
	w.load()
	w.happen(AfterLoad)
	if o.Runs = w.loaded != nil; o.Runs || !o.Ran {
		o.Status = "done"
		return o
	}
	if o.Status = "stopped"; !o.Saved {
		return o
	}
	if now := w.keys(w.id); now == nil || !now.equal(w.after) {
		return o
	}
	w.save(found, w.message+"; put back, the DHCP server did not start")
	o.Saved, o.Keys = false, w.keys(w.id)
	w.load()
	o.Status, o.Runs = "rolled back", w.loaded != nil
	return o
}

// save is write_config.
func (w writing) save(k Keys, message string) {
	k.writeTo(w.saved.Under("dhcpd/" + w.id))
	w.revision(message)
	w.writes++
	w.happen(AfterWrite)
}
