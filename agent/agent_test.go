package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"pxeagent/agent"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/probe"
	"pxeagent/agent/watch"
	"pxeagent/deploy/lab"
)

// running is an agent on loopback.
type running struct {
	t    testing.TB
	tftp netip.AddrPort
	base *url.URL
	root string
	stop func() // ends it, and waits until it has
	*agent.Agent
}

func start(t testing.TB, change func(*agent.Config)) *running {
	t.Helper()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	sockets, err := agent.Bind(loopback, loopback)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{
		t:    t,
		tftp: sockets.TFTP(),
		root: t.TempDir(),
		base: &url.URL{Scheme: "http", Host: sockets.HTTP().String()},
	}
	for _, tree := range []string{"tftp", "http"} {
		if err := os.Mkdir(filepath.Join(r.root, tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := agent.Config{
		Sockets: sockets, Root: r.root, Places: []agent.Place{{NextServer: loopback.Addr(), Base: r.base}},
		Chain: ipxe.ChainAuto, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
		Build: map[string]string{"version": "test"},
	}
	if change != nil {
		change(&c)
	}
	a, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r.Agent, r.stop = a, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) get(path, agent string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodGet, r.base.String()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric adds up the samples whose name and labels match the pattern; -1 where there are none.
func (r *running) metric(pattern string) float64 {
	r.t.Helper()
	_, text := r.get("/metrics", "Prometheus")
	sum, found := 0.0, false
	for _, m := range regexp.MustCompile(`(?m)^`+pattern+` (\S+)$`).FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[len(m)-1], 64)
		if err != nil {
			r.t.Fatal(err)
		}
		sum, found = sum+v, true
	}
	if !found {
		return -1
	}
	return sum
}

// until waits until a metric is what it should be: it changes after the answer that the client has seen.
func (r *running) until(pattern string, want float64) {
	r.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for got := r.metric(pattern); got != want; got = r.metric(pattern) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s is %v, want %v", pattern, got, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tftpClient is a machine's side of a transfer, packet by packet.
type tftpClient struct {
	t    testing.TB
	conn *net.UDPConn
	peer netip.AddrPort
}

func (r *running) ask(name string, options ...string) *tftpClient {
	r.t.Helper()
	return r.askFrom(net.IPv4(127, 0, 0, 1), name, options...)
}

func (r *running) askFrom(addr net.IP, name string, options ...string) *tftpClient {
	r.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: addr})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	c := &tftpClient{t: r.t, conn: conn, peer: r.tftp}
	c.send([]byte("\x00\x01" + name + "\x00octet\x00" + strings.Join(append(options, ""), "\x00")))
	return c
}

func (c *tftpClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort(b, c.peer); err != nil {
		c.t.Fatal(err)
	}
}

func (c *tftpClient) receive() []byte {
	c.t.Helper()
	b := make([]byte, 2048)
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		c.t.Fatal(err)
	}
	c.peer = from
	return b[:n]
}

// rest acknowledges until the end.
func (c *tftpClient) rest(first []byte, blksize int) {
	c.t.Helper()
	for b := first; ; b = c.receive() {
		if b[1] == 6 {
			c.send([]byte{0, 4, 0, 0})
			continue
		}
		if b[1] != 3 {
			c.t.Fatalf("got %q", b)
		}
		c.send([]byte{0, 4, b[2], b[3]})
		if len(b) < 4+blksize {
			return
		}
	}
}

func TestEveryRequestIsCounted(t *testing.T) {
	r := start(t, nil)
	if err := os.WriteFile(filepath.Join(r.root, "http", "vmlinuz"), make([]byte, 3000), 0o644); err != nil {
		t.Fatal(err)
	}

	// A firmware that takes its NBP, with a backslash before the name.
	c := r.ask(`\undionly.kpxe`, "blksize", "1456")
	c.receive()
	r.until(`pxeagent_requests_in_flight\{protocol="tftp"\}`, 1)
	// It does not answer at once: the OACK comes again.
	again := c.receive()
	c.rest(again, 1456)
	r.until(`pxeagent_requests_in_flight\{protocol="tftp"\}`, 0)
	r.until(`pxeagent_requests_total\{artifact="nbp",class="[a-z-]+",outcome="ok",protocol="tftp"\}`, 1)
	r.until(`pxeagent_sent_bytes_total\{artifact="nbp",outcome="ok",protocol="tftp"\}`, 93955)
	r.until(`pxeagent_request_duration_seconds_count\{artifact="nbp",outcome="ok",protocol="tftp"\}`, 1)
	r.until(`pxeagent_quirks_absorbed_total\{kind="backslash"\}`, 1)
	if n := r.metric(`pxeagent_tftp_resent_packets_total`); n < 1 {
		t.Errorf("%v packets sent again, and the OACK was", n)
	}

	// iPXE, told the NBP's name once more.
	c = r.askFrom(net.IPv4(127, 0, 0, 9), "undionly.kpxe", "blksize", "1432", "tsize", "0")
	c.rest(c.receive(), 1432)
	r.until(`pxeagent_loops_broken_total\{protocol="tftp"\}`, 1)
	r.get("/ipxe.efi", "iPXE/1.21.1")
	r.until(`pxeagent_loops_broken_total\{protocol="http"\}`, 1)
	r.until(`pxeagent_requests_total\{artifact="script",class="ipxe",outcome="ok",protocol="http"\}`, 1)

	// A size probe, a file that is not there, a kernel.
	c = r.ask("ipxe.efi", "tsize", "0", "blksize", "1468", "windowsize", "4")
	c.receive()
	c.send([]byte("\x00\x05\x00\x08User aborted the transfer\x00"))
	r.until(`pxeagent_requests_total\{artifact="nbp",class="uefi",outcome="size_probe",protocol="tftp"\}`, 1)
	if status, _ := r.get("/nothing", "iPXE/1.21.1"); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	r.until(`pxeagent_requests_total\{artifact="none",class="ipxe",outcome="not_found",protocol="http"\}`, 1)
	r.get("/vmlinuz", "iPXE/1.21.1")
	r.until(`pxeagent_sent_bytes_total\{artifact="kernel",outcome="ok",protocol="http"\}`, 3000)
	if v := r.metric(`pxeagent_build_info\{version="test"\}`); v != 1 {
		t.Errorf("build info is %v", v)
	}
}

func TestNamesAddNoSeries(t *testing.T) {
	r := start(t, nil)
	r.get("/first-missing", "x")
	r.until(`pxeagent_requests_total\{artifact="none",class="[a-z]+",outcome="not_found",protocol="http"\}`, 1)
	series := func() int {
		_, text := r.get("/metrics", "Prometheus")
		return strings.Count(text, "\npxeagent_")
	}
	r.get("/metrics", "Prometheus")
	before := series()
	for i := range 300 {
		r.get(fmt.Sprintf("/missing-%d/%x", i, i*i), fmt.Sprintf("tool-%d", i))
	}
	r.until(`pxeagent_requests_total\{artifact="none",class="[a-z]+",outcome="not_found",protocol="http"\}`, 301)
	if after := series(); after != before {
		t.Errorf("%d series, before %d", after, before)
	}
}

func TestPromtoolAgrees(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		lab.Missing(t, "promtool")
	}
	server := newOfferer(t, "undionly.kpxe")
	r := start(t, server.watched)
	r.until(`pxeagent_dhcp_in_sync\{interface="admin"\}`, 1)
	r.get("/vmlinuz", "iPXE/1.21.1")
	_, text := r.get("/metrics", "Prometheus")
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// offerer is a DHCP server that offers everybody one file, and answers the port it was asked from.
type offerer struct {
	conn *net.UDPConn
	file chan string // the next files to offer; the last one stays
}

func newOfferer(t *testing.T, file string) *offerer {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	o := &offerer{conn, make(chan string, 1)}
	done := make(chan struct{})
	go func() { defer close(done); o.serve(file) }()
	t.Cleanup(func() { conn.Close(); <-done })
	return o
}

func (o *offerer) serve(file string) {
	buf := make([]byte, 1500)
	for {
		n, from, err := o.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		select {
		case file = <-o.file:
		default:
		}
		ask, err := dhcpv4.FromBytes(buf[:n])
		if err != nil || file == "" {
			continue
		}
		offer, err := dhcpv4.NewReplyFromRequest(ask, dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer),
			dhcpv4.WithServerIP(net.IPv4(127, 0, 0, 1)), dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 9)),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1))))
		if err != nil {
			continue
		}
		offer.BootFileName = file
		o.conn.WriteToUDPAddrPort(offer.ToBytes(), from)
	}
}

// watched makes an agent ask o as a relay would, every second.
func (o *offerer) watched(c *agent.Config) {
	want := dhcp.Boot{NextServer: netip.MustParseAddr("127.0.0.1")}
	want.NBP[firmware.BIOS] = "undionly.kpxe"
	c.Watches = []watch.Network{{
		Interface: "admin", Want: want, Every: time.Second,
		Probe: probe.Config{
			Server: o.conn.LocalAddr().(*net.UDPAddr).AddrPort(), Relay: want.NextServer, RelayPort: probe.AnyPort,
			Quiet: 50 * time.Millisecond, Limit: 500 * time.Millisecond,
		},
	}}
}

func TestDHCPIsWatched(t *testing.T) {
	t.Parallel()
	o := newOfferer(t, "undionly.kpxe")
	r := start(t, func(c *agent.Config) {
		o.watched(c)
		c.Watches[0].TFTPPort = c.Sockets.TFTP().Port()
	})
	const network = `\{interface="admin"\}`
	r.until(`pxeagent_dhcp_in_sync`+network, 1)
	r.until(`pxeagent_probe_offer_ok\{client="bios",interface="admin"\}`, 1)
	if took := r.metric(`pxeagent_probe_offer_duration_seconds\{client="bios",interface="admin"\}`); took <= 0 {
		t.Errorf("the offer took %v", took)
	}
	if at := r.metric(`pxeagent_probe_timestamp_seconds` + network); time.Since(time.Unix(int64(at), 0)).
		Abs() >
		time.Minute {
		t.Errorf("the probe was at %v", at)
	}
	if n := r.metric(`pxeagent_probes_total\{interface="admin",result="ok"\}`); n < 1 {
		t.Errorf("%v probes went well", n)
	}
	o.file <- "pxelinux.0"
	r.until(`pxeagent_dhcp_in_sync`+network, 0)
	r.until(`pxeagent_probe_offer_ok\{client="bios",interface="admin"\}`, 0)
	o.file <- ""
	// Silence: the client's duration is gone, and the result has a name of its own.
	r.until(`pxeagent_probe_offer_duration_seconds\{client="bios",interface="admin"\}`, -1)
	if n := r.metric(`pxeagent_probes_total\{interface="admin",result="no_offer"\}`); n < 1 {
		t.Errorf("%v probes found no offer", n)
	}
	o.file <- "undionly.kpxe"
	r.until(`pxeagent_dhcp_in_sync`+network, 1)
}

func TestForeignServersAreCounted(t *testing.T) {
	o := newOfferer(t, "pxelinux.0")
	r := start(t, func(c *agent.Config) {
		o.watched(c)
		c.Watches[0].Own = []netip.Addr{netip.MustParseAddr("127.0.0.77")}
	})
	r.until(`pxeagent_foreign_servers\{interface="admin"\}`, 1)
}

func TestStopLetsATransferEnd(t *testing.T) {
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	sockets, err := agent.Bind(loopback, loopback)
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: sockets.HTTP().String()}
	a, err := agent.New(agent.Config{
		Sockets: sockets, Root: t.TempDir(), Places: []agent.Place{{NextServer: loopback.Addr(), Base: base}},
		Chain: ipxe.ChainAuto, Grace: 20 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	r := &running{t: t, tftp: sockets.TFTP(), base: base}
	c := r.ask("undionly.kpxe", "blksize", "1456")
	first := c.receive()
	cancel()
	c.rest(first, 1456)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(15 * time.Second):
		t.Error("Run did not end with its last transfer")
	}
}

func TestPortTakenFailsBeforeAnythingAnswers(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = agent.Bind(taken.LocalAddr().(*net.UDPAddr).AddrPort(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err == nil {
		t.Fatal("bound to a port that is taken")
	}
	web, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	free, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := free.LocalAddr().(*net.UDPAddr).AddrPort()
	free.Close()
	if _, err := agent.Bind(at, web.Addr().(*net.TCPAddr).AddrPort()); err == nil {
		t.Fatal("bound to a port that is taken")
	}
	again, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatalf("TFTP's port was kept: %v", err)
	}
	again.Close()
}
