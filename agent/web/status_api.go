package web

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Live is where the page's Status comes from. Its methods are called from many goroutines.
type Live interface {
	// Status is at most a second old.
	Status() Status
	// Changed is closed when there is something newer than what Status returned before Changed was called.
	Changed() <-chan struct{}
}

// status answers with the Status as JSON.
func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	b, err := s.Live.Status().JSON()
	if err != nil {
		s.Log.Error("Writing the status", "err", err)
		plain(w, http.StatusInternalServerError, "not available: see the log")
		return
	}
	answerJSON(w, b)
}

// JSON is the status as it is sent. An error says that it is larger than MaxStatus, or that it cannot be written.
func (s Status) JSON() ([]byte, error) {
	b, err := json.Marshal(s)
	if err == nil && len(b) > MaxStatus {
		err = fmt.Errorf("the status has %d bytes, over %d", len(b), MaxStatus)
	}
	return b, err
}

func answerJSON(w http.ResponseWriter, b []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // that it was not read is seen by judge
}

// api is what the page asks for and does.
func (s *server) api() {
	if s.Live != nil {
		s.handle("GET /api/v1/status", s.status)
	}
	if s.ShowMenu != nil {
		s.handle("GET /api/v1/menu", s.menu)
	}
	if s.Actions != nil {
		s.handle("POST /api/v1/token", s.guarded(s.token))
		s.handle("POST /api/v1/check", s.guarded(s.check))
		s.handle("POST /api/v1/once", s.guarded(s.once))
	}
}

// takes reports whether a request that is no GET is for one of these.
func (s *server) takes(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	_, pattern := s.own(r)
	return pattern != ""
}
