package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"

	"pxeagent/agent/catalog"
)

// Actions are what a holder of the token may do.
type Actions interface {
	// Check starts a check of every network, unless one is under way.
	Check()
	// Once makes the machine with that MAC boot an item of the menu the next time, and with item "" takes that back. An
	// error that is catalog.ErrUnknownItem or ErrNotOnce is shown to who asked.
	Once(mac net.HardwareAddr, item string) error
}

// guarded lets a request through to h where it may act.
func (s *server) guarded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client := ask(r).Client.Addr()
		if no := s.Gate.admit(r, client); no != nil {
			switch no.status {
			case http.StatusUnauthorized:
				w.Header().Set("WWW-Authenticate", `Bearer realm="pxeagent"`)
				s.Log.Warn("A wrong token", "client", client, "file", r.URL.Path)
			case http.StatusTooManyRequests:
				w.Header().Set("Retry-After", strconv.Itoa(int(triesTime.Seconds())))
			}
			plain(w, no.status, no.text)
			return
		}
		h(w, r)
	}
}

// token only says that the token is right.
func (s *server) token(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func (s *server) check(w http.ResponseWriter, r *http.Request) {
	s.Log.Info("check requested on the page", "client", ask(r).Client)
	s.Actions.Check()
	w.WriteHeader(http.StatusAccepted)
}

// once takes {"mac": "52:54:00:12:34:56", "item": "debian-12"}; with the item "" there is nothing to boot once any
// more.
func (s *server) once(w http.ResponseWriter, r *http.Request) {
	var request struct {
		MAC  string  `json:"mac"`
		Item *string `json:"item"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		plain(w, http.StatusBadRequest, `want {"mac": "…", "item": "…"}`)
		return
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		plain(w, http.StatusBadRequest, "trailing data after the request")
		return
	}
	mac, err := net.ParseMAC(request.MAC)
	if err != nil || len(mac) != 6 || mac[0]&1 != 0 || bytes.Equal(mac, make([]byte, 6)) || request.Item == nil {
		plain(w, http.StatusBadRequest, "want one machine's MAC, of 6 bytes, and an item")
		return
	}
	switch err := s.Actions.Once(mac, *request.Item); {
	case errors.Is(err, catalog.ErrUnknownItem), errors.Is(err, catalog.ErrNotOnce):
		plain(w, http.StatusBadRequest, err.Error())
	case err != nil:
		s.Log.Error("setting a one-time boot from the page", "mac", mac, "item", *request.Item, "err", err)
		plain(w, http.StatusInternalServerError, "not saved: see the log")
	default:
		s.Log.Info("one-time boot set on the page", "client", ask(r).Client, "mac", mac, "item", *request.Item)
		w.WriteHeader(http.StatusNoContent)
	}
}
