package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"pxeagent/cmd/pxeagent/cli"
)

// Where a file is looked for when none is named. The first that exists is the only one read.
var Paths = []string{Here.Conf, "./pxeagent.yaml"}

// maxConfig is far above what a person writes, and keeps a wrong --config (a disk image) out of memory.
const maxConfig = 1 << 20

// configFile is a file's values by key. The zero configFile is no file.
type configFile struct {
	path   string
	values map[string]fileValue
	parts  map[string]*yaml.Node // by the part's name
}

// fileValue is a value as it stands in the file, before YAML makes numbers and dates of it.
type fileValue struct {
	texts []string
	list  bool
	line  int
}

func (v fileValue) value() any {
	if v.list {
		return v.texts
	}
	return v.texts[0]
}

// openFile reads the file named by the flag, else by PXEAGENT_CONFIG, else the first of
// Paths, else none.
func (s *Schema) openFile(named string, found *Mistakes) (configFile, error) {
	paths, must := Paths, false
	if named == "" {
		named = os.Getenv(EnvConfig)
	}
	if named != "" {
		paths, must = []string{named}, true
	}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return configFile{}, fmt.Errorf("reading %s: %w", p, err)
		}
		text, err := readLimited(abs)
		if !must && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
			continue
		}
		if err != nil {
			return configFile{}, unreadable(abs, err)
		}
		file, wrong := s.parseFile(abs, text)
		*found = append(*found, wrong...)
		return file, nil
	}
	return configFile{}, nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("it is larger than %d bytes, which no configuration is", maxConfig)
	}
	return text, err
}

func unreadable(path string, err error) error {
	code, hints := cli.Usage, []string(nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hints = []string{"without --config and PXEAGENT_CONFIG, " + strings.Join(Paths, " and ") +
			" are looked for, and none is needed"}
	case errors.Is(err, syscall.EISDIR):
		hints = []string{"name the file in it: --config " + filepath.Join(path, "pxeagent.yaml")}
		if in, err := os.ReadDir(path); err == nil && len(in) == 0 {
			hints = []string{"an empty folder is what Docker makes where the file to mount does not exist: write the file first"}
		}
	case errors.Is(err, fs.ErrPermission):
		code, hints = cli.Permission, []string{"run as a user who may read it; no secret needs to stand in it"}
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return cli.Failure{Code: code, Err: fmt.Errorf("reading the configuration %s: %w", path, err), Hints: hints}
}

// parseFile takes text apart. What is wrong does not keep the rest from being read, save a
// syntax error.
func (s *Schema) parseFile(path string, text []byte) (configFile, Mistakes) {
	p := fileParser{schema: s,
		configFile: configFile{path: path, values: map[string]fileValue{}, parts: map[string]*yaml.Node{}}}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) { // nothing but blanks and comments
		return p.configFile, nil
	}
	if err == nil {
		if err = dec.Decode(&next); err == nil {
			p.wrong("", &next, "a second document begins here; want one")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		return p.configFile, Mistakes{syntaxError(p.path, text, err)}
	}
	top := doc.Content[0]
	if top.Kind == yaml.MappingNode {
		p.section("", top)
	} else if top.ShortTag() != "!!null" {
		p.wrong("", top, "want keys, such as `interface: eth1`, not %s", describe(top))
	}
	return p.configFile, p.Mistakes
}

type fileParser struct {
	configFile
	schema   *Schema
	Mistakes Mistakes
}

func (p *fileParser) at(line int) Origin {
	return Origin{layer: fromFile, file: p.path, line: line}
}

func (p *fileParser) wrong(name string, n *yaml.Node, format string, args ...any) {
	p.Mistakes.add(name, p.at(n.Line), format, args...)
}

// section reads a mapping. It goes no deeper than the keys do, so that an alias to itself ends.
func (p *fileParser) section(prefix string, n *yaml.Node) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		name := prefix + k.Value
		if line, twice := seen[k.Value]; twice {
			p.wrong(name, k, "duplicate key (first on line %d)", line)
			continue
		}
		seen[k.Value] = k.Line
		if v.Kind == yaml.AliasNode {
			v = v.Alias
		}
		known, isKey := p.schema.find(name)
		_, isPart := findPart(name)
		switch {
		case isPart && k.Kind == yaml.ScalarNode:
			v.Line = k.Line // where a person looks for it
			p.parts[name] = v
		case isKey && k.Kind == yaml.ScalarNode:
			p.value(known, k, v)
		case p.schema.isSection(name) && v.Kind == yaml.MappingNode:
			p.section(name+".", v)
		case p.schema.isSection(name) && v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null":
		case p.schema.isSection(name):
			p.wrong(name, k, "want keys under it (%s), not %s", strings.Join(p.schema.under(name), ", "), describe(v))
		default:
			p.wrong(name, k, "%s", p.schema.unknownKey(name))
		}
	}
}

func (p *fileParser) value(known Key, k, v *yaml.Node) {
	val := fileValue{line: k.Line}
	switch v.Kind {
	case yaml.ScalarNode:
		if v.ShortTag() == "!!null" || v.Value == "" {
			return
		}
		val.texts = []string{v.Value}
	case yaml.SequenceNode:
		if known.Shape != List && known.Shape != Words {
			p.wrong(known.Name, k, "want one value, not a list")
			return
		}
		val.list = true
		for _, e := range v.Content {
			if e.Kind == yaml.AliasNode {
				e = e.Alias
			}
			if e.Kind != yaml.ScalarNode || e.ShortTag() == "!!null" {
				p.wrong(known.Name, e, "want texts in the list, not %s", describe(e))
				return
			}
			val.texts = append(val.texts, e.Value)
		}
	default:
		p.wrong(known.Name, k, "want one value, not keys under it")
		return
	}
	p.values[known.Name] = val
}

// secretWord finds keys that were meant to hold a secret.
var secretWord = regexp.MustCompile(`(?i)passw|secret|token|api_?-?key`)

func (s *Schema) unknownKey(name string) string {
	if secretWord.MatchString(lastPart(name)) {
		var files []string
		for _, src := range s.secrets {
			files = append(files, src.FileKey)
		}
		return "unknown key: secrets do not stand in this file; name a file that holds it in " + eitherOf(files)
	}
	if near := s.nearKey(name); near != "" {
		return "unknown key; did you mean " + near + "?"
	}
	return unknownKey
}

// describe says what n is. It does not repeat a text: it may be a secret in the wrong place.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return "a text"
}
