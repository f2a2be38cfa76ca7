package agent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/image"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
)

// families are the samples of each metric, as text.
func (r *running) families() map[string]string {
	r.t.Helper()
	_, text := r.get("/metrics", "Prometheus")
	all := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if n, is := strings.CutPrefix(line, "# TYPE "); is {
			name, _, _ = strings.Cut(n, " ")
		} else if !strings.HasPrefix(line, "#") {
			all[name] += line
		}
	}
	return all
}

// documented are the metrics of the table in the reference.
func documented(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile("../deploy/guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(pxeagent_[a-z_]+)` \\|").FindAllStringSubmatch(string(readme), -1) {
		names = append(names, m[1])
	}
	if len(names) < 30 {
		t.Fatalf("only %d metrics are documented: the table has moved", len(names))
	}
	return names
}

// Real traffic changes every metric that the reference lists.
func TestEveryDocumentedMetricChanges(t *testing.T) {
	constant := map[string]string{
		"pxeagent_disk_size_bytes":                "a disk's size stays as it is",
		"pxeagent_boot_events_dropped_total":      "TestObserverNeverWaits fills the queue",
		"pxeagent_panics_total":                   "TestRecorderGoesOnAfterAPanic panics",
		"pxeagent_http_connections_refused_total": "TestSlowReadersOfOneAddress has too many",
	}
	hook := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	)
	defer hook.Close()
	o := newOfferer(t, "undionly.kpxe")
	r := start(t, func(c *agent.Config) {
		o.watched(c)
		c.Watches[0].Own = []netip.Addr{netip.MustParseAddr("127.0.0.77")} // whoever offers is a foreign server
		c.State, c.Boots.Stall, c.Menu.Timeout = t.TempDir(), time.Second, time.Second
		c.Boots.Webhook.URL = parseURL(t, hook.URL)
	})
	before := r.families()
	changed := map[string]bool{}
	look := func() {
		t.Helper()
		for name, now := range r.families() {
			changed[name] = changed[name] || now != before[name]
		}
	}

	atLeast := func(pattern string, n float64) {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); r.metric(pattern) < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is %v, want %v or more", pattern, r.metric(pattern), n)
			}
		}
	}
	// Firmware that is slow to answer, whose boot program is asked for by a path of its own.
	c := r.ask(`\undionly.kpxe`, "blksize", "1456")
	c.receive()
	r.until(`pxeagent_requests_in_flight\{protocol="tftp"\}`, 1)
	look()
	c.rest(c.receive(), 1456)
	r.asIPXE("undionly.kpxe")
	// One machine boots, one stays at the menu, one begins again and again.
	r.put("vmlinuz", 3000)
	m := r.box(2)
	m.toMenu()
	atLeast("pxeagent_boots_in_progress", 1)
	look()
	m.fetch("/vmlinuz", asIPXE)
	r.box(3).fetch(menu.BootstrapPath, asIPXE)
	for range 3 {
		r.box(4).fetch("/undionly.kpxe", asUEFI)
	}
	for _, result := range []boot.Result{boot.Booted, boot.Stalled, boot.Looped} {
		atLeast(`pxeagent_boots_total\{arch="[a-z0-9_]+",profile="",result="`+string(result)+`"\}`, 1)
	}
	atLeast(`pxeagent_webhook_deliveries_total\{outcome="ok"\}`, 3)
	atLeast("pxeagent_boots_stored", 3)
	look()
	o.file <- "pxelinux.0"
	r.until(`pxeagent_foreign_servers\{interface="admin"\}`, 1)
	look()

	// An image is added; the configuration is changed, to one whose menu lacks its default, and then broken.
	from := t.TempDir()
	for _, name := range []string{"vmlinuz", "initrd.img"} {
		if err := os.WriteFile(filepath.Join(from, name), make([]byte, 1<<20), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	images, err := image.NewStore(image.Config{Dir: filepath.Join(r.root, "http")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := images.Add(context.Background(), image.Order{Recipe: "generic", Version: "rescue",
		From: []string{from}}); err != nil {
		t.Fatal(err)
	}
	book, err := machine.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Reconfigure(
		agent.Changes{
			Menu:     menu.Settings{Title: "Boot", Default: "is-not-there", Timeout: time.Second},
			Machines: book,
		},
	)
	look()
	r.ConfigFailed(errors.New("a mistake"))
	look()

	other := start(t, func(c *agent.Config) { c.State = filepath.Join(r.root, "http", "vmlinuz", "state") })
	changed["pxeagent_store_errors_total"] = other.metric("pxeagent_store_errors_total") == 1

	for _, name := range documented(t) {
		why, is := constant[name]
		switch {
		case is && !strings.Contains(before[name], name):
			t.Errorf("%s is not there (%s)", name, why)
		case !is && !changed[name]:
			t.Errorf("%s did not change:\n%s", name, before[name])
		}
	}
}
