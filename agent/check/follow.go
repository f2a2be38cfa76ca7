package check

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/script"
)

// errLoop: the program that a script chains is the one that runs it.
var errLoop = errors.New("the script chains the very NBP that led to it: a chainload loop")

// follow runs a script in every way that it can take on the machine, fetches the scripts that it chains, and asks for
// every file that it names.
func (w *walker) follow(client firmware.Client, m script.Machine, text []byte, base *url.URL, loaded nbp) {
	key := fmt.Sprint(base, m.Settings)
	if w.followed[key] {
		return
	}
	w.followed[key] = true
	report := script.Run(text, base, m, func(u string) (script.Chained, bool) { return w.load(client, u, loaded) })
	w.findings(client, report.Findings)
	files := wanted(report.References, base)
	asked := make([]chan Step, len(files))
	for i, f := range files {
		asked[i] = make(chan Step, 1)
		if h, done := w.seen[f.key()]; done {
			h.Took = 0
			asked[i] <- h
			continue
		}
		go func() {
			h := Step{Stage: f.stage(), What: f.URL, Bytes: -1}
			if err := w.Guard.Do(guard.Check, func() error { h = w.askFile(client, f); return nil }); err != nil {
				h.Text = err.Error()
			}
			asked[i] <- h
		}()
	}
	there, missed, failed := map[string]bool{}, []string{}, false
	for i, f := range files {
		h := <-asked[i]
		w.seen[f.key()] = h
		h.Client = client
		there[f.URL] = h.OK
		if !h.OK && !f.broken {
			h.OK, h.Optional, h.Text = true, true, "missing, and the script goes on: "+h.Text
			missed = append(missed, f.URL)
		}
		failed = failed || !h.OK
		w.add(h)
	}
	if len(missed) > 0 && !failed {
		w.without(client, m, text, base, loaded, there, missed)
	}
	unknown := slices.DeleteFunc(report.Unknown, tells)
	if len(unknown) > 0 {
		w.add(Step{Client: client, Stage: "script", What: base.String(), OK: true, Text: depend(unknown), Bytes: -1})
	}
}

// without runs a script once more with what is there and what is missing: that each failure is caught does not help
// where every way then ends in failure.
func (w *walker) without(
	client firmware.Client, m script.Machine, text []byte, base *url.URL, loaded nbp, there map[string]bool,
	missed []string,
) {
	m.There = func(u string) (bool, bool) { is, known := there[u]; return is, known }
	again := script.Run(text, base, m, func(u string) (script.Chained, bool) { return w.load(client, u, loaded) })
	if again.Complete && !again.Succeeds {
		w.add(Step{
			Client: client, Stage: "script", What: base.String(), Bytes: -1,
			Text: "nothing is booted, since this is missing: " + strings.Join(missed, ", "),
		})
	}
}

// worthKnowing are the warnings that are steps too; the rest is about style, for pxeagent menu lint.
var worthKnowing = []string{script.UnknownCommand, script.UnknownOption, script.NoLabel}

// findings makes steps of what the interpreter says of scripts, once for all clients: an error is a step that fails.
func (w *walker) findings(client firmware.Client, found []script.Finding) {
	for _, f := range found {
		if w.found[f] || f.Level != script.Error && !slices.Contains(worthKnowing, f.Code) {
			continue
		}
		w.found[f] = true
		w.add(Step{
			Client: client, Stage: "script", What: f.Script, OK: f.Level != script.Error, Bytes: -1,
			Text: fmt.Sprintf("line %d: %s", f.Line, f.Text),
		})
	}
}

// tells reports whether only the query of a URL depends on the machine: by that it tells a server about itself.
func tells(u script.Unknown) bool {
	before, _, query := strings.Cut(u.Text, "?")
	return query && !strings.Contains(before, "${")
}

// file is one that a script names, however often.
type file struct {
	script.Reference
	broken bool // a script is broken without it
}

func (f file) stage() string {
	switch f.Role {
	case script.Script:
		return string(boot.Script)
	case script.Kernel:
		return string(boot.Kernel)
	}
	return string(boot.Image)
}

func (f file) key() string { return f.stage() + " " + f.URL + " " }

// wanted are the files that are fetched by HTTP or TFTP, each once, besides the script itself.
func wanted(references []script.Reference, base *url.URL) (files []file) {
	for _, r := range references {
		f := file{r, r.Broken()}
		i := slices.IndexFunc(files, func(o file) bool { return o.key() == f.key() })
		switch {
		case !isHTTP(r.URL) && !isTFTP(r.URL) || r.URL == base.String():
		case i >= 0:
			files[i].broken = files[i].broken || f.broken
		default:
			files = append(files, f)
		}
	}
	return files
}

func isHTTP(u string) bool {
	return strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://")
}

func isTFTP(u string) bool { return strings.HasPrefix(u, "tftp://") }

// load gives the interpreter what a script chains: a script, or a program, of which nothing is known but whether the
// machine can run it.
func (w *walker) load(client firmware.Client, u string, loaded nbp) (c script.Chained, known bool) {
	if !isHTTP(u) && !isTFTP(u) {
		return c, false
	}
	var got chained
	key := file{Reference: script.Reference{URL: u, Role: script.Script}}.key()
	w.seen[key] = w.ask("script", u, func() (int64, string, error) {
		got = w.chained(client, u)
		switch {
		case got.err != nil:
			return -1, "", got.err
		case got.text != nil:
			return got.size, "", nil
		case sameNBP(u, loaded):
			return -1, "", errLoop
		}
		return got.size, "a program", iPXERuns(client, got.head)
	})
	return script.Chained{Text: got.text, Missing: got.err != nil}, true
}

// chained is what stands behind a URL, asked for once.
func (w *walker) chained(client firmware.Client, u string) chained {
	ask := telling(client, u)
	c, done := w.loaded[ask]
	switch {
	case done:
	case isTFTP(u):
		c = w.chainedByTFTP(u)
	default:
		c = w.http.chained(w.ctx, ask)
	}
	w.loaded[ask] = c
	return c
}

// sameNBP reports whether a script's URL is that of the NBP: on the same host, under the same name.
func sameNBP(u string, loaded nbp) bool {
	chained, err := url.Parse(u)
	if err != nil {
		return false
	}
	first, err := url.Parse(loaded.url)
	return err == nil && chained.Hostname() == first.Hostname() && path.Base(chained.Path) == path.Base(first.Path)
}

// askFile asks for one file's length, as iPXE.
func (w *walker) askFile(client firmware.Client, f file) Step {
	return w.ask(f.stage(), f.URL, func() (int64, string, error) {
		if isTFTP(f.URL) {
			_, size, err := w.byTFTP(f.URL, 1)
			return size, "", err
		}
		size, err := w.http.size(w.ctx, asIPXE, telling(client, f.URL))
		return size, "", err
	})
}

// depend says what could not be asked for.
func depend(unknown []script.Unknown) string {
	var settings []string
	for _, u := range unknown {
		settings = append(settings, u.Settings...)
	}
	slices.Sort(settings)
	what := "URLs depend"
	if len(unknown) == 1 {
		what = "URL depends"
	}
	return fmt.Sprintf("%d %s on settings of the machine: %s", len(unknown), what,
		strings.Join(slices.Compact(settings), ", "))
}
