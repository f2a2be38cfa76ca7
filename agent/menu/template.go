package menu

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"text/template"

	"pxeagent/agent/catalog"
	"pxeagent/agent/script"
)

// TemplateFile is the user's template of the menu, in the HTTP tree. A user's own script at BootstrapPath wins over it.
const TemplateFile = "ipxe/bootstrap.ipxe.tmpl"

// Template is the template that the menu is made by where the user has none: the one to begin with.
//
//go:embed menu.tmpl
var Template string

// maxMenu bounds what a template writes, in bytes.
const maxMenu = 1 << 20

// sources are a template's text, and those of the files that it included.
type sources map[string]string

// errMenu: what a template wrote is no menu.
var errMenu = errors.New("its output is not a working menu")

// write writes a machine's menu by the user's template, by the one that worked last where that fails, and else by the
// built-in one. The error is what is wrong with the user's template.
func (b *Builder) write(d Data) (menu []byte, broken error) {
	text, err := b.catalog.Source(TemplateFile)
	if errors.Is(err, fs.ErrNotExist) {
		b.keep(nil)
		return builtinMenu(d), nil
	}
	if err == nil {
		used := sources{TemplateFile: string(text)}
		if menu, err = b.execute(used, d, true); err == nil {
			b.keep(used)
			return menu, nil
		}
	}
	broken = fmt.Errorf("%s: %w", TemplateFile, err)
	b.mu.Lock()
	good := b.template
	b.mu.Unlock()
	if good != nil {
		if menu, err := b.execute(good, d, false); err == nil {
			return menu, fmt.Errorf("%w; the menu is made by the last one that worked", broken)
		}
	}
	return builtinMenu(d), fmt.Errorf("%w; the menu is made by the built-in one", broken)
}

func (b *Builder) keep(good sources) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.template = good
}

// execute runs the template in from. fresh: what it includes is read from the disk and put there; else it is taken from
// there first.
func (b *Builder) execute(from sources, d Data, fresh bool) ([]byte, error) {
	include := func(name string) (string, error) {
		name = path.Join(path.Dir(TemplateFile), name)
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
	t, err := template.New(path.Base(TemplateFile)).Funcs(d.funcs(include)).Parse(from[TemplateFile])
	if err != nil {
		return nil, err
	}
	var out limited
	if err := t.Execute(&out, &d); err != nil {
		return nil, err
	}
	if err := checkMenu(out.Bytes()); err != nil {
		return nil, fmt.Errorf("%w: %w", errMenu, err)
	}
	return out.Bytes(), nil
}

// checkMenu refuses a menu on which machines would hang or be left with half a command line.
func checkMenu(text []byte) error {
	for _, f := range script.Faults(text) {
		if f.Code != script.SameLabel {
			return fmt.Errorf("line %d: %s", f.Line, f.Text)
		}
	}
	return nil
}

// funcs are what a template may call besides text/template's own.
func (d *Data) funcs(include func(string) (string, error)) template.FuncMap {
	return template.FuncMap{
		"include": include,
		"words":   words,
		"url":     func(p string) string { return script.URL("${base}", p) },
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

var builtinTemplate = template.Must(template.New("menu").Funcs((&Data{}).funcs(nil)).Parse(Template))

// builtinMenu keeps to what iPXE of 2019 knows, which is what network cards and virtual machines have in them. Commands
// that some builds lack are followed by ||, since an unknown command ends a script.
func builtinMenu(d Data) []byte {
	var b bytes.Buffer
	if err := builtinTemplate.Execute(&b, &d); err != nil {
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
