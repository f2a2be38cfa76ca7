package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pxeagent/agent/catalog"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

func newImageDefaultCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "default KEY",
		Short: "Choose what the menu boots when nobody chooses",
		Long: `Set menu.default in the configuration file, whose other lines and comments stay as they are. Without a
file ` + config.Paths[0] + ` is made. KEY is an item of the menu, such as an image's,
or local for the local disk, which is the default until this is used. Nothing else sets it:
adding an image never changes what machines boot.`,
		Example: "  pxeagent image default smartos-20130808T195337Z\n  pxeagent image default local",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("`pxeagent image list` lists the items of the menu",
					"image default takes one key, and was given %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			item, installs, err := l.menuItem(args[0])
			if err != nil {
				return err
			}
			from := l.From("menu.default")
			if !from.InFile() {
				return cli.Failure{Code: cli.Refused, Err: fmt.Errorf("menu.default is set by %s, which wins over the file", from),
					Hints: []string{"set it there, or unset that"}}
			}
			file, before, err := setDefault(l, item)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"default": item, "before": before, "file": file})
			}
			if item == before {
				fmt.Fprintf(a.stdout, "menu.default is %s already\n", item)
			} else {
				fmt.Fprintf(a.stdout, "menu.default is now %s, and was %s (%s)\n", item, before, file)
			}
			if installs {
				fmt.Fprintln(a.stdout,
					"note: it installs: every machine that boots from the network, and whose profile says nothing else, may lose "+
						"what is on its disk")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}

// menuItem is the menu's item of that key, as the daemon would find it now, and whether it installs.
func (l loaded) menuItem(key string) (item string, installs bool, err error) {
	menu, err := l.menu()
	if err != nil {
		return "", false, err
	}
	items, err := listed(l.Config.Serve.Root, menu.NoRescue)
	if err != nil {
		return "", false, rootFailure(l.Config.Serve.Root, err)
	}
	var keys []string
	for _, i := range items {
		keys = append(keys, i.Key)
	}
	if !slices.Contains(keys, key) {
		f := cli.Failure{Code: cli.NoImage, Err: fmt.Errorf("the menu has no item %q", key),
			Hints: []string{"it has " + strings.Join(keys, ", ")}}
		if near := cli.Nearest(key, keys); near != "" {
			f.Hints = []string{"did you mean " + near + "?"}
		}
		return "", false, f
	}
	s, err := l.store(nil)
	if err != nil {
		return "", false, err
	}
	in, err := s.Find(key)
	return key, err == nil && in.Installs, nil
}

// listed are the items that there are below a root folder.
func listed(root string, noRescue bool) ([]catalog.Item, error) {
	c, err := catalog.New(catalog.Config{Root: root, NoRescue: noRescue})
	if err != nil {
		return nil, err
	}
	return c.Items()
}

// setDefault writes menu.default into the configuration file, and returns the file and the value before.
func setDefault(l loaded, item string) (file, before string, err error) {
	before, file = l.Config.Menu.Default, l.File
	if file == "" {
		file = config.Paths[0]
	}
	if item == before {
		return file, before, nil
	}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return file, before, fmt.Errorf("reading the configuration: %w", err)
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	changed, err := withDefault(text, item)
	if err != nil {
		return file, before, cli.Failure{Code: cli.Refused, Err: fmt.Errorf("%s: %w", file, err),
			Hints: []string{fmt.Sprintf("write it yourself: under menu, `default: %s`", item)}}
	}
	if target, err := os.Readlink(file); err == nil && target != "" {
		return file, before, cli.Failure{Code: cli.Refused,
			Err:   fmt.Errorf("%s is a link to %s, and would be replaced by a file", file, target),
			Hints: []string{fmt.Sprintf("write it yourself: under menu, `default: %s`", item)}}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return file, before, fmt.Errorf("making the folder of the configuration: %w", err)
	}
	if err := renameio.WriteFile(file, changed, mode, renameio.WithExistingPermissions()); err != nil {
		return file, before, fmt.Errorf("writing the configuration: %w", err)
	}
	return file, before, nil
}

// withDefault is text with menu.default set to item and every other byte as it was. It fails where that is not to be
// had: where menu is written on one line, or as an alias.
func withDefault(text []byte, item string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	var top, menu, value *yaml.Node
	if len(doc.Content) > 0 {
		top = doc.Content[0]
		menu = valueOf(top, "menu")
		value = valueOf(menu, "default")
	}
	line := "default: " + item
	var out []byte
	switch {
	case value != nil && onOneLine(value):
		out = replaceScalar(text, value, item)
	case value != nil:
		return nil, errors.New("menu.default is not written on one line")
	case menu != nil && menu.Kind == yaml.MappingNode && menu.Style&yaml.FlowStyle == 0 && len(menu.Content) > 0:
		first := menu.Content[0]
		out = insertLine(text, first.Line, strings.Repeat(" ", first.Column-1)+line)
	case menu != nil && menu.ShortTag() == "!!null" && menu.Value == "":
		out = insertLine(text, keyOf(top, "menu").Line+1, "  "+line)
	case menu != nil:
		return nil, errors.New("menu is not written with its keys on lines of their own")
	case top != nil && top.Kind != yaml.MappingNode && top.ShortTag() != "!!null",
		top != nil && top.Style&yaml.FlowStyle != 0:
		return nil, errors.New("the file is not written with its keys on lines of their own")
	default:
		out = bytes.Clone(text)
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(out, "menu:\n  "+line+"\n"...)
	}
	if err := sameBut(text, out, item); err != nil {
		return nil, err
	}
	return out, nil
}

func valueOf(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func keyOf(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i]
		}
	}
	return n
}

// replaceScalar writes item in the place of a value of one line.
func replaceScalar(text []byte, value *yaml.Node, item string) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	l := []rune(string(lines[value.Line-1]))
	from, length := value.Column-1, len([]rune(value.Value))
	if value.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		end := from + 1
		for end < len(l) && l[end] != l[from] {
			end++
		}
		length = end + 1 - from
	}
	lines[value.Line-1] = []byte(string(l[:from]) + item + string(l[min(from+length, len(l)):]))
	return bytes.Join(lines, nil)
}

// insertLine puts a line before the one of that number, from 1.
func insertLine(text []byte, number int, line string) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	at := min(number-1, len(lines))
	if at > 0 && !bytes.HasSuffix(lines[at-1], []byte("\n")) {
		lines[at-1] = append(lines[at-1], '\n')
	}
	return bytes.Join(slices.Insert(lines, at, []byte(line+"\n")), nil)
}

// sameBut fails unless after says the same as before, with menu.default as item.
func sameBut(before, after []byte, item string) error {
	var old, new map[string]any
	if err := yaml.Unmarshal(before, &old); err != nil {
		return err
	}
	if err := yaml.Unmarshal(after, &new); err != nil {
		return fmt.Errorf("it could not be changed in place: %w", err)
	}
	if old == nil {
		old = map[string]any{}
	}
	menu, _ := old["menu"].(map[string]any)
	if menu == nil {
		menu = map[string]any{}
	}
	menu["default"] = item
	old["menu"] = menu
	a, err := yaml.Marshal(old)
	if err != nil {
		return err
	}
	b, err := yaml.Marshal(new)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return errors.New("it could not be changed in place")
	}
	return nil
}

// onOneLine: n is a text that is written on one line.
func onOneLine(n *yaml.Node) bool {
	plain := n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0
	return plain && n.Value != "" && !strings.Contains(n.Value, "\n")
}
