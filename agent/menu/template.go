package menu

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"pxeagent/agent/catalog"
	"pxeagent/agent/script"
)

// maxMenu bounds what a template writes, in bytes.
const maxMenu = 1 << 20

// sources are a template's text, and those of the files that it included.
type sources map[string]string

// errMenu: what a template wrote is no menu.
var errMenu = errors.New("its output is not a working menu")

// write writes a machine's menu by the user's template, by the one that worked last where that fails, and else by the
// built-in one. The error is what is wrong with the user's template.
func (b *Builder) write(d Data) (menu []byte, broken error) {
	file := d.Language.File()
	text, err := b.catalog.Source(file)
	if errors.Is(err, fs.ErrNotExist) {
		b.keep(d.Language, nil)
		return builtinMenu(d), nil
	}
	if err == nil {
		used := sources{file: string(text)}
		if menu, err = b.execute(used, d, true); err == nil {
			b.keep(d.Language, used)
			return menu, nil
		}
	}
	broken = fmt.Errorf("%s: %w", file, err)
	b.mu.Lock()
	good := b.templates[d.Language]
	b.mu.Unlock()
	if good != nil {
		if menu, err := b.execute(good, d, false); err == nil {
			return menu, fmt.Errorf("%w; the menu is made by the last one that worked", broken)
		}
	}
	return builtinMenu(d), fmt.Errorf("%w; the menu is made by the built-in one", broken)
}

func (b *Builder) keep(l Language, good sources) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.templates[l] = good
}

// execute runs the template in from. fresh: what it includes is read from the disk and put there; else it is taken from
// there first.
func (b *Builder) execute(from sources, d Data, fresh bool) ([]byte, error) {
	file := d.Language.File()
	include := func(name string) (string, error) {
		name = path.Join(path.Dir(file), name)
		if text, ok := from[name]; ok {
			return withoutMagic(text), nil
		}
		text, err := b.catalog.Source(name)
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", name, err)
		}
		if fresh {
			from[name] = string(text)
		}
		return withoutMagic(string(text)), nil
	}
	t, err := template.New(path.Base(file)).Funcs(d.funcs(include)).Parse(from[file])
	if err != nil {
		return nil, err
	}
	var out limited
	if err := t.Execute(&out, &d); err != nil {
		return nil, err
	}
	if err := renderings[d.Language].check(out.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: %w", errMenu, err)
	}
	return out.Bytes(), nil
}

// funcs are what a template may call besides text/template's own.
func (d *Data) funcs(include func(string) (string, error)) template.FuncMap {
	return template.FuncMap{
		"include": include,
		"words":   words,
		"url":     func(p string) string { return script.URL("${base}", p) },
		"path":    d.path,
		"quote":   quote,
		"has":     func(name string) bool { return d.beside != nil && d.beside(name) },
		"items": func(pattern string) ([]Item, error) {
			if err := catalog.CheckPattern(pattern); err != nil {
				return nil, err
			}
			var fit []Item
			for _, i := range d.Items {
				if catalog.Matches(i.Key, pattern) {
					fit = append(fit, i)
				}
			}
			return fit, nil
		},
	}
}

// withoutMagic is a script to be put into another.
func withoutMagic(text string) string {
	if script.Validate([]byte(text)) == nil {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.TrimRight(text, "\n")
}

// builtinMenu is written by the template that is built in. The one for iPXE keeps to what iPXE of 2019 knows, which is
// what network cards and virtual machines have in them. Commands that some builds lack are followed by ||, since an
// unknown command ends a script.
func builtinMenu(d Data) []byte {
	var b bytes.Buffer
	t := template.Must(renderings[d.Language].builtin.Clone()).Funcs(d.funcs(nil))
	if err := t.Execute(&b, &d); err != nil {
		panic(err) // the template and its data are ours
	}
	return b.Bytes()
}

// limited refuses more than maxMenu bytes.
type limited struct{ bytes.Buffer }

func (b *limited) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxMenu {
		return 0, fmt.Errorf("it writes more than %d bytes", maxMenu)
	}
	return b.Buffer.Write(p)
}
