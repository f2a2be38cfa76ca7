package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/image"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
)

// The sizes of built-in files, in bytes.
const (
	undionlySize = 93955
	ipxeEFISize  = 1035264
)

// sample is what a series must be: its name and labels as Prometheus prints them, and the bounds of its value.
type sample struct {
	series    string
	low, high float64
}

func exactly(series string, v float64) sample { return sample{series, v, v} }

// lasted is the sum of a histogram of seconds: something took time, and less than the test may.
func lasted(series string) sample { return sample{series, 1e-9, 60} }

// recently is a Unix time in seconds, of the last minute.
func recently(series string) sample {
	now := float64(time.Now().Unix())
	return sample{series, now - 60, now + 60}
}

func (s sample) name() string {
	name, _, _ := strings.Cut(s.series, "{")
	for _, part := range []string{"_count", "_sum"} {
		if base, is := strings.CutSuffix(name, part); is && strings.HasSuffix(base, "_seconds") {
			return base
		}
	}
	return name
}

// samples are all series of pxeagent's own.
func (r *running) samples() map[string]float64 {
	r.t.Helper()
	_, text := r.get("/metrics", "Prometheus")
	all := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^(pxeagent_\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			r.t.Fatal(err)
		}
		all[m[1]] = v
	}
	return all
}

// must waits until each sample is within its bounds, and says of each that never is what it is.
func (r *running) must(t *testing.T, want []sample) {
	t.Helper()
	var wrong []string
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		wrong = nil
		for now, i := r.samples(), 0; i < len(want); i++ {
			s := want[i]
			if got, is := now[s.series]; !is || got < s.low || got > s.high {
				wrong = append(wrong, fmt.Sprintf("%s: %v (there: %v), want %v to %v", s.series, got, is, s.low, s.high))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s", strings.Join(wrong, "\n"))
			return
		}
	}
}

// documented are the metrics of the table in the reference, and the labels that it gives each.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	reference, err := os.ReadFile("../deploy/guide/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	row := regexp.MustCompile("(?m)^\\| `(pxeagent_[a-z_]+)` \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(string(reference), -1) {
		all[m[1]] = regexp.MustCompile(`[a-z]+`).FindAllString(m[2], -1)
	}
	if len(all) < 30 {
		t.Fatalf("only %d metrics are documented: the table has moved", len(all))
	}
	return all
}

// TestEveryDocumentedMetric does one thing after the other with real traffic, and says which values which series must
// have then. Each metric of the reference has a row, and that row the labels that the reference says.
func TestEveryDocumentedMetric(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	)
	defer hook.Close()
	r := start(t, func(c *agent.Config) {
		c.State, c.Boots.Stall, c.Menu.Timeout = t.TempDir(), 2*time.Second, time.Second
		c.Boots.Webhook.URL = parseURL(t, hook.URL)
	})
	var slow *tftpClient
	o := newOfferer(t, "undionly.kpxe")
	watched := start(t, func(c *agent.Config) {
		o.watched(c)
		c.Watches[0].TFTPPort = c.Sockets.TFTP().Port()
		c.Watches[0].Script = c.Places[0].Base.String() + menu.BootstrapPath
	})
	other := newOfferer(t, "pxelinux.0")
	unwatched := start(t, func(c *agent.Config) {
		other.watched(c)
		c.Watches[0].Own = []netip.Addr{netip.MustParseAddr("127.0.0.77")} // whoever offers is another server
	})
	full := start(t, func(c *agent.Config) {
		// A folder that cannot be made, since a file is in its way.
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		c.State = filepath.Join(file, "state")
	})

	rows := map[string]bool{}
	labels := documented(t)
	for _, step := range []struct {
		does string
		do   func()
		at   *running
		want []sample
	}{
		{"nothing has happened", func() {}, r, append(r.disks(t, r.root, "root"),
			exactly(`pxeagent_config_reload_ok`, 1),
			recently(`pxeagent_config_reload_timestamp_seconds`),
			exactly(`pxeagent_config_changes_total`, 0),
			exactly(`pxeagent_menu_ok`, 1),
			exactly(`pxeagent_boots_stored`, 0),
			// TestObserverNeverWaits, TestRecorderGoesOnAfterAPanic and TestSlowReadersOfOneAddress make these more.
			exactly(`pxeagent_boot_events_dropped_total`, 0),
			exactly(`pxeagent_panics_total{part="http"}`, 0),
			exactly(`pxeagent_panics_total{part="tftp"}`, 0),
			exactly(`pxeagent_http_connections_refused_total`, 0),
			// TestRequestsThatWait and TestObserverHearsOfAnsweredTransfers make these more.
			exactly(`pxeagent_tftp_waiting_requests`, 0),
			exactly(`pxeagent_tftp_dropped_requests_total`, 0),
			exactly(`pxeagent_tftp_unreported_requests_total`, 0),
			exactly(`pxeagent_store_errors_total`, 0),
		)},
		{"BIOS firmware asks for its NBP by a path of its own, and is slow to answer", func() {
			slow = r.ask(`\undionly.kpxe`, "blksize", "1456")
			slow.receive()
		}, r, []sample{
			exactly(`pxeagent_requests_in_flight{protocol="tftp"}`, 1),
		}},
		{"it goes on at the second packet", func() { slow.rest(slow.receive(), 1456) }, r, []sample{
			exactly(`pxeagent_requests_in_flight{protocol="tftp"}`, 0),
			{`pxeagent_tftp_resent_packets_total`, 1, 10},
			exactly(`pxeagent_quirks_absorbed_total{kind="backslash"}`, 1),
			exactly(`pxeagent_requests_total{artifact="nbp",class="bios-rom",outcome="ok",protocol="tftp"}`, 1),
			exactly(`pxeagent_sent_bytes_total{artifact="nbp",outcome="ok",protocol="tftp"}`, undionlySize),
			exactly(`pxeagent_request_duration_seconds_count{artifact="nbp",outcome="ok",protocol="tftp"}`, 1),
			lasted(`pxeagent_request_duration_seconds_sum{artifact="nbp",outcome="ok",protocol="tftp"}`),
		}},
		{"iPXE asks for the NBP by TFTP", func() { r.asIPXE("undionly.kpxe") }, r, []sample{
			exactly(`pxeagent_loops_broken_total{protocol="tftp"}`, 1),
			exactly(`pxeagent_requests_total{artifact="script",class="ipxe",outcome="ok",protocol="tftp"}`, 1),
			exactly(`pxeagent_boots_in_progress`, 1),
		}},
		{"it asks for no more", func() {}, r, []sample{
			exactly(`pxeagent_boots_total{arch="unknown",profile="",result="stalled"}`, 1),
			exactly(`pxeagent_boots_stalled_total{stage="script"}`, 1),
			exactly(`pxeagent_boots_in_progress`, 0),
			exactly(`pxeagent_boots_stored`, 1),
			exactly(`pxeagent_webhook_deliveries_total{outcome="ok"}`, 1),
			exactly(`pxeagent_webhook_deliveries_total{outcome="failed"}`, 0),
		}},
		{"a UEFI machine boots a kernel", func() {
			r.put("vmlinuz", 3000)
			m := r.box(2)
			m.toMenu()
			m.fetch("/vmlinuz", asIPXE)
		}, r, []sample{
			exactly(`pxeagent_loops_broken_total{protocol="http"}`, 1),
			exactly(`pxeagent_requests_total{artifact="nbp",class="uefi",outcome="ok",protocol="http"}`, 1),
			exactly(`pxeagent_sent_bytes_total{artifact="nbp",outcome="ok",protocol="http"}`, ipxeEFISize),
			exactly(`pxeagent_sent_bytes_total{artifact="kernel",outcome="ok",protocol="http"}`, 3000),
			exactly(`pxeagent_boots_total{arch="x86_64",profile="",result="booted"}`, 1),
			exactly(`pxeagent_boot_duration_seconds_count{arch="x86_64"}`, 1),
			lasted(`pxeagent_boot_duration_seconds_sum{arch="x86_64"}`),
			exactly(`pxeagent_boot_stage_duration_seconds_count{stage="nbp"}`, 1),
			exactly(`pxeagent_boot_stage_duration_seconds_count{stage="script"}`, 2),
			exactly(`pxeagent_boot_stage_duration_seconds_count{stage="kernel"}`, 1),
			lasted(`pxeagent_boot_stage_duration_seconds_sum{stage="kernel"}`),
			exactly(`pxeagent_boots_stored`, 2),
		}},
		{"a machine fetches its NBP three times", func() {
			for range 3 {
				r.box(4).fetch("/undionly.kpxe", asUEFI)
			}
		}, r, []sample{
			exactly(`pxeagent_loops_seen_total`, 1),
			exactly(`pxeagent_boots_total{arch="unknown",profile="",result="looped"}`, 1),
			exactly(`pxeagent_webhook_deliveries_total{outcome="ok"}`, 3),
		}},
		{"an image is added, and the menu's default is not there", func() { r.addImageAndReconfigure(t) }, r, []sample{
			exactly(`pxeagent_image_size_bytes{image="generic-rescue"}`, 2<<20),
			exactly(`pxeagent_image_verified{image="generic-rescue"}`, 1),
			recently(`pxeagent_image_verified_timestamp_seconds{image="generic-rescue"}`),
			recently(`pxeagent_image_added_timestamp_seconds{image="generic-rescue"}`),
			exactly(`pxeagent_menu_ok`, 0),
			exactly(`pxeagent_config_changes_total`, 1),
			exactly(`pxeagent_config_reload_ok`, 1),
		}},
		{"the configuration has a mistake", func() { r.ConfigFailed(errors.New("a mistake")) }, r, []sample{
			exactly(`pxeagent_config_reload_ok`, 0),
			exactly(`pxeagent_config_changes_total`, 1),
		}},
		{"the DHCP server says what it should", func() {}, watched, []sample{
			exactly(`pxeagent_probe_offer_ok{client="bios",interface="admin"}`, 1),
			{`pxeagent_probe_offer_duration_seconds{client="bios",interface="admin"}`, 1e-9, 0.5},
			{`pxeagent_probes_total{interface="admin",result="ok"}`, 1, 60},
			recently(`pxeagent_probe_timestamp_seconds{interface="admin"}`),
			exactly(`pxeagent_dhcp_in_sync{interface="admin"}`, 1),
			exactly(`pxeagent_foreign_servers{interface="admin"}`, 0),
			exactly(`pxeagent_check_ok{interface="admin",step="offer"}`, 1),
			exactly(`pxeagent_check_ok{interface="admin",step="nbp"}`, 1),
			exactly(`pxeagent_check_ok{interface="admin",step="script"}`, 1),
			exactly(`pxeagent_check_ok{interface="admin",step="files"}`, 1),
		}},
		{"it says something else", func() { o.file <- "pxelinux.0" }, watched, []sample{
			exactly(`pxeagent_probe_offer_ok{client="bios",interface="admin"}`, 0),
			{`pxeagent_probes_total{interface="admin",result="wrong"}`, 1, 60},
			exactly(`pxeagent_dhcp_in_sync{interface="admin"}`, 0),
			exactly(`pxeagent_check_ok{interface="admin",step="offer"}`, 0),
		}},
		{"another server sends machines elsewhere", func() {}, unwatched, []sample{
			exactly(`pxeagent_foreign_servers{interface="admin"}`, 1),
		}},
		{"boots cannot be kept", func() {}, full, []sample{
			exactly(`pxeagent_store_errors_total`, 1),
		}},
	} {
		step.do()
		t.Run(step.does, func(t *testing.T) { step.at.must(t, step.want) })
		for _, s := range step.want {
			rows[s.name()] = true
			for _, label := range labels[s.name()] {
				if !strings.Contains(s.series, label+`="`) {
					t.Errorf("%s lacks the label %s of the reference", s.series, label)
				}
			}
			if n := strings.Count(s.series, `="`); n != len(labels[s.name()]) {
				t.Errorf("%s has %d labels, in the reference %d", s.series, n, len(labels[s.name()]))
			}
		}
	}
	for name := range labels {
		if !rows[name] {
			t.Errorf("%s has no row", name)
		}
	}
}

// disks are the samples of the disk that a folder is on: what is free changes while the test runs.
func (r *running) disks(t *testing.T, path, folder string) []sample {
	t.Helper()
	// df(1) says it by a way of its own, in KiB.
	out, err := exec.Command("df", "-kP", path).Output()
	if err != nil {
		t.Fatalf("df: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	kib, err := strconv.ParseFloat(strings.Fields(lines[len(lines)-1])[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	size := kib * 1024
	return []sample{
		{`pxeagent_disk_size_bytes{folder="` + folder + `"}`, size - 1024, size + 1024},
		{`pxeagent_disk_free_bytes{folder="` + folder + `"}`, 1, size},
	}
}

// addImageAndReconfigure adds an image of 2 MiB, and takes up a configuration whose menu lacks its default.
func (r *running) addImageAndReconfigure(t *testing.T) {
	t.Helper()
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
	order := image.Order{Recipe: "generic", Version: "rescue", From: []string{from}}
	if _, err := images.Add(context.Background(), order); err != nil {
		t.Fatal(err)
	}
	inventory, err := machine.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Reconfigure(agent.Changes{
		Menu:     menu.Settings{Title: "Boot", Default: "is-not-there", Timeout: time.Second},
		Machines: inventory,
	})
}
