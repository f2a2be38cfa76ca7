package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// maxForm bounds a form of facts, in bytes: eight of them, each at most 128 bytes, of which each may be three.
const maxForm = 8 << 10

// errForm: the body is not a form as iPXE sends it.
var errForm = errors.New("no form of facts")

// form reports whether a POST is iPXE's way to tell a script the facts of its machine (its command params).
func form(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && err == nil && kind == "application/x-www-form-urlencoded" &&
		strings.HasSuffix(strings.ToLower(r.URL.Path), ".ipxe")
}

// tell puts into an ask what the request tells of its machine: in a form, or else in the query.
func tell(a *boot.Ask, r *http.Request) error {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
		if err != nil {
			return err
		}
		if len(body) > maxForm {
			return errForm
		}
		text = string(body)
	}
	if text == "" {
		return nil
	}
	facts := pairs(text)
	if len(facts) == 0 {
		return nil
	}
	a.Told = true
	a.Facts = boot.ReadFacts(func(name string) string { return facts[name] })
	return nil
}

// pairs reads facts as iPXE writes them. No + stands for a blank, and iPXE of 2019 writes & and ; in a value as they
// are: text that is not the name of a fact and = belongs to the value before. Of duplicate facts the first counts, so
// that no value can replace another fact.
func pairs(text string) map[string]string {
	out := map[string]string{}
	last := ""
	for _, piece := range strings.Split(text, "&") {
		name, value, ok := strings.Cut(piece, "=")
		if !ok || !slices.Contains(boot.FactNames(), name) {
			if last != "" {
				out[last] += "&" + unescape(piece)
			}
			continue
		}
		if _, twice := out[name]; twice {
			last = ""
			continue
		}
		out[name], last = unescape(value), name
	}
	return out
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
