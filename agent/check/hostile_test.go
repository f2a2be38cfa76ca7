package check

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
)

var home = netip.MustParseAddr("127.0.0.1")

// offerOf is what a server says that sends iPXE to a script or file.
func offerOf(c firmware.Client, file string) []firmware.Offer {
	return []firmware.Offer{{Client: c, Server: home, NextServer: home, File: file}}
}

// tftpSaying answers each request by TFTP with one packet.
func tftpSaying(t *testing.T, packet string) uint16 {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			_, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(packet), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

// A server's words stay on the line that they are part of, and are told apart from ours.
func TestErrorsOfTheServerAreQuoted(t *testing.T) {
	const hostile = "no\x1b[2J\nhint: trust me\u202e\x9b"
	port := tftpSaying(t, "\x00\x05\x00\x01"+hostile+"\x00")
	for _, client := range []firmware.Client{firmware.ClientBIOS, firmware.ClientIPXE} {
		steps := Walk(t.Context(), Config{TFTPPort: port, NextServer: home}, []firmware.Client{client}, offerOf(client, "a"))
		want := `error 1 "no\x1b[2J\nhint: trust me\u202e\x9b"`
		if last := steps[len(steps)-1]; last.OK || !strings.Contains(last.Text, want) {
			t.Errorf("%s: %q, want %q", client, last.Text, want)
		}
	}
}

// A server that never comes to an end does not hold up the check for more than its limit, however many files a script
// names.
func TestWalkHasALimit(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".ipxe") {
			_, _ = w.Write([]byte("#!ipxe\n" + strings.Repeat("kernel /slow/${mac}\ninitrd /slow/a\nimgfetch /slow/b\n", 300)))
			return
		}
		asked.Add(1)
		<-r.Context().Done()
	}))
	defer server.Close()
	var told []Step
	c := Config{NextServer: home, Limit: 2 * time.Second, Told: func(h Step) { told = append(told, h) }}
	steps := Walk(t.Context(), c, []firmware.Client{firmware.ClientIPXE, firmware.ClientBIOS},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	slow := 0
	for _, h := range steps {
		if strings.Contains(h.What, "/slow/") {
			slow++
			if h.OK || h.Text != "given up: the check took longer than 2s" {
				t.Errorf("%+v", h)
			}
		}
	}
	if slow != 2 || asked.Load() != 2 { // side by side
		t.Errorf("%d steps, and %d requests, to what is slow", slow, asked.Load())
	}
	if len(told) != len(steps) || told[0] != steps[0] {
		t.Errorf("told of %d steps, want %d", len(told), len(steps))
	}
}

// Each step is told before the next one begins.
func TestStepsAreToldAsTheyCome(t *testing.T) {
	var told []Step
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.ipxe":
			_, _ = w.Write([]byte("#!ipxe\nkernel /vmlinuz\n"))
		case "/vmlinuz":
			if len(told) != 2 || told[1].What != server.URL+"/a.ipxe" || !told[1].OK {
				t.Errorf("before the kernel is asked for, %+v was told", told)
			}
			w.Header().Set("Content-Length", "7")
		}
	}))
	defer server.Close()
	c := Config{NextServer: home, Told: func(h Step) { told = append(told, h) }}
	if steps := Walk(t.Context(), c, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe")); !Complete(steps) || len(steps) != 3 {
		t.Errorf("%+v", steps)
	}
}

// Whoever answers DHCP must not choose what this machine asks of itself, be it by a URL, a name, next-server, a
// redirect or a script.
func TestLocalAddressesAreNotAsked(t *testing.T) {
	var asked atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer secret.Close()
	at, err := url.Parse(secret.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := at.Port()
	for _, u := range []string{
		"http://127.0.0.1:" + port + "/x", "http://127.9.9.9:" + port + "/x", "http://localhost:" + port + "/x",
		"http://[::1]:" + port + "/x",
		"http://[::ffff:127.0.0.1]:" + port + "/x", "http://0.0.0.0:" + port + "/x",
		"http://169.254.169.254/latest/meta-data",
	} {
		steps := Walk(t.Context(), Config{}, []firmware.Client{firmware.ClientHTTP64}, offerOf(firmware.ClientHTTP64, u))
		if last := steps[len(steps)-1]; last.OK || last.Stage != "nbp" || !strings.Contains(last.Text, "not asked") {
			t.Errorf("%s: %+v", u, last)
		}
	}
	tftp := tftpSaying(t, "\x00\x03\x00\x01secret")
	for _, next := range []string{"127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"} {
		offers := offerOf(firmware.ClientBIOS, "x")
		offers[0].NextServer = netip.MustParseAddr(next)
		steps := Walk(t.Context(), Config{TFTPPort: tftp}, []firmware.Client{firmware.ClientBIOS}, offers)
		if last := steps[len(steps)-1]; last.OK || last.Stage != "nbp" || !strings.Contains(last.Text, next+": not asked") {
			t.Errorf("%s: %+v", next, last)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests came", n)
	}
}

// The configuration's own next-server is asked, but a script there leads no further than to it.
func TestScriptsLeadToNoOtherLocalAddress(t *testing.T) {
	other, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Skipf("127.0.0.2 cannot be used here: %v", err)
	}
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://"+other.Addr().String()+"/", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("#!ipxe\nkernel http://" + other.Addr().String() + "/\ninitrd /away\n"))
	}))
	defer server.Close()
	steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	if len(steps) != 4 || !steps[1].OK {
		t.Fatalf("%+v", steps)
	}
	for _, h := range steps[2:] {
		if h.OK || !strings.Contains(h.Text, "127.0.0.2: not asked") {
			t.Errorf("%+v", h)
		}
	}
}

// A panic ends one client's part of a check.
func TestWalkGoesOnAfterAPanic(t *testing.T) {
	g := guard.New(slog.New(slog.DiscardHandler))
	first := true
	c := Config{Guard: g, Told: func(Step) {
		if first {
			first = false
			panic("a panic of the check")
		}
	}}
	steps := Walk(t.Context(), c, []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}, nil)
	if len(steps) != 3 || !strings.Contains(steps[1].Text, "panic in check") || steps[2].Client != firmware.ClientEFI64 ||
		steps[2].Text != "no offer" {
		t.Errorf("%+v", steps)
	}
}

// played is a server that sends packets one after the other, whatever it is asked.
type played struct {
	packets [][]byte
	sent    [][]byte
}

func (p *played) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	p.sent = append(p.sent, b)
	return len(b), nil
}

func (p *played) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if len(p.packets) == 0 {
		return 0, netip.AddrPort{}, context.DeadlineExceeded // which is a time-out as well
	}
	n := copy(b, p.packets[0])
	p.packets = p.packets[1:]
	return n, netip.AddrPortFrom(home, 1069), nil
}

func (*played) SetReadDeadline(time.Time) error { return nil }

// FuzzTransfer cuts data into a server's packets, each behind its length in one byte.
func FuzzTransfer(f *testing.F) {
	join := func(packets ...string) (b []byte) {
		for _, p := range packets {
			b = append(append(b, byte(len(p))), p...)
		}
		return b
	}
	f.Add(join("\x00\x06blksize\x008\x00tsize\x0010\x00", "\x00\x03\x00\x0112345678", "\x00\x03\x00\x029"))
	f.Add(join("\x00\x05\x00\x01no such file\x00"))
	f.Add(join("\x00\x03\x00\x01", "\x00", "", "\x00\x06\x00\x00", "\x00\x06blksize"))
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := &played{}
		total := 0
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			conn.packets, data = append(conn.packets, data[1:1+n]), data[1+n:]
			total += n
		}
		packets := len(conn.packets)
		const limit = 100
		x := transfer{ctx: t.Context(), conn: conn, peer: netip.AddrPortFrom(home, 69), enough: limit + 1, limit: limit}
		err := x.run("\x00\x01a\x00octet\x00")
		if len(x.data) > total || err == nil && len(x.data) > limit {
			t.Errorf("%d bytes of %d, error %v", len(x.data), total, err)
		}
		if len(conn.sent) > packets+fetchTries+1 {
			t.Errorf("%d packets were sent for %d", len(conn.sent), packets)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error %q", err)
		}
	})
}
