package pfsense

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
)

// ages are the versions of pfSense whose functions the stub has.
var ages = []string{"2.7.0", "2.9.0"}

// stub is a firewall of which only the functions that the programs call are there; they run under real PHP. See
// testdata/stub/config.inc.
type stub struct {
	t        testing.TB
	dir, age string
}

func needPHP(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("php"); err != nil {
		lab.Missing(t, "php (package php-cli)")
	}
}

// newStub is a firewall with the configuration of testdata, whose daemon runs.
func newStub(t testing.TB, age string) *stub {
	needPHP(t)
	s := &stub{t: t, dir: t.TempDir(), age: age}
	text, err := os.ReadFile("testdata/stub/config.json")
	if err != nil {
		t.Fatal(err)
	}
	s.put("config.json", string(text))
	s.put("chroot/var/run/dhcpd.pid", "well")
	return s
}

func (s *stub) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stub) put(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// get is a file of the box, "" where it is not there.
func (s *stub) get(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(text)
}

// order says what is to go wrong.
func (s *stub) order(orders map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(orders)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put("orders.json", string(text))
}

// tree is config.xml as PHP has it.
type tree = map[string]any

func (s *stub) config() tree {
	s.t.Helper()
	var c tree
	if err := json.Unmarshal([]byte(s.get("config.json")), &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// edit changes the configuration on disk, as somebody else does.
func (s *stub) edit(change func(tree)) {
	s.t.Helper()
	c := s.config()
	change(c)
	text, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put("config.json", string(text))
}

// at is the part of t under path.
func at(t tree, path ...string) tree {
	for _, name := range path {
		t = t[name].(tree)
	}
	return t
}

// mine are the keys of opt1 on disk.
func (s *stub) mine() keys {
	var k keys
	section := at(s.config(), "dhcpd", "opt1")
	for f, name := range fieldNames {
		if value, there := section[name]; there {
			k[f] = setting{true, value.(string)}
		}
	}
	return k
}

// php is an interpreter that runs programs one after another.
type php struct {
	t   testing.TB
	in  *json.Encoder
	out *bufio.Reader
}

func (s *stub) interpreter() *php {
	s.t.Helper()
	includes, err := filepath.Abs("testdata/stub")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("php", "-n", "-d", "include_path="+includes, "-d", "error_reporting=-1", "-d",
		"memory_limit=512M", filepath.Join(includes, "main.php"))
	cmd.Env = append(os.Environ(), "STUB_AGE="+s.age, "STUB_BOX="+s.dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("php: %v", err)
		}
	})
	return &php{t: s.t, in: json.NewEncoder(in), out: bufio.NewReader(out)}
}

// run runs p on the firewall in dir. A notice or a printed byte would corrupt the answer on a real one, and fails the
// test.
func (h *php) run(dir string, p program) (json.RawMessage, error) {
	if err := h.in.Encode(map[string]string{"box": dir, "code": p.code}); err != nil {
		return nil, err
	}
	line, err := h.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("php ended: %w: %s", err, line)
	}
	var left struct {
		Toreturn *string  `json:"toreturn"`
		Printed  string   `json:"printed"`
		Notices  []string `json:"notices"`
	}
	if err := json.Unmarshal(line, &left); err != nil {
		return nil, fmt.Errorf("%w: %s", err, line)
	}
	if strings.TrimSpace(left.Printed) != "" || len(left.Notices) > 0 {
		h.t.Errorf("%s printed %q and raised %q", p.name, left.Printed, left.Notices)
	}
	if left.Toreturn == nil {
		return nil, errors.New("the program left nothing")
	}
	return json.RawMessage(*left.Toreturn), nil
}

// wire is the runner to s. Where keeps is nil each program has an interpreter of its own, as on a firewall.
type wire struct {
	s     *stub
	keeps *php
	patch *strings.Replacer // of the program; nil: none
}

func (w wire) run(_ context.Context, p program) (json.RawMessage, error) {
	h := w.keeps
	if h == nil {
		h = w.s.interpreter()
	}
	if w.patch != nil {
		p.code = w.patch.Replace(p.code)
	}
	return h.run(w.s.dir, p)
}

func (w wire) String() string { return "php" }

// quick is how long the stub's daemon may take to start.
const quick = 200_000_000 // ns

// server is the backend for interface iface of s.
func (s *stub) server(iface string) *Server {
	b := newServer(wire{s: s}, iface)
	b.host, b.wait = "stub", quick
	return b
}
