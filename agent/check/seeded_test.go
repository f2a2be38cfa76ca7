package check

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
)

// seededSite serves one of the scripts below testdata/menus and the files that it says it needs or can do without.
type seededSite struct {
	*httptest.Server
	path     string   // of the script
	needs    []string // paths
	optional []string

	mu    sync.Mutex
	files map[string]string
}

// others are scripts that those below testdata/menus chain.
var others = map[string]string{
	"/two.ipxe":          "#!ipxe\nimgfetch /from-two\n",
	"/sub/one.ipxe":      "#!ipxe\nchain deep/two.ipxe\ninitrd ${shared}/initrd\n",
	"/sub/deep/two.ipxe": "#!ipxe\nkernel vmlinuz\n",
	"/default.ipxe":      "#!ipxe\nshell\n", "/after.ipxe": "#!ipxe\nexit\n", "/register": "#!ipxe\nexit\n",
	"/ask.ipxe": "#!ipxe\nread answer\nexit\n", "/menus/own.ipxe": "#!ipxe\nexit\n", "/site-ca.ipxe": "#!ipxe\nexit\n",
	"/hosts/a.ipxe": "#!ipxe\nexit 1\n", "/hosts/b.ipxe": "#!ipxe\nexit 1\n", "/menus/boot.cfg": "#!ipxe\nexit 1\n",
	"/efi/stub.efi": program(efi.X64), "/efi/mboot.efi": program(efi.X64), "/tools/memtest": linuxStub(),
}

// linuxStub is a Linux kernel, which is an EFI program as well.
func linuxStub() string {
	b := []byte(program(efi.X64))
	copy(b[0x202:], "HdrS")
	return string(b)
}

func newSeededSite(t *testing.T, path string) *seededSite {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &seededSite{path: "/menus/" + filepath.Base(path), files: map[string]string{}}
	for line := range strings.Lines(string(text)) {
		if list, is := strings.CutPrefix(line, "# needs "); is {
			s.needs = strings.Fields(list)
		} else if list, is := strings.CutPrefix(line, "# optional "); is {
			s.optional = strings.Fields(list)
		}
	}
	for _, p := range slices.Concat(s.needs, s.optional) {
		s.files[p] = "a file"
		if other, is := others[p]; is {
			s.files[p] = other
		}
	}
	s.files[s.path] = string(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		text, there := s.files[r.URL.Path]
		s.mu.Unlock()
		if !there {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(text, "http://10.0.0.1", s.URL)))
	}))
	t.Cleanup(s.Close)
	return s
}

// walk follows the script as iPXE on BIOS and on UEFI.
func (s *seededSite) walk(t *testing.T) []Step {
	t.Helper()
	clients := []firmware.Client{firmware.ClientIPXE, firmware.ClientIPXE64}
	var offers []firmware.Offer
	for _, c := range clients {
		offers = append(offers, offerOf(c, s.URL+s.path)...)
	}
	return Walk(t.Context(), Config{NextServer: home}, clients, offers)
}

// change puts another text in a file's place, "" for none at all, and returns what puts it back.
func (s *seededSite) change(path, text string) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.files[path]
	if s.files[path] = text; text == "" {
		delete(s.files, path)
	}
	return func() { s.mu.Lock(); s.files[path] = before; s.mu.Unlock() }
}

// faults are the steps that fail or say that something is missing or wrong.
func (s *seededSite) faults(steps []Step) (texts []string) {
	for _, h := range steps {
		if path := strings.TrimPrefix(h.What, s.URL); !h.OK {
			texts = append(texts, fmt.Sprintf("FAIL %s: %s", path, h.Text))
		} else if h.Optional || strings.HasPrefix(h.Text, "line ") {
			texts = append(texts, fmt.Sprintf("note %s: %s", path, h.Text))
		}
	}
	return texts
}

// tellsOf reports whether a fault is that a file is missing: by itself, or since nothing is booted then.
func tellsOf(fault, mark, base, path string) bool {
	return strings.HasPrefix(fault, mark+" "+path) || mark == "FAIL" && strings.HasPrefix(fault, mark) &&
		strings.Contains(fault, "nothing is booted, since this is missing") && strings.Contains(fault, base+path)
}

var (
	gotoRE    = regexp.MustCompile(`\bgoto ([a-z][a-z-]*)`)
	commandRE = regexp.MustCompile(`^(?::\S+ )?([a-z]+[0-9]*[a-z]*)( |$)`)
)

// In menus as sites write them each file that is missing, each label and each command that is misspelt is found, and
// nothing is called wrong where nothing is.
func TestSeededFaults(t *testing.T) {
	paths, err := filepath.Glob("testdata/menus/*.ipxe")
	if err != nil || len(paths) < 12 {
		t.Fatalf("%d menus, %v", len(paths), err)
	}
	seeded := 0
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s := newSeededSite(t, path)
			steps := s.walk(t)
			if f := s.faults(steps); len(f) > 0 || !Complete(steps) {
				t.Fatalf("as it is: %q", f)
			}
			asked := map[string]bool{}
			for _, h := range steps[1:] {
				asked[strings.SplitN(strings.TrimPrefix(h.What, s.URL), "?", 2)[0]] = h.Stage != "offer"
			}
			delete(asked, s.path)
			for _, p := range slices.Concat(s.needs, s.optional) {
				if !asked[p] {
					t.Errorf("%s was not asked for, but %q", p, slices.Sorted(maps.Keys(asked)))
				}
			}
			for mark, files := range map[string][]string{"FAIL": s.needs, "note": s.optional} {
				for _, p := range files {
					back := s.change(p, "")
					found := s.faults(s.walk(t))
					back()
					seeded++
					if !slices.ContainsFunc(found, func(f string) bool { return tellsOf(f, mark, s.URL, p) }) {
						t.Errorf("%s is missing, want %s, found %q", p, mark, found)
					}
				}
			}
			text := s.files[s.path]
			lines := strings.SplitAfter(text, "\n")
			for i, line := range lines {
				for _, wrong := range misspelt(lines, i) {
					if seeded++; testing.Short() && seeded%4 != 0 {
						continue
					}
					back := s.change(s.path, strings.Join(slices.Concat(lines[:i], []string{wrong}, lines[i+1:]), ""))
					found := s.faults(s.walk(t))
					back()
					at := fmt.Sprintf(" %s: line %d: ", s.path, i+1)
					if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, at) }) {
						t.Errorf("line %d, %q instead of %q: found %q", i+1, wrong, line, found)
					}
				}
			}
		})
	}
	t.Logf("%d faults", seeded)
}

// misspelt are versions of a line with a label or command that does not exist.
func misspelt(lines []string, i int) (all []string) {
	line := lines[i]
	if i > 0 && strings.HasSuffix(strings.TrimRight(lines[i-1], "\r\n"), `\`) {
		return nil // the rest of another
	}
	for _, m := range gotoRE.FindAllStringSubmatchIndex(line, -1) {
		all = append(all, line[:m[3]]+"-gone"+line[m[3]:])
	}
	if m := commandRE.FindStringSubmatchIndex(line); m != nil {
		all = append(all, line[:m[3]]+"x"+line[m[3]:])
	}
	return all
}
