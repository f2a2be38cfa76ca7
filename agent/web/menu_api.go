package web

import (
	"encoding/json"
	"net/http"
	"net/netip"

	"pxeagent/agent/boot"
)

// Shown is the menu as one machine will see it.
type Shown struct {
	Title    string     `json:"title"`
	Items    []MenuItem `json:"items"`
	Chosen   string     `json:"chosen"`          // the key of the item that is booted when nobody chooses
	Timeout  float64    `json:"timeout_seconds"` // 0: it waits for ever
	Straight bool       `json:"straight"`        // Chosen is booted without a menu
	Once     bool       `json:"once"`            // this time only
	Host     string     `json:"host,omitempty"`
	Profile  string     `json:"profile,omitempty"`
	Why      []string   `json:"why,omitempty"`   // how it came to this, one sentence each
	Error    string     `json:"error,omitempty"` // why this is not what is configured
	Script   string     `json:"script"`          // secrets in it are hidden
}

// maxShown bounds the script that is shown, in bytes.
const maxShown = 64 << 10

// menu answers what a machine with the facts in the query is shown: "?platform=efi&buildarch=x86_64&mac=…". Its address
// may be in addr.
func (s *server) menu(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	addr, err := netip.ParseAddr(q.Get("addr"))
	if err != nil && q.Get("addr") != "" {
		plain(w, http.StatusBadRequest, "invalid addr")
		return
	}
	m, err := s.ShowMenu(boot.ReadFacts(q.Get), addr.WithZone(""))
	if err != nil {
		s.Log.Error("Showing the menu", "err", err)
		plain(w, http.StatusInternalServerError, "the menu cannot be made: see the log")
		return
	}
	m.Script = mask(m.Script)
	if len(m.Script) > maxShown {
		m.Script = m.Script[:maxShown] + "\n… cut here"
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	answerJSON(w, b)
}
