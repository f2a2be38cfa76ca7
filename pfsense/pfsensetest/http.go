package pfsensetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf16"
)

// maxBody is more than any program needs, in bytes.
const maxBody = 1 << 20

// visit is one request that is being answered.
type visit struct {
	*Firewall
	w     http.ResponseWriter
	r     *http.Request
	body  []byte
	fault Fault // the one that applies; its Kind is "" if there is none
}

// ServeHTTP answers as the firewall's web server does.
func (f *Firewall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		cut() // the client disconnected, or sends an invalid request
	}
	if f.lockedOut() {
		cut()
	}
	v := visit{Firewall: f, w: w, r: r, body: body}
	answer, op := v.page, ""
	switch {
	case r.URL.Path == "/xmlrpc.php":
		call, err := parseCall(body)
		answer, op = func() { v.xmlrpc(call, err) }, call.op()
	case strings.HasPrefix(r.URL.Path, restRoot):
		answer, op = v.rest, f.opOfCommand(body)
	}
	v.fault, _ = f.spoil(Request{Method: r.Method, Path: r.URL.Path, Op: op, Login: loginName(r)})
	switch v.fault.Kind {
	case CutBefore:
		cut()
	case BadGateway:
		v.html(http.StatusBadGateway, "502 Bad Gateway")
		return
	case Killed:
		v.w = unheard{http.Header{}}
		answer()
		v.w = w
		v.html(http.StatusBadGateway, "502 Bad Gateway")
		return
	case GatewayTime:
		v.w = unheard{http.Header{}}
		answer()
		v.w = w
		v.html(http.StatusGatewayTimeout, "504 Gateway Time-out")
		return
	case Down:
		v.html(http.StatusServiceUnavailable, "503 Service Temporarily Unavailable")
		return
	case CutAfter:
		v.w = unheard{http.Header{}}
		answer()
		cut()
	case Held:
		select {
		case <-v.fault.free:
		case <-r.Context().Done():
			cut()
		}
	case Slow:
		held := &later{header: http.Header{}, status: http.StatusOK}
		v.w = held
		answer()
		wait(r, v.fault.Delay)
		held.sendTo(w)
		return
	}
	answer()
}

// page is the answer to every path that is not an API.
func (v *visit) page() { v.html(http.StatusNotFound, "404 Not Found") }

// html is a page of the web server itself.
func (v *visit) html(status int, text string) {
	v.w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	v.w.WriteHeader(status)
	fmt.Fprintf(
		v.w, "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", text)
}

// loginName is how r logs in, without its secret.
func loginName(r *http.Request) string {
	user, _, basic := r.BasicAuth()
	switch {
	case basic:
		return "Basic " + user
	case r.Header.Get("X-API-Key") != "":
		return "key"
	case r.Header.Get("Authorization") != "":
		return "token"
	}
	return "none"
}

// unheard is the answer to a client that will not receive it.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header       { return u.header }
func (unheard) Write(b []byte) (int, error) { return len(b), nil }
func (unheard) WriteHeader(int)             {}

// later is an answer that is delayed.
type later struct {
	header http.Header
	status int
	body   []byte
}

func (l *later) Header() http.Header { return l.header }

func (l *later) Write(b []byte) (int, error) {
	l.body = append(l.body, b...)
	return len(b), nil
}

func (l *later) WriteHeader(status int) { l.status = status }

func (l *later) sendTo(w http.ResponseWriter) {
	for name, values := range l.header {
		w.Header()[name] = values
	}
	w.WriteHeader(l.status)
	_, _ = w.Write(l.body) // a client that disconnected does not matter
}

// phpJSON is v as PHP's json_encode writes it: slashes and non-ASCII escaped.
func phpJSON(v any) string {
	var plain strings.Builder
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only values of this package are encoded
	}
	var b strings.Builder
	for _, r := range strings.TrimSuffix(plain.String(), "\n") {
		switch {
		case r == '/':
			b.WriteString(`\/`)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case r > '~':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
