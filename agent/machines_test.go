package agent_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
)

const (
	machineMAC = "52:54:00:12:34:01"
	iPXE       = "iPXE/1.21.1+ (g0ab2)"
	facts      = "?platform=pcbios&buildarch=i386&mac=" + machineMAC
)

// safeBuffer is a log that a test looks at while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tree puts files of the HTTP tree, or of what lies beside it, in place.
func (r *running) tree(files ...string) {
	r.t.Helper()
	for _, f := range files {
		path := filepath.Join(r.root, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content of "+f), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

func smartos(version string) []string {
	dir := "http/smartos/" + version + "/platform/i86pc/"
	return []string{dir + "kernel/amd64/unix", dir + "amd64/boot_archive"}
}

// straight is the item that the machine is sent to without a menu, or "".
func (r *running) straight(query string) string {
	r.t.Helper()
	code, script := r.get(menu.BootstrapPath+query, iPXE)
	if code != http.StatusOK {
		r.t.Fatalf("status %d: %s", code, script)
	}
	return straightIn(script)
}

// straight is that of a UEFI machine on loopback.
func (m box) straight() string {
	m.r.t.Helper()
	_, script := m.read(menu.BootstrapPath+"?mac="+theMAC+"&platform=efi&buildarch=x86_64", asIPXE)
	return straightIn(script)
}

func straightIn(script string) string {
	before, _, _ := strings.Cut(script, "\n:start")
	for line := range strings.Lines(before) {
		if _, to, ok := strings.Cut(line, "goto "); ok {
			return strings.Fields(to)[0]
		}
	}
	return ""
}

func newBook(t *testing.T, hosts []machine.Host, profiles ...machine.Profile) *machine.Inventory {
	t.Helper()
	b, err := machine.New(hosts, profiles)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A machine's boot once is there until it has fetched the kernel to its end; then it has its profile again. All of this
// by HTTP.
func TestBootOnceByHTTP(t *testing.T) {
	state := t.TempDir()
	once := machine.OpenOneTimeBoots(filepath.Join(state, "once"), nil) // as the command line, or another agent, has it
	log := &safeBuffer{}
	r := start(t, func(c *agent.Config) {
		c.State, c.Log = state, slog.New(slog.NewTextHandler(log, nil))
		c.Machines = newBook(t, []machine.Host{{Name: "node", MACs: []string{machineMAC}, Profile: "p"}},
			machine.Profile{Name: "p", Image: "local", SkipMenu: true})
	})
	r.tree(smartos("20130808T195337Z")...)
	if got := r.straight(facts); got != "local" {
		t.Fatalf("the machine goes to %q", got)
	}
	id := machine.ID(machineMAC)
	order := func(item string) {
		t.Helper()
		if err := once.Set(id, item); err != nil {
			t.Fatal(err)
		}
	}
	kernel := strings.TrimPrefix(smartos("20130808T195337Z")[0], "http")
	order("smartos-20130808T195337Z")
	for range 3 {
		if got := r.straight(facts); got != "smartos-20130808T195337Z" {
			t.Fatalf("the machine goes to %q", got)
		}
	}
	if got := r.straight("?platform=pcbios&buildarch=i386&mac=52:54:00:00:00:01"); got == "smartos-20130808T195337Z" {
		t.Error("another machine goes there, too")
	}
	r.straight(facts) // this address is the machine's again
	// Neither a person with curl, nor a look at the size, nor a module uses it up.
	r.get(kernel, "curl/8.0")
	req, err := http.NewRequest(http.MethodHead, r.base.String()+kernel, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", iPXE)
	if resp, err := http.DefaultClient.Do(req); err != nil {
		t.Fatal(err)
	} else {
		resp.Body.Close()
	}
	r.get(strings.TrimPrefix(smartos("20130808T195337Z")[1], "http"), iPXE)
	if _, ok := once.Peek(id); !ok {
		t.Fatal("it was used up before the kernel came")
	}
	r.get(kernel, iPXE)
	gone := func() {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, ok := once.Peek(id); !ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("it is still there:\n%s", log)
			}
		}
	}
	gone()
	if got := r.straight(facts); got != "local" {
		t.Errorf("the machine goes to %q", got)
	}
	if !strings.Contains(log.String(), `msg="one-time boot done"`) {
		t.Errorf("nothing says so:\n%s", log)
	}

	// A rescue entry, whose kernel is the same; a script of the user's; and the disk.
	order("smartos-20130808T195337Z-rescue")
	if got := r.straight(facts); got != "smartos-20130808T195337Z-rescue" {
		t.Fatalf("the machine goes to %q", got)
	}
	r.get(kernel, iPXE)
	gone()
	r.tree("http/mine/vmlinuz")
	script := filepath.Join(r.root, "http", catalog.FragmentDir, "mine.ipxe")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!ipxe\nkernel /mine/vmlinuz quiet\nboot\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	order("mine")
	if got := r.straight(facts); got != "mine" {
		t.Fatalf("the machine goes to %q", got)
	}
	r.get("/"+catalog.FragmentDir+"/mine.ipxe", iPXE)
	if _, ok := once.Peek(id); !ok {
		t.Fatal("the script used it up")
	}
	r.get("/mine/vmlinuz", iPXE)
	gone()
	order("local")
	r.straight(facts)
	r.get(catalog.LocalPath+"?mac="+machineMAC, iPXE)
	gone()
}

func TestDocumentsByHTTP(t *testing.T) {
	log := &safeBuffer{}
	r := start(t, func(c *agent.Config) {
		c.State, c.Log = t.TempDir(), slog.New(slog.NewTextHandler(log, nil))
		c.Machines = newBook(t,
			[]machine.Host{{Name: "node", MACs: []string{machineMAC}, Labels: map[string]string{"rack": "a1"}}})
	})
	dir := filepath.Join(r.root, agent.DocumentsFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"user-data.tmpl": "#cloud-config\nhostname: {{.Host}}\nrack: " +
		"{{.Labels.rack}}\nfrom: {{.Server}}\n", "broken.tmpl": "{{.Labels.none}}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.tree("http/provision/static.txt")
	want := func(path string, code int, text string) {
		t.Helper()
		if got, body := r.get(path, "Wget/1.21"); got != code || !strings.Contains(body, text) {
			t.Errorf("%s: %d %q, want %d %q", path, got, body, code, text)
		}
	}
	want("/provision/user-data", 403, "another machine")
	if !strings.Contains(log.String(),
		"nothing is known of 127.0.0.1: it has asked for no script, and no host has this address") {
		t.Errorf("nothing says why:\n%s", log)
	}
	r.straight(facts)
	want("/provision/user-data", 200, "hostname: node\nrack: a1\nfrom: "+r.base.String()+"\n")
	want("/provision/broken", 500, "the log says which")
	if !strings.Contains(log.String(), `no entry for key \"none\"`) {
		t.Errorf("nothing says what is wrong:\n%s", log)
	}
	want("/provision/none", 404, "not found")
	want("/provision/static.txt", 200, "content of http/provision/static.txt")
	want("/provision/user-data.tmpl", 404, "not found")
	r.until(`pxeagent_requests_total\{artifact="other",class="tool",outcome="refused",protocol="http"\}`, 1)
}

// A later version goes to the others when the canary has booted it: that is seen by the files that it fetches.
func TestCanaryByHTTP(t *testing.T) {
	const other = "?platform=pcbios&buildarch=i386&mac=52:54:00:12:34:02"
	state := t.TempDir()
	r := start(t, func(c *agent.Config) {
		c.State = state
		c.Machines = newBook(t, []machine.Host{
			{
				Name:    "first",
				MACs:    []string{machineMAC},
				Profile: "p",
				Labels:  map[string]string{machine.CanaryLabel: "true"},
			},
			{Name: "second", MACs: []string{"52:54:00:12:34:02"}, Profile: "p"},
		}, machine.Profile{Name: "p", Image: "smartos", SkipMenu: true})
	})
	r.tree(smartos("20130808T195337Z")...)
	r.tree(smartos("20140101T000000Z")...)
	if got := r.straight(other); got != "smartos-20130808T195337Z" {
		t.Errorf("the second goes to %q", got)
	}
	if got := r.straight(facts); got != "smartos-20140101T000000Z" {
		t.Errorf("the canary goes to %q", got)
	}
	for _, f := range smartos("20140101T000000Z") {
		r.get(strings.TrimPrefix(f, "http"), iPXE)
	}
	file := filepath.Join(state, "canary", "smartos-20140101T000000Z.json")
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("that the canary booted was not kept")
		}
	}
	if got := r.straight(other); got != "smartos-20140101T000000Z" {
		t.Errorf("the second goes to %q", got)
	}
}
