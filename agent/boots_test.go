package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/agent/recorder"
	"pxeagent/agent/store"
)

const (
	asUEFI = "UefiHttpBoot/1.0"
	asIPXE = "iPXE/1.21.1"
	theMAC = "52:54:00:12:34:56"
)

// box is a machine on loopback, with an address of its own.
type box struct {
	r    *running
	addr netip.Addr
}

func (r *running) box(last byte) box { return box{r, netip.AddrFrom4([4]byte{127, 0, 0, last})} }

// fetch asks by HTTP, and returns the status.
func (m box) fetch(path, userAgent string) int {
	m.r.t.Helper()
	status, _ := m.read(path, userAgent)
	return status
}

// read is fetch, and the text as well.
func (m box) read(path, userAgent string) (int, string) {
	m.r.t.Helper()
	tr := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{LocalAddr: &net.TCPAddr{IP: m.addr.AsSlice()}}).DialContext,
	}
	req, err := http.NewRequest(http.MethodGet, m.r.base.String()+path, nil)
	if err != nil {
		m.r.t.Fatal(err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		m.r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		m.r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// toMenu is what a machine fetches before it chooses.
func (m box) toMenu() {
	m.r.t.Helper()
	m.fetch("/ipxe.efi", asUEFI)
	m.fetch("/ipxe.efi", asIPXE)
	m.fetch(menu.BootstrapPath+"?mac="+theMAC+"&platform=efi&buildarch=x86_64&serial=%1b%5b31m", asIPXE)
}

// boots are what the API lists.
func (r *running) boots() []boot.Boot {
	r.t.Helper()
	status, text := r.get("/api/v1/boots", "Mozilla/5.0")
	var answer struct{ Boots []boot.Boot }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		r.t.Fatalf("%d, %v: %s", status, err, text)
	}
	return answer.Boots
}

// awaits waits until the newest boot is as it should be.
func (r *running) awaits(what string, is func(boot.Boot) bool) boot.Boot {
	r.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all := r.boots()
		if len(all) > 0 && is(all[0]) {
			return all[0]
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("no boot is %s: %+v", what, all)
		}
	}
}

func at(s boot.Stage) func(boot.Boot) bool { return func(b boot.Boot) bool { return b.At == s } }

func is(result boot.Result) func(boot.Boot) bool {
	return func(b boot.Boot) bool { return b.Result == result }
}

// put has a file of so many bytes served by HTTP.
func (r *running) put(name string, size int) {
	r.t.Helper()
	path := filepath.Join(r.root, "http", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// A machine boots: its requests are one boot, which the API, the metrics, the log and the disk have.
func TestBoot(t *testing.T) {
	t.Parallel()
	var log logged
	state := t.TempDir()
	r := start(t, func(c *agent.Config) {
		log.to(c)
		inventory, err := machine.New([]machine.Host{{Name: "rack-1", MACs: []string{theMAC}, Profile: "lab"}},
			[]machine.Profile{{Name: "lab"}})
		if err != nil {
			t.Fatal(err)
		}
		c.State, c.Boots.Stall, c.Machines = state, time.Second, inventory
	})
	r.put("os/vmlinuz", 3000)
	r.put("os/initrd.img", 5000)
	m := r.box(2)
	m.toMenu()
	if b := r.awaits("at the menu",
		func(b boot.Boot) bool { return b.MAC != "" && len(b.Files) == 3 }); b.MAC != theMAC ||
		b.Facts.Serial != "" ||
		b.Firmware != boot.FirmwareUEFIHTTP {
		t.Errorf("%+v", b)
	}
	r.until("pxeagent_boots_in_progress", 1)
	m.fetch("/os/vmlinuz", asIPXE)
	m.fetch("/os/initrd.img", asIPXE)
	r.get("/os/vmlinuz", "curl/8")
	b := r.awaits("booted", is(boot.Booted))
	if b.Host != "rack-1" || b.Profile != "lab" || b.Arch != "x86_64" || len(b.Stages) != 4 || len(b.Files) != 5 ||
		b.Stages[2].Bytes != 3000 {
		t.Errorf("%+v", b)
	}
	r.until(`pxeagent_boots_total\{arch="x86_64",profile="lab",result="booted"\}`, 1)
	r.until(`pxeagent_boot_duration_seconds_count\{arch="x86_64"\}`, 1)
	for _, s := range boot.Stages() {
		r.until(fmt.Sprintf(`pxeagent_boot_stage_duration_seconds_count\{stage="%s"\}`, s), 1)
	}
	r.until("pxeagent_boots_in_progress", 0)
	r.until("pxeagent_boots_stored", 1)
	line := log.wait(t, `msg="boot ended"`)
	for _, want := range []string{"level=INFO", "result=booted", "id=" + b.ID, "mac=" + theMAC, "host=rack-1",
		"profile=lab", "kernel_took=", "files=5"} {
		if !strings.Contains(line, want) {
			t.Errorf("the line lacks %q: %s", want, line)
		}
	}
	// Who asks for OpenMetrics is told which boot it was.
	req, _ := http.NewRequest("GET", r.base.String()+"/metrics", nil)
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); !strings.Contains(string(text), `# {boot_id="`+b.ID+`"}`) {
		t.Error("no exemplar names the boot")
	}
	r.stop()
	again := start(t, func(c *agent.Config) { c.State = state })
	if all := again.boots(); len(all) != 1 || all[0].ID != b.ID || !all[0].Ended.Equal(b.Ended) {
		t.Errorf("after a restart: %+v", all)
	}
}

// A boot that was under way when the agent was stopped goes on.
func TestBootGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	keep := func(c *agent.Config) { c.State, c.Boots.Stall = state, 2*time.Second }
	r := start(t, keep)
	r.box(2).toMenu()
	first := r.awaits("at the menu", at(boot.StageScript))
	r.stop()
	r = start(t, keep)
	r.put("vmlinuz", 10)
	r.until("pxeagent_boots_in_progress", 1)
	r.box(2).fetch("/vmlinuz", asIPXE)
	if b := r.awaits("booted", is(boot.Booted)); b.ID != first.ID || len(b.Files) != 4 {
		t.Errorf("%+v", b)
	}
}

func TestBootsThatEndOtherwise(t *testing.T) {
	t.Parallel()
	var log logged
	r := start(t, func(c *agent.Config) { log.to(c); c.Boots.Stall = time.Second; c.Menu.Timeout = time.Second })
	r.box(3).toMenu()
	r.awaits("stalled", is(boot.Stalled))
	r.until(`pxeagent_boots_stalled_total\{stage="script"\}`, 1)
	line := log.wait(t, `result=stalled`)
	if !strings.Contains(line, "level=WARN") || !strings.Contains(line, "at=script") {
		t.Error(line)
	}
	m := r.box(4)
	m.fetch("/ipxe.efi", asUEFI)
	m.fetch("/ipxe/bootstrap.ipxe", asIPXE)
	m.fetch("/os/missing", asIPXE)
	if b := r.awaits("failed", is(boot.Broken)); b.File != "/os/missing" || b.Note == "" {
		t.Errorf("%+v", b)
	}
	m = r.box(5)
	m.fetch("/ipxe.efi", asUEFI)
	m.fetch("/ipxe/bootstrap.ipxe", asIPXE)
	m.fetch(catalog.LocalPath, asIPXE)
	r.awaits("on its own disk", is(boot.LocalDisk))
	for range 3 {
		r.box(6).fetch("/undionly.kpxe", asUEFI)
	}
	if b := r.awaits("looping", is(boot.Looped)); b.File != "/undionly.kpxe" ||
		!strings.Contains(b.Note, "look at its screen") {
		t.Errorf("%+v", b)
	}
	for _, result := range []boot.Result{boot.Stalled, boot.Broken, boot.LocalDisk, boot.Looped} {
		r.until(fmt.Sprintf(`pxeagent_boots_total\{arch="[a-z0-9_]+",profile="",result="%s"\}`, result), 1)
	}
}

// Ten thousand names, MACs and addresses add no series, and no more boots than are kept.
func TestStrangersAddNoSeries(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *agent.Config) { c.Boots.Keep = 50; c.Boots.Stall = time.Hour })
	warm := func(i int) {
		m := box{r, netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})}
		ua := asIPXE
		switch i % 4 {
		case 0:
			m.fetch(fmt.Sprintf("/missing-%d", i), ua)
		case 1:
			m.fetch(
				fmt.Sprintf("%s?mac=52:54:01:%02x:%02x:%02x&buildarch=arch-%d&platform=p%d&serial=%d",
					menu.BootstrapPath, i>>16&255, i>>8&255, i&255, i, i, i),
				ua,
			)
		case 2:
			m.fetch(fmt.Sprintf("/%d/ipxe.efi", i), asUEFI)
		case 3:
			m.tftp(fmt.Sprintf("no-such-%d.0", i))
		}
	}
	for i := range 16 {
		warm(i)
	}
	r.get("/metrics", "Prometheus")
	series := func() int {
		_, text := r.get("/metrics", "Prometheus")
		return strings.Count(text, "\npxeagent_")
	}
	r.until(`pxeagent_requests_total\{artifact="none",class="bios-rom",outcome="not_found",protocol="tftp"\}`, 4)
	before := series()
	strangers := 10000
	if testing.Short() {
		strangers = 1000
	}
	for i := range strangers {
		warm(16 + i)
	}
	r.until(`pxeagent_requests_in_flight\{protocol="tftp"\}`, 0)
	if after := series(); after != before {
		t.Errorf("%d series, before %d", after, before)
	}
	if n := len(r.boots()); n > 50 {
		t.Errorf("%d boots are listed of 50 that are kept", n)
	}
}

// tftp asks for a name as a PXE ROM does, and takes one packet.
func (m box) tftp(name string) {
	m.r.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: m.addr.AsSlice()})
	if err != nil {
		m.r.t.Fatal(err)
	}
	defer conn.Close()
	c := &tftpClient{t: m.r.t, conn: conn, peer: m.r.tftp}
	c.send([]byte("\x00\x01" + name + "\x00octet\x00blksize\x001456\x00"))
	c.receive()
}

// Commands of this machine ask over a socket that nobody else may open. What an agent that was killed left there is
// replaced.
func TestControlSocket(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	path := filepath.Join(state, recorder.ControlFile)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	r := start(t, func(c *agent.Config) { c.State = state })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	client := &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}},
	}
	resp, err := client.Get("http://x/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.box(2).toMenu()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "event: boot\n" {
			break
		}
	}
	// A second one in the same folder says so; this one goes on.
	sockets, err := agent.Bind(netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	_, err = agent.New(
		agent.Config{Sockets: sockets, Root: r.root, Places: r.Places, Chain: ipxe.ChainAuto, State: state, Log: r.Log},
	)
	if err == nil || !strings.Contains(err.Error(), "state_dir: ") ||
		!strings.Contains(err.Error(), store.ErrLocked.Error()) {
		t.Errorf("a second agent: %v", err)
	}
	if resp, err := client.Get("http://x/api/v1/boots"); err != nil || resp.StatusCode != 200 {
		t.Errorf("after the second: %v", err)
	}
	r.stop()
	if _, err := client.Get("http://x/api/v1/boots"); err == nil {
		t.Error("answered after the end")
	}
}

// Where nothing can be kept, machines boot all the same.
func TestStateThatCannotBeWritten(t *testing.T) {
	var log logged
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *agent.Config) { log.to(c); c.State = filepath.Join(file, "state") })
	r.box(2).toMenu()
	r.awaits("at the menu", at(boot.StageScript))
	log.wait(t, "kept in memory only")
	log.wait(t, fmt.Sprintf("user %d has to be able to write state_dir, %s", os.Getuid(), filepath.Join(file, "state")))
	r.until("pxeagent_store_errors_total", 1)
}

func TestNativeHistograms(t *testing.T) {
	r := start(t, func(c *agent.Config) { c.Native = true })
	r.get("/vmlinuz", asIPXE)
	r.until(`pxeagent_request_duration_seconds_count\{artifact="none",outcome="not_found",protocol="http"\}`, 1)
	if n := r.metric(
		`pxeagent_request_duration_seconds_bucket\{artifact="none",outcome="not_found",protocol="http",le="1"\}`); n != -1 {
		t.Errorf("there are classic buckets: %v", n)
	}
	req, _ := http.NewRequest("GET", r.base.String()+"/metrics", nil)
	req.Header.Set("Accept",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); !strings.Contains(got, "protobuf") {
		t.Errorf("answered in %s, which has no native histograms", got)
	}
}

func parseURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
