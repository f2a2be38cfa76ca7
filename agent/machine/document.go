package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// Documents are what installers ask for: kickstart, preseed, cloud-init, ignition, AutoYaST. Each is a template below
// the folder of documents: cloud-init/user-data.tmpl is served as /provision/cloud-init/user-data, filled in for the
// machine that asks.
const (
	templateSuffix = ".tmpl"
	partsFolder    = "parts"   // templates for use in others by {{template "NAME" .}}; not served
	secretsFolder  = "secrets" // files for {{secret "NAME"}}; not served
	maxTemplate    = 1 << 20   // bytes
	maxDocument    = 4 << 20   // bytes, filled in
	maxParts       = 100
)

// ErrNotIts: a document is not for whoever asks.
var ErrNotIts = errors.New("not for this machine")

// Document is a template filled in for one machine.
type Document struct {
	Text        []byte
	ContentType string
	Host        string // for whom, of the configuration
}

// Request asks for a document.
type Request struct {
	Name   string     // below the folder, without .tmpl; hostile
	Addr   netip.Addr // who asks
	Facts  boot.Facts // of the query: for profiles whose documents go to anyone
	Server string     // the agent's URL as that machine has it
}

// FindDocument is the name of the document whose template is there for name, or for the same in other letters.
func (f *Fleet) FindDocument(name string) (found string, ok bool) {
	if f.hasDocument(name) {
		return name, true
	}
	if !fs.ValidPath(name) {
		return "", false
	}
	file, _ := catalog.Tree(f.documents).Fold(name + templateSuffix)
	found, ok = strings.CutSuffix(file, templateSuffix)
	return found, ok && f.hasDocument(found)
}

func (f *Fleet) hasDocument(name string) bool {
	root, err := f.openDocuments(name)
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Stat(name + templateSuffix)
	return err == nil && info.Mode().IsRegular()
}

// openDocuments refuses names that are not served.
func (f *Fleet) openDocuments(name string) (*os.Root, error) {
	first, _, _ := strings.Cut(name, "/")
	if f.documents == "" || !fs.ValidPath(name) || name == "." || first == partsFolder || first == secretsFolder {
		return nil, fs.ErrNotExist
	}
	return os.OpenRoot(f.documents)
}

// Document fills in a document for the machine that asks for it. Errors: fs.ErrNotExist, ErrNotIts with the reason for
// the log, and what is wrong with the template.
func (f *Fleet) Document(r Request) (Document, error) {
	return f.document(r, f.asker)
}

// Preview fills in a document as the machine with these facts would be given it, for the person who wrote it.
func (f *Fleet) Preview(r Request) (Document, error) {
	return f.document(r, func(r Request) (asker, error) {
		return asker{r.Facts, f.Inventory().Resolve(r.Facts, r.Addr), true}, nil
	})
}

// document fills in a document for whom who says, who is asked only where there is such a document.
func (f *Fleet) document(r Request, who func(Request) (asker, error)) (Document, error) {
	root, err := f.openDocuments(r.Name)
	if err != nil {
		return Document{}, err
	}
	defer root.Close()
	text, err := readTemplate(root, r.Name+templateSuffix)
	if err != nil {
		return Document{}, err
	}
	a, err := who(r)
	if err != nil {
		return Document{}, err
	}
	return f.render(root, r, text, a)
}

func (f *Fleet) render(root *os.Root, r Request, text string, who asker) (Document, error) {
	v := newValues(who.facts, who.Decision, addrText(r.Addr), r.Server)
	v.Item = f.Choose(who.facts, r.Addr, r.Server).Item
	t := template.New(r.Name).Option("missingkey=error").Funcs(functions(secrets{root, who.sure}))
	if err := addParts(t, root); err != nil {
		return Document{}, err
	}
	if _, err := t.Parse(text); err != nil {
		return Document{}, fmt.Errorf("reading the template: %w", err)
	}
	out := limited{limit: maxDocument}
	if err := t.Execute(&out, v); err != nil {
		return Document{}, fmt.Errorf("filling in the template: %w", err)
	}
	return Document{out.Bytes(), contentType(r.Name), who.Host}, nil
}

// addParts parses what documents have in common.
func addParts(t *template.Template, root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), partsFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the parts: %w", err)
	}
	for _, e := range entries[:min(len(entries), maxParts)] {
		name, ok := strings.CutSuffix(e.Name(), templateSuffix)
		if !ok {
			continue
		}
		text, err := readTemplate(root, path.Join(partsFolder, e.Name()))
		if err != nil {
			return err
		}
		if _, err := t.New(name).Parse(text); err != nil {
			return fmt.Errorf("reading a part: %w", err)
		}
	}
	return nil
}

func readTemplate(root *os.Root, name string) (string, error) {
	// A pipe is not waited for.
	info, err := root.Stat(name)
	if err != nil {
		return "", fs.ErrNotExist // what leads out of the folder is not there either
	}
	if !info.Mode().IsRegular() {
		return "", fs.ErrNotExist
	}
	in, err := root.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading the template: %w", err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxTemplate+1))
	if err != nil {
		return "", fmt.Errorf("reading the template: %w", err)
	}
	if len(text) > maxTemplate {
		return "", fmt.Errorf("reading the template %s: it is larger than %d bytes", name, maxTemplate)
	}
	return string(text), nil
}

// limited is a buffer that takes so many bytes.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > l.limit {
		return 0, fmt.Errorf("it comes to more than %d bytes", l.limit)
	}
	return l.Buffer.Write(b)
}

// contentType is what a document is called. cloud-init's files have no endings, and it does not look.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".json", ".ign":
		return "application/json"
	case ".xml":
		return "application/xml"
	}
	return "text/plain; charset=utf-8"
}

// asker is the machine that asks for a document.
type asker struct {
	facts boot.Facts
	Decision
	// sure: the network or the configuration says that it is this machine, and not it alone.
	sure bool
}

// asker finds out which machine asks. An address speaks for a machine where
//   - the host has addresses in the configuration, and this is one of them; another never does then;
//   - this server's own network has one of the host's MACs there;
//   - behind a router, it told so with its last request for a script. That is believed, and not sure.
func (f *Fleet) asker(r Request) (asker, error) {
	refuse := func(format string, args ...any) (asker, error) {
		return asker{}, fmt.Errorf("%w: "+format, append([]any{ErrNotIts}, args...)...)
	}
	if d, ok := f.forAnyone(r.Facts); ok {
		return asker{r.Facts, d, false}, nil
	}
	last := f.seen.at(r.Addr, f.now())
	mac := f.networkMAC(r.Addr, last.facts.MAC)
	if last.contradicted && mac == last.network {
		return refuse("%s told mac %q, and in the network it is %s", r.Addr, last.facts.MAC, mac)
	}
	facts := last.facts
	if mac != "" && facts.MAC != mac {
		// Another machine has that address now, or one card of the machine's is at work where another booted.
		if d := f.Inventory().Resolve(facts, netip.Addr{}); !d.Known || !d.host.hasMAC(mac) {
			facts = boot.Facts{MAC: mac}
		}
	}
	d := f.Inventory().Resolve(facts, r.Addr)
	switch {
	case !d.Known && facts == boot.Facts{}:
		return refuse("nothing is known of %s: it has asked for no script, and no host has this address", r.Addr)
	case !d.Known:
		return refuse("the machine at %s (mac %q) is not a host of the configuration", r.Addr, facts.MAC)
	case len(d.host.Addresses) > 0:
		if !slices.ContainsFunc(d.host.Addresses, func(x Range) bool { return x.Contains(r.Addr) }) {
			return refuse("host %s has other addresses than %s", d.Host, r.Addr)
		}
		// A range is of many machines: that one of them asks says nothing of which.
		return asker{facts, d, d.host.Addresses[0].Single() || mac != ""}, nil
	case len(d.host.MACs) == 0:
		return refuse("host %s has neither mac nor address, so whoever told its %s would be given this", d.Host, d.By)
	case mac != "" && !d.host.hasMAC(mac):
		return refuse("in the network %s is %s, which host %s does not have", r.Addr, mac, d.Host)
	}
	return asker{facts, d, mac != ""}, nil
}

// forAnyone is the host that a query names, if its profile gives documents to whoever names it.
func (f *Fleet) forAnyone(query boot.Facts) (Decision, bool) {
	if query.MAC == "" && query.UUID == "" {
		return Decision{}, false
	}
	d := f.Inventory().Resolve(query, netip.Addr{})
	p, _ := f.Inventory().Profile(d.Profile)
	return d, d.Known && p.Any
}

// WithoutDocuments are the hosts that no installer's document goes to, because nothing but the machine's own word says
// that it is them: they have neither MAC nor address.
func (b *Inventory) WithoutDocuments() []Host {
	return slices.DeleteFunc(b.Hosts(), func(h Host) bool {
		p, _ := b.Profile(h.Profile)
		return len(h.MACs)+len(h.Addresses) > 0 || p.Any
	})
}
