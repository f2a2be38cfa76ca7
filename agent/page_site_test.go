package agent_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
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
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"pxeagent/agent"
	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/image"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/agent/recorder"
	"pxeagent/agent/web"
	"pxeagent/deploy/lab"
)

const pageToken = "token-of-the-test-0123456789"

// site is an agent with images, hosts and a DHCP server that it watches; it can be stopped and started at the same
// ports.
type site struct {
	*running
	config agent.Config
	end    func()
}

func newSite(t *testing.T, o *offerer) *site {
	t.Helper()
	s := &site{running: &running{t: t, root: t.TempDir()}, end: func() {}}
	for name, size := range map[string]int{
		"smartos/20260108T003134Z/platform/i86pc/kernel/amd64/unix":  3 << 20,
		"smartos/20260108T003134Z/platform/i86pc/amd64/boot_archive": 24 << 20,
		"smartos/20251211T004204Z/platform/i86pc/kernel/amd64/unix":  3 << 20,
		"smartos/20251211T004204Z/platform/i86pc/amd64/boot_archive": 22 << 20,
		"debian-12/debian-installer/amd64/linux":                     8 << 20,
		"debian-12/debian-installer/amd64/initrd.gz":                 16 << 20,
		"memtest64.bin": 150 << 10,
	} {
		path := filepath.Join(s.root, "http", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, nil, 0o644)
		if err == nil {
			err = os.Truncate(path, int64(size))
		}
		if err != nil {
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
	inventory, err := machine.New([]machine.Host{
		{
			Name:    "lab-1",
			MACs:    []string{"52:54:00:4a:10:01"},
			Profile: "compute",
		}, {Name: "lab-2", MACs: []string{"52:54:00:4a:10:02"}, Profile: "install"},
		{
			Name: "lab-3",
			MACs: []string{"52:54:00:4a:10:03"},
		}, {Name: "lab-4", MACs: []string{"52:54:00:4a:10:04"}, Profile: "compute"},
	}, []machine.Profile{{Name: "compute", Image: "smartos"}, {Name: "install"}})
	if err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	s.config = agent.Config{
		Root: s.root, Chain: ipxe.ChainAuto, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
		Build: map[string]string{"version": "1.0"}, State: t.TempDir(),
		Machines: inventory, Menu: menu.Settings{Title: "Lab", Timeout: 30 * time.Second},
		Boots: recorder.Config{Stall: 4 * time.Second},
		Page: agent.Page{Gate: web.NewGate(pageToken), Settings: []web.Setting{
			{
				Key:   "interface",
				Value: "admin",
				From:  "file:3",
			}, {Key: "chain", Value: "auto", From: "default"}, {Key: "menu.timeout", Value: "30s", From: "default"},
			{Key: "probe.interval", Value: "5m", From: "default"}}},
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
	u := menu.Telling(&url.URL{Path: menu.BootstrapPath}, m.Facts)
	if status := m.get(u.String(), 0); status != 200 {
		m.site.t.Errorf("the script: %d", status)
	}
}

const newSmartOS, debian = "/smartos/20260108T003134Z/platform/i86pc/", "/debian-12/debian-installer/amd64/"

// card is JavaScript for the element of the machine with that name.
func card(name string) string {
	return fmt.Sprintf(
		`[...document.querySelectorAll("article.machine")].find((a) => a.querySelector("h3").textContent === %q)`,
		name,
	)
}

// openPage opens the page of a site, dark, in a window for a desk. At the end nothing may have complained, but for what
// is in expected, and the page must have asked this site alone. The test runs beside others: it waits more than it
// works.
func openPage(t *testing.T, expected ...string) (*lab.Browser, *site, *offerer) {
	t.Helper()
	t.Parallel()
	b, o := lab.StartBrowser(t), newOfferer(t, "undionly.kpxe")
	s := newSite(t, o)
	b.Do("opening the page", chromedp.EmulateViewport(1280, 1000), media("dark"),
		chromedp.Navigate(s.base.String()+"/"))
	b.Until(contact("live"))
	t.Cleanup(func() {
		for _, line := range b.Complaints() {
			if !slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(line, e) }) {
				t.Errorf("the page complains: %s", line)
			}
		}
		for _, u := range b.Asked() {
			if !strings.HasPrefix(u, s.base.String()+"/") && !strings.HasPrefix(u, "data:") {
				t.Errorf("the page asked for %s", u)
			}
		}
	})
	return b, s, o
}

// contact is JavaScript: the page is in that state of contact with the daemon.
func contact(state string) string {
	return fmt.Sprintf(`document.getElementById("contact").dataset.state === %q`, state)
}

// holds is JavaScript: the element with that ID has this text.
func holds(id, text string) string {
	return fmt.Sprintf(`document.getElementById(%q).textContent.includes(%q)`, id, text)
}

func media(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	})
}

// bootAll boots five machines, one for each result but stalled: lab-1 SmartOS, lab-2 an installer, lab-3 from its own
// disk, lab-4 an image that is missing, and the fifth in a chainload loop.
func (s *site) bootAll() {
	s.t.Helper()
	one := s.machine(1, boot.Facts{Manufacturer: "Joyent", Product: "Joyent-M12G5"})
	one.rom()
	one.script()
	for _, file := range []string{"kernel/amd64/unix", "amd64/boot_archive", "amd64/boot_archive.hash"} {
		one.get(newSmartOS+file, 0)
	}
	two := s.machine(2,
		boot.Facts{Platform: "efi", Arch: "x86_64", Product: "PowerEdge R640", Manufacturer: "Dell Inc."})
	two.script()
	two.get(debian+"linux", 8<<20)
	two.get(debian+"initrd.gz", 16<<20)
	three, four, five := s.machine(3, boot.Facts{}), s.machine(4, boot.Facts{}), s.machine(5, boot.Facts{})
	three.rom()
	three.script()
	three.get(catalog.LocalPath, 0)
	four.rom()
	four.script()
	if status := four.get("/smartos/20200101T000000Z/platform/i86pc/kernel/amd64/unix", 0); status != 404 {
		s.t.Errorf("a file that is missing: %d", status)
	}
	for range 3 {
		five.rom()
	}
}
