package agent_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/image"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/web"
	"pxeagent/deploy/lab"
)

// shotsEnv names a folder that the pictures for the documentation are written to.
const shotsEnv = "PXEAGENT_PAGE_SHOTS"

const pageToken = "token-of-the-test-0123456789"

// site is an agent with images, hosts and a DHCP server that it watches; it can be stopped and started at the same ports.
type site struct {
	*running
	config agent.Config
	end    func()
}

func newSite(t *testing.T, o *offerer) *site {
	t.Helper()
	s := &site{running: &running{t: t, root: t.TempDir()}, end: func() {}}
	for name, size := range map[string]int{
		"smartos/20260108T003134Z/platform/i86pc/kernel/amd64/unix": 3 << 20, "smartos/20260108T003134Z/platform/i86pc/amd64/boot_archive": 24 << 20,
		"smartos/20251211T004204Z/platform/i86pc/kernel/amd64/unix": 3 << 20, "smartos/20251211T004204Z/platform/i86pc/amd64/boot_archive": 22 << 20,
		"debian-12/debian-installer/amd64/linux": 8 << 20, "debian-12/debian-installer/amd64/initrd.gz": 16 << 20, "memtest64.bin": 150 << 10,
	} {
		path := filepath.Join(s.root, "http", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// One image is as it should be, and one has been damaged since.
	store, err := image.NewStore(image.Config{Dir: filepath.Join(s.root, "http")})
	if err != nil {
		t.Fatal(err)
	}
	for key, size := range map[string]int{"20260108T003134Z": 24 << 20, "20251211T004204Z": 21 << 20} {
		hash := filepath.Join(s.root, "http/smartos", key, "platform/i86pc/amd64/boot_archive.hash")
		if err := os.WriteFile(hash, fmt.Appendf(nil, "%x\n", sha1.Sum(make([]byte, size))), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Verify(t.Context(), "smartos-"+key); err != nil && !errors.Is(err, image.ErrDamaged) {
			t.Fatal(err)
		}
	}
	book, err := machine.New([]machine.Host{
		{Name: "lab-1", MACs: []string{"52:54:00:4a:10:01"}, Profile: "compute"}, {Name: "lab-2", MACs: []string{"52:54:00:4a:10:02"}, Profile: "install"},
		{Name: "lab-3", MACs: []string{"52:54:00:4a:10:03"}}, {Name: "lab-4", MACs: []string{"52:54:00:4a:10:04"}, Profile: "compute"},
	}, []machine.Profile{{Name: "compute", Image: "smartos"}, {Name: "install"}})
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	s.config = agent.Config{
		Root: s.root, Chain: ipxe.ChainAuto, Grace: time.Second, Log: slog.New(slog.DiscardHandler), Build: map[string]string{"version": "1.0"}, State: t.TempDir(),
		Machines: book, Menu: ipxe.MenuConfig{Title: "Lab", Timeout: 30 * time.Second}, Boots: agent.Boots{Stall: 4 * time.Second},
		Page: agent.Page{Gate: web.NewGate(pageToken), Settings: []web.Setting{
			{Key: "interface", Value: "admin", From: "file:3"}, {Key: "chain", Value: "auto", From: "default"}, {Key: "menu.timeout", Value: "30s", From: "default"}, {Key: "probe.interval", Value: "5m", From: "default"}}},
	}
	o.watched(&s.config)
	s.config.Watches[0].Every = time.Hour // checks are asked for
	s.start(netip.AddrPortFrom(loopback, 0), netip.AddrPortFrom(loopback, 0))
	t.Cleanup(func() { s.end() })
	return s
}

func (s *site) start(tftpAt, httpAt netip.AddrPort) {
	s.t.Helper()
	sockets, err := agent.Bind(tftpAt, httpAt)
	if err != nil {
		s.t.Fatal(err)
	}
	s.tftp, s.base = sockets.TFTP(), &url.URL{Scheme: "http", Host: sockets.HTTP().String()}
	c := s.config
	c.Sockets, c.Places = sockets, []agent.Place{{NextServer: tftpAt.Addr(), Base: s.base}}
	c.Watches = slices.Clone(c.Watches)
	c.Watches[0].TFTPPort = s.tftp.Port()
	a, err := agent.New(c)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	s.end = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
		s.end = func() {}
	}
}

// pxe is a machine, at an address of its own, that asks as firmware and then as iPXE.
type pxe struct {
	site *site
	from netip.Addr
	boot.Facts
}

func (s *site) machine(n byte, f boot.Facts) *pxe {
	f.MAC = fmt.Sprintf("52:54:00:4a:10:%02x", n)
	if f.Platform == "" {
		f.Platform, f.Arch = "pcbios", "i386"
	}
	return &pxe{s, netip.AddrFrom4([4]byte{127, 0, 0, 20 + n}), f}
}

// run is the time that a machine takes for what it was given.
func (m *pxe) run() { time.Sleep(50 * time.Millisecond) }

// rom fetches the boot program by TFTP, as a BIOS ROM does.
func (m *pxe) rom() {
	m.site.t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(m.from, 0)))
	if err != nil {
		m.site.t.Fatal(err)
	}
	defer conn.Close()
	c := &tftpClient{t: m.site.t, conn: conn, peer: m.site.tftp}
	c.send([]byte("\x00\x01undionly.kpxe\x00octet\x00blksize\x001456\x00"))
	c.rest(c.receive(), 1456)
	m.run()
}

// get fetches a file as iPXE, so many bytes a second; 0: as fast as can be. It returns the status.
func (m *pxe) get(path string, pace int) int {
	m.site.t.Helper()
	u := m.site.base.String() + path
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		m.site.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "iPXE/1.21.1+")
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(m.from, 0))}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		m.site.t.Fatal(err)
	}
	defer resp.Body.Close()
	if pace > 0 {
		for err == nil {
			_, err = io.CopyN(io.Discard, resp.Body, int64(pace/20))
			time.Sleep(50 * time.Millisecond)
		}
	} else if _, err = io.Copy(io.Discard, resp.Body); err == nil {
		err = io.EOF
	}
	if err != io.EOF {
		m.site.t.Errorf("%s: %v", path, err)
	}
	m.run()
	return resp.StatusCode
}

func (m *pxe) script() {
	m.site.t.Helper()
	u := ipxe.Telling(&url.URL{Path: ipxe.BootstrapPath}, m.Facts)
	if status := m.get(u.String(), 0); status != 200 {
		m.site.t.Errorf("the script: %d", status)
	}
}

const newSmartOS, debian = "/smartos/20260108T003134Z/platform/i86pc/", "/debian-12/debian-installer/amd64/"

// card is JavaScript for the element of the machine with that name.
func card(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("article.machine")].find((a) => a.querySelector("h3").textContent === %q)`, name)
}

func TestLivePage(t *testing.T) {
	b := lab.StartBrowser(t)
	o := newOfferer(t, "undionly.kpxe")
	s := newSite(t, o)
	b.Do("opening the page", chromedp.EmulateViewport(1280, 1000), media("dark"), chromedp.Navigate(s.base.String()+"/"))
	b.Until(`document.getElementById("contact").dataset.state === "live"`)
	lab.Eval[bool](b, `window.marker = true`) // gone if the page were loaded again

	// A boot is seen as it happens.
	one := s.machine(1, boot.Facts{Manufacturer: "Joyent", Product: "Joyent-M12G5"})
	one.rom()
	b.Until(`document.querySelector("article.machine.way .stages").textContent.includes("Boot program")`)
	one.script()
	b.Until(card("lab-1") + `?.querySelector(".stages").textContent.includes("Script")`)
	b.Until(card("lab-1") + `.textContent.includes("Joyent-M12G5") && ` + card("lab-1") + `.textContent.includes("profile compute")`)
	one.get(newSmartOS+"kernel/amd64/unix", 0)
	b.Until(card("lab-1") + `.querySelector(".span.kernel")`)
	one.get(newSmartOS+"amd64/boot_archive", 0)
	one.get(newSmartOS+"amd64/boot_archive.hash", 0)
	b.Until(card("lab-1") + `.querySelector(".span.image")`)

	// Others: an installer, one for its own disk, one that wants what is not there, one that loops.
	two, three, four, five := s.machine(2, boot.Facts{Platform: "efi", Arch: "x86_64", Product: "PowerEdge R640", Manufacturer: "Dell Inc."}), s.machine(3, boot.Facts{}), s.machine(4, boot.Facts{}), s.machine(5, boot.Facts{})
	two.script()
	two.get(debian+"linux", 8<<20)
	two.get(debian+"initrd.gz", 16<<20)
	three.rom()
	three.script()
	three.get(catalog.LocalPath, 0)
	four.rom()
	four.script()
	if status := four.get("/smartos/20200101T000000Z/platform/i86pc/kernel/amd64/unix", 0); status != 404 {
		t.Errorf("a file that is not there: %d", status)
	}
	for range 3 {
		five.rom()
	}
	b.Until(card("lab-1") + `.textContent.includes("Booted") && ` + card("lab-2") + `?.textContent.includes("Booted")`)
	b.Until(card("lab-3") + `?.textContent.includes("Local disk")`)
	b.Until(`document.querySelectorAll("article.machine.bad").length >= 2`)
	b.Until(`document.getElementById("events-body").textContent.includes("lab-1 booted") && document.getElementById("events-body").textContent.includes("again and again")`)
	if !lab.Eval[bool](b, `window.marker === true`) {
		t.Error("the page was loaded again")
	}
	b.Until(`/1 of 4/.test(document.getElementById("sum").textContent) && /Failed.*changed/.test(document.getElementById("images-body").textContent)`)
	testToken(t, b, s, o)
	testKeyboard(t, b)
	testMenu(t, b)

	// A boot is shown while it fetches, and its clock runs.
	slow := s.machine(1, one.Facts)
	slow.rom()
	slow.script()
	slow.get(newSmartOS+"kernel/amd64/unix", 12<<20)
	over := make(chan struct{})
	go func() { defer close(over); slow.get(newSmartOS+"amd64/boot_archive", 4<<20) }()
	b.Until(card("lab-1") + `.textContent.includes("fetching ` + newSmartOS + `amd64/boot_archive")`)
	width := lab.Eval[float64](b, card("lab-1")+`.querySelector(".span.live").getBoundingClientRect().width`)
	b.Until(fmt.Sprintf(card("lab-1")+`.querySelector(".span.live").getBoundingClientRect().width > %f + 100`, width))
	pictures(t, b)
	<-over
	b.Until(card("lab-1") + `.querySelector(".span.image") && !` + card("lab-1") + `.querySelector(".span.live")`)

	// What turns out to be a part of another boot is no machine of its own any more.
	six := s.machine(6, boot.Facts{})
	six.script()
	six.from = six.from.Next()
	six.get(ipxe.BootstrapPath, 0)
	b.Until(card(six.from.String()))
	began := time.Now()
	six.script()
	b.Until("!" + card(six.from.String()))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it was seen after %v: the page was not told", took)
	}

	for _, said := range b.Complaints() {
		if !strings.Contains(said, "status of 401") { // the wrong token
			t.Errorf("the page complains: %s", said)
		}
	}
	for _, u := range b.Asked() {
		if !strings.HasPrefix(u, s.base.String()+"/") && !strings.HasPrefix(u, "data:") {
			t.Errorf("the page asked for %s", u)
		}
	}
	testReconnects(t, b, s)
	testMany(t, b, s)
}

// testMany has two hundred machines boot at once: the page stays small until all are asked for, and draws them fast.
func testMany(t *testing.T, b *lab.Browser, s *site) {
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(s.machine(byte(7+n), boot.Facts{Product: fmt.Sprintf("Blade %d", n)}).script)
	}
	all.Wait()
	const cards = `document.querySelectorAll("article.machine").length`
	b.Until(`/Show all 20[0-9]/.test(document.querySelector("#machines-body .rest")?.textContent)`)
	if n, nodes := lab.Eval[int](b, cards), lab.Eval[int](b, `document.querySelectorAll("*").length`); n != 40 || nodes > 4000 {
		t.Errorf("%d machines in %d elements", n, nodes)
	}
	took := lab.Eval[float64](b, `(() => { const t = performance.now(); document.querySelector("#machines-body .rest button").click(); return performance.now() - t; })()`)
	if n := lab.Eval[int](b, cards); n < 200 || took > 1000 {
		t.Errorf("%d machines were drawn in %.0f ms", n, took)
	}
	t.Logf("all drawn in %.0f ms", took)
}

func testToken(t *testing.T, b *lab.Browser, s *site, o *offerer) {
	enter := func(token string) {
		t.Helper()
		b.Until(`document.getElementById("key").open`)
		lab.Eval[bool](b, `(() => { document.getElementById("key-token").value = ""; document.getElementById("key-token").focus(); return true; })()`)
		b.Do("typing a token", chromedp.KeyEvent(token+kb.Enter))
	}
	if !lab.Eval[bool](b, `document.getElementById("check-now").hidden`) {
		t.Error("it can be acted without a token")
	}
	b.Do("unlocking", chromedp.Click("#unlock", chromedp.ByQuery))
	enter("this-is-not-the-token-0123")
	b.Until(`document.getElementById("key-error").textContent === "the token is wrong"`)
	enter(pageToken)
	b.Until(`!document.getElementById("key").open && !document.getElementById("check-now").hidden`)
	if kept := lab.Eval[string](b, `[sessionStorage.getItem("token"), localStorage.length, document.cookie].join("|")`); kept != pageToken+"|0|" {
		t.Errorf("the token is kept in %q", kept)
	}

	b.Until(`document.querySelector("#road-body time")`)
	road := `document.getElementById("road-body").textContent`
	check := func() {
		t.Helper()
		b.Until(`!document.getElementById("check-now").disabled`)
		last := lab.Eval[string](b, `document.querySelector("#road-body time").dateTime`)
		b.Do("checking", chromedp.Click("#check-now", chromedp.ByQuery))
		b.Until(fmt.Sprintf(`document.querySelector("#road-body time").dateTime !== %q && !document.getElementById("check-now").disabled`, last))
	}
	check()
	b.Until(road + `.includes("All in order")`)
	s.until(`pxeagent_check_ok\{hop="[a-z]+",interface="admin"\}`, 4)
	o.file <- "pxelinux.0"
	check()
	b.Until(road + `.includes("Something is wrong") && ` + road + `.includes("pxelinux.0")`)
	b.Until(`document.getElementById("events-body").textContent.includes("pxelinux.0")`)
	s.until(`pxeagent_check_ok\{hop="offer",interface="admin"\}`, 0)
	o.file <- "undionly.kpxe"
	check()
	b.Until(road + `.includes("All in order")`)
	if n := s.metric(`pxeagent_boots_total\{.*\}`); n > 5 {
		t.Errorf("%v boots, and there were five: a check was taken for one", n)
	}

	// Boot once, and take it back.
	b.Do("choosing", chromedp.SetValue("#as-machine", "52:54:00:4a:10:03", chromedp.ByQuery))
	lab.Eval[bool](b, `document.getElementById("as-machine").dispatchEvent(new Event("change"))`)
	b.Until(`document.querySelector("#once-item option[value=memtest64]") || document.querySelectorAll("#once-item option").length > 4`)
	item := lab.Eval[string](b, `[...document.querySelectorAll("#once-item option")].map((o) => o.value).find((v) => v.startsWith("debian"))`)
	lab.Eval[bool](b, fmt.Sprintf(`(() => { const s = document.getElementById("once-item"); s.value = %q; s.form.requestSubmit(); return true; })()`, item))
	b.Until(card("lab-3") + `.textContent.includes("next: ` + item + ` once")`)
	status, body := s.get("/api/v1/status", "test")
	var now web.Status
	if err := json.Unmarshal([]byte(body), &now); err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	if i := slices.IndexFunc(now.Machines, func(m web.Machine) bool { return m.Name == "lab-3" }); i < 0 || now.Machines[i].Once != item {
		t.Errorf("the machines are %+v", now.Machines)
	}
	b.Until(`document.querySelector('[data-key="once-no"]')`)
	b.Do("taking it back", chromedp.Click(`[data-key="once-no"]`, chromedp.ByQuery))
	b.Until(`!` + card("lab-3") + `.textContent.includes("next:")`)
}

// testKeyboard goes through the page by Tab: everything that can be used is reached, in the order in which it stands, and is seen to be.
func testKeyboard(t *testing.T, b *lab.Browser) {
	first := `document.querySelector("a, button, input, select, summary, [tabindex]")`
	lab.Eval[bool](b, `(() => { `+first+`.focus(); scrollTo(0, 0); return true; })()`)
	b.Do("to the first element that can be used, by key", chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(input.ModifierShift)))
	var at []string
	for range 80 {
		where := lab.Eval[string](b, `(() => { const e = document.activeElement; if (e === document.body) return "";
			const s = getComputedStyle(e); e.reached = true;
			return (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2 ? "UNSEEN " : "") + (e.textContent || e.id).trim().slice(0, 24); })()`)
		if where == "" {
			break
		}
		at = append(at, where)
		if strings.HasPrefix(where, "UNSEEN") {
			t.Errorf("where the focus is is not seen: %s", where)
		}
		b.Do("Tab", chromedp.KeyEvent(kb.Tab))
	}
	if len(at) < 10 || at[0] != "To the machines" {
		t.Errorf("Tab leads to %q", at)
	}
	if missed := lab.Eval[[]string](b, `[...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
		.filter((e) => e.checkVisibility() && !e.disabled && !e.closest("dialog") && !e.reached).map((e) => e.outerHTML.slice(0, 80))`); len(missed) > 0 {
		t.Errorf("Tab does not lead to %q", missed)
	}
	if lab.Eval[bool](b, `[...document.querySelectorAll("[tabindex]")].some((e) => e.tabIndex > 0)`) {
		t.Error("an element goes before others")
	}
}

func testMenu(t *testing.T, b *lab.Browser) {
	choose := func(who string) {
		t.Helper()
		lab.Eval[bool](b, fmt.Sprintf(`(() => { const s = document.getElementById("as-machine"); s.value = %q; s.dispatchEvent(new Event("change")); return true; })()`, who))
	}
	choose("bios")
	b.Until(`document.querySelector(".screen").textContent.includes("SmartOS 20260108T003134Z") && document.querySelector(".screen li.chosen").textContent.includes("local disk")`)
	choose("efi")
	b.Until(`!document.querySelector(".screen").textContent.includes("SmartOS 2026")`)
	choose("52:54:00:4a:10:01")
	b.Until(`document.querySelector(".screen li.chosen").textContent.includes("SmartOS 20260108T003134Z") && document.getElementById("menu-body").textContent.includes("host lab-1")`)
}

func testReconnects(t *testing.T, b *lab.Browser, s *site) {
	tftpAt, httpAt := s.tftp, netip.MustParseAddrPort(s.base.Host)
	s.end()
	b.Until(`document.getElementById("contact").dataset.state === "lost" && /^No contact since \d\d:\d\d:\d\d/.test(document.getElementById("contact").textContent)`)
	s.start(tftpAt, httpAt)
	b.Until(`document.getElementById("contact").dataset.state === "live" && document.getElementById("contact").textContent === "Live"`)
	b.Until(card("lab-2") + `?.textContent.includes("Booted")`) // it was kept
	m := s.machine(6, boot.Facts{Product: "after the restart"})
	m.script()
	b.Until(`[...document.querySelectorAll("article.machine")].some((a) => a.textContent.includes("after the restart"))`)
	if !lab.Eval[bool](b, `window.marker === true`) {
		t.Error("the page was loaded again")
	}
}

func media(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}})
}

// pictures looks at the page dark, light and on a phone, where nothing may be wider than the window, and writes what it sees to a folder if there is one.
func pictures(t *testing.T, b *lab.Browser) {
	lab.Eval[bool](b, `(() => { document.activeElement.blur(); for (const d of document.querySelectorAll("details")) d.open = false; scrollTo(0, 0); return true; })()`)
	for _, p := range []struct {
		name, scheme  string
		width, height int64
	}{{"page-dark", "dark", 1280, 940}, {"page-light", "light", 1280, 940}, {"page-phone", "dark", 360, 780}} {
		b.Do("changing the window", chromedp.EmulateViewport(p.width, p.height), media(p.scheme))
		if wide := lab.Eval[int64](b, `document.documentElement.scrollWidth`); wide > p.width {
			t.Errorf("%s: the page is %d wide", p.name, wide)
		}
		var shot []byte
		b.Do("taking a picture", chromedp.CaptureScreenshot(&shot))
		if dir := os.Getenv(shotsEnv); dir != "" {
			keep(t, filepath.Join(dir, p.name+".png"), shot)
		}
	}
	b.Do("changing the window", chromedp.EmulateViewport(1280, 1000), media("dark"))
}

// keep writes a picture, packed as well as can be.
func keep(t *testing.T, path string, shot []byte) {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, picture); err != nil {
		t.Fatal(err)
	}
	if small.Len() > len(shot) {
		small = *bytes.NewBuffer(shot)
	}
	if err := os.WriteFile(path, small.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes", path, small.Len())
}
