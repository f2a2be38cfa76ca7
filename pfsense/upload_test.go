package pfsense

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// longest are the longest programs: five names of 127 bytes, a long URL, before and after, that do not compress.
func longest(t *testing.T) []program {
	t.Helper()
	keys := map[string]any{"netboot": "", "nextserver": "255.255.255.255"}
	seed := uint32(1)
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			seed = seed*1664525 + 1013904223
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[seed>>26]
		}
		return string(b)
	}
	write := map[string]any{"op": "write", "id": "opt99", "undo": false, "wait": 10, "message": noise(300)}
	for _, when := range []string{"before", "after"} {
		for _, k := range []string{"filename", "filename32", "filename64", "filename32arm", "filename64arm"} {
			keys[k] = noise(127)
		}
		keys["uefihttpboot"] = "http://boot.example.com/" + noise(2000)
		text, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		write[when] = json.RawMessage(text)
	}
	var all []program
	for name, args := range map[string]any{"read": map[string]any{"op": "read"}, "write": write} {
		p, err := newProgram(name, args)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestCommandsFit(t *testing.T) {
	b64, name := `[A-Za-z0-9+/=]+`, `/tmp/pxeagent-[0-9a-f]{32}`
	first := regexp.MustCompile(
		`^\(umask 077;find /tmp/ -maxdepth 1 -name 'pxeagent-\*' -type f -mmin \+1 -delete 2>/dev/null;set -C;printf %s '` +
			b64 + `'>` + name + `\)$`)
	next := regexp.MustCompile(`^\(umask 077;printf %s '` + b64 + `'>>` + name + `\)$`)
	names := map[string]bool{}
	for _, p := range longest(t) {
		c, err := newUpload(p, onFirewall)
		if err != nil {
			t.Fatal(err)
		}
		for i, command := range append(append([]string{}, c.chunks...), c.last, c.remove) {
			if len(command) > maxCommand {
				t.Errorf("%s, command %d: %d characters", p.name, i, len(command))
			}
			if strings.ContainsFunc(command, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s, command %d holds more than printable ASCII", p.name, i)
			}
		}
		if !first.MatchString(c.chunks[0]) {
			t.Errorf("%s begins with %s", p.name, c.chunks[0])
		}
		for _, command := range c.chunks[1:] {
			if !next.MatchString(command) {
				t.Errorf("%s goes on with %s", p.name, command)
			}
		}
		for _, command := range c.chunks[:len(c.chunks)-1] {
			if len(command) != maxCommand {
				t.Errorf("%s: a chunk leaves %d characters unused", p.name, maxCommand-len(command))
			}
		}
		t.Logf("%s: %d bytes of PHP, %d commands", p.name, len(p.code), len(c.chunks)+1)
		if len(c.name) != 32 || names[c.name] {
			t.Errorf("name %q", c.name)
		}
		names[c.name] = true
	}
}

// Pieces that fit exactly, and one more. What fits in the last command alone needs no other.
func TestPieces(t *testing.T) {
	for n := range 40 {
		p := program{name: "x", code: strings.Repeat(fmt.Sprintf("%08x", n*2654435761), 20*n+1)}
		c, err := newUpload(p, onFirewall)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range append(c.chunks, c.last) {
			if len(command) > maxCommand || strings.Contains(command, "printf %s ''") {
				t.Errorf("%d: %q", n, command)
			}
		}
		if n == 0 && len(c.chunks) != 0 {
			t.Errorf("a short program has %d chunks besides", len(c.chunks))
		}
	}
}

// shell carries commands out as the REST package does, with the real shell and the real PHP, in its own folder.
type shell struct {
	t     *testing.T
	at    uploadTarget
	spoil func(i int, command string) string // what becomes of the command at i; nil: itself
	asked int
	files []fs.FileMode
}

func newShell(t *testing.T) *shell {
	t.Helper()
	php, err := exec.LookPath("php")
	if err != nil {
		if os.Getenv("PXEAGENT_REQUIRE_E2E") == "1" {
			t.Fatal(err)
		}
		t.Skip("needs php: apt-get install php-cli")
	}
	return &shell{t: t, at: uploadTarget{dir: t.TempDir(), php: php}}
}

func (s *shell) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Command string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		s.t.Errorf("a command that is not JSON: %v", err)
	}
	command := in.Command
	if s.spoil != nil {
		command = s.spoil(s.asked, command)
	}
	s.asked++
	cmd := exec.Command("/bin/sh", "-c", command+" 2>&1")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		s.t.Errorf("running a command: %v", err)
	}
	for _, f := range s.left() {
		info, err := f.Info()
		if err != nil {
			s.t.Error(err)
			continue
		}
		s.files = append(s.files, info.Mode())
	}
	json.NewEncoder(w).Encode(map[string]any{"code": 200, "status": "ok", "response_id": "SUCCESS", "message": "",
		"data": map[string]any{"output": strings.TrimRight(string(out), "\n"), "result_code": cmd.ProcessState.ExitCode()}})
}

// left are the parcels' files that are there.
func (s *shell) left() []fs.DirEntry {
	all, err := os.ReadDir(s.at.dir)
	if err != nil {
		s.t.Error(err)
	}
	var found []fs.DirEntry
	for _, f := range all {
		if strings.HasPrefix(f.Name(), "pxeagent-") {
			found = append(found, f)
		}
	}
	return found
}

func (s *shell) rest() *restTransport {
	s.t.Helper()
	b := newRecorder(s.t, s.ServeHTTP)
	session, err := newSession(b.config(s.t, "rest"))
	if err != nil {
		s.t.Fatal(err)
	}
	return &restTransport{session: session, place: s.at}
}

// witness is a program of several chunks that leaves a file where it was run.
func witness(s *shell, code string) (program, string) {
	ran := filepath.Join(s.at.dir, "ran")
	filler := "/* "
	for i := range 400 {
		filler += fmt.Sprintf("%x", uint64(i)*0x9E3779B97F4A7C15)
	}
	return program{name: "write", code: "$pxeagent_args = 'e30=';\n" + filler + " */\nfile_put_contents('" + ran +
		"', 'x', FILE_APPEND);\n" + code}, ran
}

func TestRunInPieces(t *testing.T) {
	s := newShell(t)
	s.at.dir = filepath.Clean(s.at.dir)
	p, ran := witness(s,
		`fwrite(STDERR, "noise\n"); echo "noise \xff\xfe"; $toreturn = json_encode(["a" => "it's \"ü\" \\", "n" => null]);`)
	r := s.rest()
	for range 2 {
		result, err := r.run(t.Context(), p)
		if err != nil || string(result) != `{"a":"it's \"\u00fc\" \\","n":null}` {
			t.Fatalf("%s, %v", result, err)
		}
	}
	if text, err := os.ReadFile(ran); err != nil || string(text) != "xx" {
		t.Errorf("it ran %q, %v", text, err)
	}
	if left := s.left(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if len(s.files) < 4 {
		t.Errorf("only %d commands left a file: not several chunks", len(s.files))
	}
	for _, mode := range s.files {
		if mode != 0o600 {
			t.Errorf("the file has mode %v", mode)
		}
	}
}

// Whatever happens to one of the commands, nothing runs, nothing is left, and it is an error.
func TestSpoiledPieces(t *testing.T) {
	flip := func(command string) string {
		at := strings.Index(command, "printf %s '") + len("printf %s '") + 20
		c := byte('A')
		if command[at] == c {
			c = 'B'
		}
		return command[:at] + string(c) + command[at+1:]
	}
	for _, c := range []struct {
		name  string
		spoil func(s *shell, i int, command string) string
		text  string
	}{
		{"first lost", func(_ *shell, i int, command string) string {
			return either(i == 0, "true", command)
		}, "upload was incomplete"},
		{"second lost", func(_ *shell, i int, command string) string {
			return either(i == 1, "true", command)
		}, "upload was incomplete"},
		{"second twice", func(_ *shell, i int, command string) string {
			return either(i == 1, command+";"+command, command)
		}, "upload was incomplete"},
		{"first changed", func(_ *shell, i int, command string) string {
			return either(i == 0, flip(command), command)
		}, "upload was incomplete"},
		{"last chunk changed", func(_ *shell, i int, command string) string {
			return either(strings.HasPrefix(command, "(umask") && i == 2, flip(command), command)
		}, "upload was incomplete"},
		{"end changed", func(_ *shell, i int, command string) string {
			return either(strings.Contains(command, "eval"),
				strings.Replace(command, `($f)."`, `($f)."A`, 1), command)
		}, "upload was incomplete"},
		{"file gone before the last", func(s *shell, i int, command string) string {
			return either(strings.Contains(command, "eval"), "rm -f "+s.at.dir+"/pxeagent-*;"+command, command)
		}, "upload was incomplete"},
		{"file replaced before the last", func(s *shell, i int, command string) string {
			return either(strings.Contains(command, "eval"),
				"for f in "+s.at.dir+"/pxeagent-*; do echo evil >$f; done;"+command, command)
		}, "upload was incomplete"},
		{"the name exists", func(_ *shell, i int, command string) string {
			name := strings.TrimSuffix(command[strings.LastIndex(command, ">")+1:], ")")
			return either(i == 0, "touch "+name+";"+command, command)
		}, "chunk 1 of"},
		{"the disk is full", func(_ *shell, i int, command string) string {
			return either(i == 1, `(echo "sh: printf: write error: No space left on device";exit 1)`, command)
		}, "No space left on device"},
	} {
		s := newShell(t)
		p, ran := witness(s, `$toreturn = '{}';`)
		s.spoil = func(i int, command string) string { return c.spoil(s, i, command) }
		result, err := s.rest().run(t.Context(), p)
		if !errors.Is(err, ErrProgram) || result != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %s, %v; want %q", c.name, result, err, c.text)
		}
		if _, err := os.Stat(ran); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it ran", c.name)
		}
		if left := s.left(); len(left) != 0 && c.name != "the name exists" {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// Programs that end early are errors, with what they said.
func TestProgramsThatFail(t *testing.T) {
	for _, c := range []struct{ code, text string }{
		{`nosuchfunction();`, "nosuchfunction"},
		{`throw new Exception("boom");`, "boom"},
		{`exit(3);`, "exit code 3"},
		{`this is not php`, "exit code 255"},
		{`$toreturn = "not JSON";`, "exit code 0"},
		{``, "exit code 0"},
	} {
		s := newShell(t)
		p, _ := witness(s, c.code)
		if c.code == "this is not php" {
			p.code += c.code
		}
		result, err := s.rest().run(t.Context(), p)
		if !errors.Is(err, ErrProgram) || result != nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%q: %s, %v", c.code, result, err)
		}
		if left := s.left(); len(left) != 0 {
			t.Errorf("%q: left %v", c.code, left)
		}
	}
}

// A run that was killed leaves a file; the next one removes it, but not a file that another run is writing.
func TestLeftovers(t *testing.T) {
	s := newShell(t)
	old, fresh := filepath.Join(s.at.dir, "pxeagent-"+strings.Repeat("0", 32)),
		filepath.Join(s.at.dir, "pxeagent-"+strings.Repeat("1", 32))
	lock := filepath.Join(s.at.dir, "pxeagent.lock")
	for _, path := range []string{old, fresh, lock} {
		if err := os.WriteFile(path, []byte("AAAA"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ago := time.Now().Add(-3 * time.Minute)
	for _, path := range []string{old, lock} {
		if err := os.Chtimes(path, ago, ago); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := witness(s, `$toreturn = '{}';`)
	if _, err := s.rest().run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the leftover is still there")
	}
	for _, path := range []string{fresh, lock} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
