package dhcp

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/firmware"
)

const (
	recordVersion = 1
	maxHistory    = 10 // states kept in History
	maxFileName   = 200
)

// record is a journal's content. Its states are never changed in place.
//
// Which of them the settings are now follows from comparing: a run that was killed may have left any of First, Wrote
// and Intent.
type record struct {
	Version int    `json:"version"`
	Server  string `json:"server"`                // as Server.String says, for the person who reads this
	First   *State `json:"before,omitempty"`      // what pxeagent did not write; nil: there is nothing to revert
	Wire    *wire  `json:"wire_before,omitempty"` // what machines were offered then; nil: not looked at
	Wrote   *State `json:"wrote,omitempty"`       // what pxeagent wrote last, known to have been written
	// what it was about to write or put back; nil once it is known how that ended
	Intent  *State `json:"intent,omitempty"`
	History []Past `json:"history,omitempty"`
}

// Past is a state that is kept only to be looked up by a person.
type Past struct {
	At    time.Time `json:"at"`
	Why   string    `json:"why"` // one of the constants below
	State State     `json:"state"`
}

const (
	PastReverted  = "reverted"          // a revert went to it and put it back
	PastChanged   = "changed-by-others" // a revert went to it until somebody changed the settings: now it goes to theirs
	PastDiscarded = "discarded"         // somebody changed the settings to it, and a revert was told to discard that
)

// knows reports whether pxeagent found or wrote s itself.
func (r record) knows(s State) bool {
	for _, known := range []*State{r.First, r.Wrote, r.Intent} {
		if known != nil && known.Same(s) {
			return true
		}
	}
	return false
}

// cutShort is r when the settings are now and may be what a killed run left half-written: then they are pxeagent's own.
func (r record) cutShort(now State, by Piecewise) record {
	if r.Intent == nil || r.knows(now) {
		return r
	}
	for _, from := range []*State{r.First, r.Wrote} {
		if from != nil && by.Between(now, *from, *r.Intent) {
			r.Wrote = &now
		}
	}
	return r
}

// begin is r when the settings are now and after is about to be written. Where somebody else wrote now, that is what a
// later revert goes to (changed), and what it went to before is history.
func (r record) begin(server string, now, after State, before *wire) (next record, changed bool) {
	next = r.settle(now)
	next.Server, next.Intent = server, &after
	switch {
	case r.First == nil:
	case r.knows(now):
		return next, false
	default:
		changed = true
		next = next.past(PastChanged, *r.First)
	}
	next.First, next.Wrote, next.Wire = &now, nil, before
	return next, changed
}

// beginRevert is r when the settings are now and First is about to be put back.
func (r record) beginRevert(now State) record {
	next := r.settle(now)
	if !r.knows(now) {
		next = next.past(PastDiscarded, now)
		next.Wrote = &now // not ours, but what a killed run may leave
	}
	next.Intent = r.First
	return next
}

// settle is r when it is known that the settings are now.
func (r record) settle(now State) record {
	switch {
	case r.First != nil && r.First.Same(now):
		r.Wrote, r.Intent = nil, nil
	case r.Intent != nil && r.Intent.Same(now):
		r.Wrote, r.Intent = r.Intent, nil
	case r.Wrote != nil && r.Wrote.Same(now):
		r.Intent = nil
	}
	return r
}

// reverted is r when First is back in place.
func (r record) reverted() record {
	r = r.past(PastReverted, *r.First)
	r.First, r.Wrote, r.Intent, r.Wire = nil, nil, nil, nil
	return r
}

func (r record) past(why string, s State) record {
	r.History = append(slices.Clone(r.History), Past{time.Now().UTC(), why, s})
	r.History = r.History[max(0, len(r.History)-maxHistory):]
	return r
}

func (r record) encode() ([]byte, error) {
	compact, err := marshal(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// parseRecord is the opposite of encode. It takes nothing that encode would not write: half a journal is worse than
// none.
func parseRecord(data []byte) (record, error) {
	if len(data) > maxJournal {
		return record{}, fmt.Errorf("it is larger than %d bytes", maxJournal)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return record{}, err
	}
	if head.Version > recordVersion {
		return record{}, fmt.Errorf("%w: it has version %d, this pxeagent knows version %d", ErrLaterJournal, head.Version,
			recordVersion)
	}
	if head.Version != recordVersion {
		return record{}, fmt.Errorf("it has version %d, this pxeagent knows version %d", head.Version, recordVersion)
	}
	var r record
	if err := strict(data, &r); err != nil {
		return record{}, err
	}
	if r.First == nil && (r.Wrote != nil || r.Intent != nil || r.Wire != nil) {
		return record{}, errors.New("it says what was written and not what was there before")
	}
	if r.Wire != nil && !r.Wire.valid() {
		return record{}, errors.New("wire_before has clients that do not exist")
	}
	return r, nil
}

// valid reports whether every client exists: JSON takes a number, and for a list base64, where the name should be.
func (w wire) valid() bool {
	return !slices.ContainsFunc(w.Clients, func(c firmware.Client) bool { return c >= firmware.NumClient }) &&
		!slices.ContainsFunc(w.Offers, func(o firmware.Offer) bool { return o.Client >= firmware.NumClient })
}

// fileName is key as a file name. Different keys have different names.
func fileName(key string) string {
	var name strings.Builder
	for i := range len(key) {
		c := key[i]
		plain := c == '-' || c == '_' || c == '.' && i > 0 ||
			'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if plain {
			name.WriteByte(c)
		} else {
			fmt.Fprintf(&name, "%%%02X", c)
		}
	}
	if name.Len() <= maxFileName {
		return name.String()
	}
	// "%~" cannot come from a key.
	return fmt.Sprintf("%s%%~%x", name.String()[:maxFileName/2], sha256.Sum256([]byte(key)))
}
