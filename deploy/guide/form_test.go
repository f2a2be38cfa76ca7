package guide

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// languages are those of the guides' blocks.
var languages = []string{"sh", "text", "yaml", "ini", "ipxe"}

// guides are the names of all guides.
func guides(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no guides here: %v", err)
	}
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each block says what it is. One of text that shows pxeagent's commands is not run, and says so.
func TestBlocksSayWhatTheyAre(t *testing.T) {
	for _, name := range guides(t) {
		found, err := blocks(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, b := range found {
			if !slices.Contains(languages, b.lang) {
				t.Errorf("%s:%d: a block of %q, want one of %q", name, b.line, b.lang, languages)
			}
			text := strings.Join(b.lines, "\n")
			if b.lang == "text" && strings.Contains("\n"+text, "\npxeagent ") && !strings.Contains(text, "# not run") {
				t.Errorf("%s:%d: a block of text has commands, and does not say \"# not run: WHY\"", name, b.line)
			}
		}
	}
}

// The commands of a guide are in fenced blocks, where they are run; a block by its indent would not be.
func TestNoBlockIsIndented(t *testing.T) {
	for _, name := range guides(t) {
		fenced, before := false, ""
		for i, line := range strings.Split(read(t, name), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			if !fenced && before == "" && strings.HasPrefix(line, "    ") {
				t.Errorf("%s:%d: a block by its indent, want a fenced one", name, i+1)
			}
			before = line
		}
	}
}

var linkRE = regexp.MustCompile(`\]\(([^)]+)\)`)

// Every guide is in the list of guides, and what a guide links to exists.
func TestLinks(t *testing.T) {
	list := read(t, "README.md")
	for _, name := range guides(t) {
		if name != "README.md" && !strings.Contains(list, "]("+name+")") {
			t.Errorf("README.md does not list %s", name)
		}
		for _, m := range linkRE.FindAllStringSubmatch(read(t, name), -1) {
			path, section, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			if path == "" {
				path = name
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			} else if section != "" && !slices.Contains(sections(read(t, path)), section) {
				t.Errorf("%s links to %s, a section that does not exist", name, m[1])
			}
		}
	}
}

var notInLink = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// sections are the names by which a guide's headings are linked to.
func sections(text string) (names []string) {
	for _, line := range strings.Split(text, "\n") {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := notInLink.ReplaceAllString(strings.ToLower(heading), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// architecture.md lists every package, and the paths and tests that it names exist.
func TestArchitecture(t *testing.T) {
	text := read(t, "architecture.md")
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([A-Za-z][^` ]*)`").FindAllStringSubmatch(text, -1) {
		named[m[1]] = true
		top, _, isPath := strings.Cut(m[1], "/")
		if !isPath || !slices.Contains([]string{"agent", "cmd", "deploy", "dnsmasq", "pfsense"}, top) ||
			strings.Contains(m[1], "NAME") {
			continue
		}
		if found, err := filepath.Glob("../../" + m[1]); err != nil || len(found) == 0 {
			t.Errorf("architecture.md names %s: it does not exist", m[1])
		}
	}
	tests := ""
	for _, top := range []string{"agent", "cmd", "deploy", "dnsmasq", "pfsense"} {
		err := filepath.WalkDir("../../"+top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "_test.go") {
				tests += read(t, path)
			}
			if err != nil || !d.IsDir() {
				return err
			}
			if d.Name() == "testdata" {
				return filepath.SkipDir
			}
			folder, _ := filepath.Rel("../..", path)
			if code, _ := filepath.Glob(path + "/*.go"); len(code) > 0 && !named[folder] {
				t.Errorf("architecture.md does not list the package %s", folder)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	for name := range named {
		if strings.HasPrefix(name, "Test") && !strings.Contains(tests, "func "+name+"(") {
			t.Errorf("architecture.md names the test %s: it does not exist", name)
		}
	}
}

func TestBlocks(t *testing.T) {
	found, err := blocks("a\n```sh\n$ one \\\n  two\nout\n$ three   # exit 2\n```\n```sh\nfour\n\nfive\n```\n```yaml\n# " +
		"/etc/x\nk: v\n```\n")
	if err != nil || len(found) != 3 {
		t.Fatalf("%d blocks, %v", len(found), err)
	}
	first, second := found[0].commands(), found[1].commands()
	if len(first) != 2 || first[0].text != "one \\\n  two" || !slices.Equal(first[0].want, []string{"out"}) ||
		first[0].line != 3 || first[1].exit != "2" || first[1].show {
		t.Errorf("the first block has %+v", first)
	}
	if len(second) != 2 || second[1].text != "five" || second[1].show || second[1].exit != "0" {
		t.Errorf("the second block has %+v", second)
	}
	if found[2].file() != "/etc/x" {
		t.Errorf("the third block is file %q", found[2].file())
	}
	for _, bad := range []string{"```sh\na\n", "```sh\n```yaml\n```\n"} {
		if _, err := blocks(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want   string
		output string
		ok     bool
	}{
		{"a\nb", "a\nb\n", true},
		{"a\nb", "a\nb  \n\n", true},
		{"a", "a\nb\n", false},
		{"a…c", "abc\n", true},
		{"a…c", "a\nc\n", false},
		{"a\n…\nd", "a\nb\nc\nd\n", true},
		{"a\n…\nd", "a\nd\n", true},
		{"a\n…\nd", "a\nb\n", false},
		{"(", "(\n", true},
		{".", "x\n", false},
	} {
		if got := matches(strings.Split(c.want, "\n"), c.output); got != c.ok {
			t.Errorf("%q shown, %q printed: %v, want %v", c.want, c.output, got, c.ok)
		}
	}
}
