package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"

	"pxeagent/agent/ipxe"
)

//go:embed index.html
var indexHTML string

var indexPage = template.Must(template.New("index").Parse(indexHTML))

// index is a page for a person who wants to know whether this is the right place.
func (s *server) index(w http.ResponseWriter, r *http.Request) {
	var items []ipxe.Item
	if s.Items != nil {
		var err error
		if items, err = s.Items(); err != nil {
			s.Log.Error("Listing the menu's items", "err", err)
		}
	}
	page := struct {
		Script  string
		Names   []string
		Items   []ipxe.Item
		Metrics bool
	}{ipxe.BootstrapPath, []string{ipxe.Undionly, ipxe.EFI64, ipxe.EFIARM64, ipxe.Autoexec}, items, s.Gatherer != nil}
	var b bytes.Buffer
	if err := indexPage.Execute(&b, page); err != nil {
		panic(err) // the template and its data are ours
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(b.Bytes())
}
