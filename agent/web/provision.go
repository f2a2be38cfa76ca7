package web

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/machine"
)

// ProvisionPath is where installers' documents are.
const ProvisionPath = "/provision/"

// Documents are what installers ask for.
type Documents interface {
	// FindDocument is the name of the document that is asked for by name, which may be written in other letters, upper or
	// lower case; not found where there is none.
	FindDocument(name string) (found string, ok bool)
	// Document fills one in for the machine that asks. Its errors are those of machine.Fleet.Document.
	Document(machine.Request) (machine.Document, error)
}

// document is the name of what is asked for below ProvisionPath. What has none there may still be a file of the user's.
func (s *server) document(r *http.Request) (name string, ok bool) {
	name, ok = strings.CutPrefix(r.URL.Path, ProvisionPath)
	if !ok || s.Documents == nil {
		return "", false
	}
	return s.Documents.FindDocument(name)
}

// provision answers with a document. Why it was refused is for the log: a refused client learns nothing about other
// machines.
func (s *server) provision(w http.ResponseWriter, r *http.Request, name string, t *boot.Transfer) {
	t.Artifact = boot.Other
	d, err := s.Documents.Document(
		machine.Request{Name: name, Addr: t.Client.Addr(), Facts: boot.ReadFacts(r.URL.Query().Get)},
	)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Artifact, t.Outcome, t.Err = boot.NoFile, boot.NotFound, err
		plain(w, http.StatusNotFound, "not found")
		return
	case errors.Is(err, machine.ErrNotIts):
		t.Outcome, t.Err = boot.Refused, err
		plain(w, http.StatusForbidden, "this document is for another machine")
		return
	case err != nil:
		t.Outcome, t.Err = boot.Failed, err
		plain(w, http.StatusInternalServerError, "the template has a mistake: the log says which")
		return
	}
	h := w.Header()
	h.Set("Content-Type", d.ContentType)
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(d.Text) // that it was not read is seen by judge
}
