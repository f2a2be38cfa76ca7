package tftp

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
)

// serveEnv makes the test's own program a server, so that it can be run in a namespace: sockets of transfers
// are opened by whatever thread runs the goroutine. Its value is the addresses, then "single" for a single port.
const serveEnv = "PXEAGENT_TFTP_TEST_SERVE"

func TestMain(m *testing.M) {
	if v := os.Getenv(serveEnv); v != "" {
		serveForTest(strings.Fields(v))
		return
	}
	os.Exit(m.Run())
}

// printer prints each end of a transfer.
type printer struct{}

func (printer) Begin(*boot.Ask) {}

func (printer) End(t *boot.Transfer) {
	fmt.Printf(
		"ended %s file=%s local=%v bytes=%d resent=%d err=%v\n",
		t.Outcome,
		t.Name,
		t.Local,
		t.Bytes,
		t.Resent,
		t.Err,
	)
}

func serveForTest(words []string) {
	c := Config{
		Opener: shelf{
			"nbp": file(pattern(93955)), "f": file(pattern(2000)), "1m": file(pattern(1 << 20)),
			"undionly.kpxe": file(pattern(93955)),
		},
		Observer: printer{}, MaxTransfers: 4096,
	}
	for name, f := range c.Opener.(shelf) {
		f.ID = name
	}
	var addrs []netip.AddrPort
	for _, w := range words {
		if w == "single" {
			c.SinglePort = true
			continue
		}
		addrs = append(addrs, netip.MustParseAddrPort(w))
	}
	l, err := Listen(addrs...)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("serving", l.Addrs())
	s := New(c)
	s.Proven(netip.MustParseAddr("10.77.0.9"))
	if err := s.Serve(ctx, l); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// servingIn runs a server in h's namespace.
func servingIn(h *lab.Host, words string) *lab.Proc {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+words)
	p := h.StartCmd(cmd)
	p.WaitOutput(limit, `serving \[`)
	return p
}

// dialingIn is a client in h's namespace.
func dialingIn(t *testing.T, h *lab.Host, from, server string) *client {
	t.Helper()
	c := &client{t: t, server: netip.MustParseAddrPort(server)}
	var err error
	h.Do(func() {
		c.conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

// Whatever blksize is asked for, a block with its headers fits one frame of the interface that it leaves by, so the
// kernel makes no fragments, which many firmwares cannot put together.
func TestBlocksFitTheFrame(t *testing.T) {
	for _, mtu := range []int{576, 1400, 1500, 9000} {
		for _, mode := range []string{"", " single"} {
			t.Run(fmt.Sprintf("MTU %d%s", mtu, mode), func(t *testing.T) {
				server, machine := lab.NewHost(t, "server"), lab.NewHost(t, "client")
				size := fmt.Sprint(mtu)
				server.IP("link", "add", "eth1", "mtu", size, "type", "veth",
					"peer", "name", "eth1", "mtu", size, "netns", machine.Netns())
				for h, addr := range map[*lab.Host]string{server: "10.77.0.1/24", machine: "10.77.0.9/24"} {
					h.IP("addr", "add", addr, "dev", "eth1")
					h.IP("link", "set", "eth1", "up")
				}
				p := servingIn(server, "0.0.0.0:69"+mode)
				c := dialingIn(t, machine, "10.77.0.9", "10.77.0.1:69")
				block := mtu - 20 - 8 - 4 // less the headers of IP, UDP and TFTP
				c.ask("1m", "blksize=65464")
				c.oack(fmt.Sprintf("blksize=%d", block))
				c.ack(0)
				if got := len(c.data(1)); got != block {
					t.Errorf("a block of %d bytes, want %d", got, block)
				}
				c.abort(0)
				p.WaitOutput(limit, "ended aborted file=1m")
				if n := fragmentsMade(t, server); n != "0" {
					t.Errorf("%s fragments were made", n)
				}
			})
		}
	}
}

// fragmentsMade is how many IPv4 fragments the kernel has made in h's namespace.
func fragmentsMade(t *testing.T, h *lab.Host) string {
	t.Helper()
	out, err := h.Run("cat", "/proc/net/snmp")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// A line of names, then a line of numbers.
	names, numbers, _ := strings.Cut(out, "\n")
	numbers, _, _ = strings.Cut(numbers, "\n")
	i := slices.Index(strings.Fields(names), "FragCreates")
	if i < 0 {
		t.Fatalf("no FragCreates in %s", out)
	}
	return strings.Fields(numbers)[i]
}

// A machine with several addresses answers from the one that was asked, else OVMF fails; its blocks fit the Ethernet
// frame; and what is sent to everyone gets no answer (RFC 1123 section 4.2.3.5).
func TestMachineWithSeveralAddresses(t *testing.T) {
	for _, mode := range []string{"", " single"} {
		t.Run("mode"+mode, func(t *testing.T) {
			s := lab.NewSegment(t)
			h := s.Host("server", "eth1", "10.77.0.1/24", "10.77.0.2/24", "10.88.0.1/24")
			ch := s.Host("client", "eth1", "10.77.0.9/24")
			ch.IP("route", "add", "default", "via", "10.77.0.1")
			p := servingIn(h, "0.0.0.0:69"+mode)
			for _, server := range []string{"10.77.0.1", "10.77.0.2", "10.88.0.1"} {
				c := dialingIn(t, ch, "10.77.0.9", server+":69")
				c.ask("f", "blksize=65464 windowsize=2")
				c.oack("blksize=1468 windowsize=2")
				if c.tid.Addr() != c.server.Addr() || (c.tid.Port() == 69) != (mode != "") {
					t.Errorf("asked %v, %v answered", c.server, c.tid)
				}
				c.ack(0)
				if got := append(append([]byte(nil), c.data(1)...), c.data(2)...); !bytes.Equal(got, pattern(2000)) {
					t.Errorf("got %d bytes", len(got))
				}
				c.ack(2)
				p.WaitOutput(limit, "ended ok file=f local="+server+":69 bytes=2000")
				c.sendTo(c.server, []byte("\x00\x02f\x00octet\x00"))
				c.errorCode(codeIllegal)
				if c.tid != c.server {
					t.Errorf("asked %v, %v refused", c.server, c.tid)
				}
			}
			c := dialingIn(t, ch, "10.77.0.9", "10.77.0.255:69")
			c.ask("f", "")
			c.sendTo(netip.MustParseAddrPort("255.255.255.255:69"), rrq("f", "octet", ""))
			c.sendTo(netip.MustParseAddrPort("224.0.0.1:69"), rrq("f", "octet", ""))
			c.quiet(200 * time.Millisecond)
		})
	}
}

// Of the server's packets some are lost, and the clients, which wait for a second and more before they do anything,
// must not notice: what was lost is sent again within some round trips.
func TestLossIsMadeUpByTheServer(t *testing.T) {
	lab.NoShort(t)
	lab.Need(t, "nft", "tftp", "atftp", "busybox", "curl")
	s := lab.NewSegment(t)
	h := s.Host("server", "eth1", "10.77.0.1/24")
	ch := s.Host("client", "eth1", "10.77.0.9/24")
	p := servingIn(h, "0.0.0.0:69")
	rule := "table ip t { chain c { type filter hook input priority 0; meta l4proto udp numgen random mod 100 < 5 drop; " +
		"}; }"
	if out, err := ch.Run("nft", rule); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
	to := filepath.Join(t.TempDir(), "got")
	for _, client := range [][]string{
		{"tftp", "-m", "octet", "10.77.0.1", "-c", "get", "nbp", to},
		{"atftp", "--option", "blksize 1432", "-g", "-r", "nbp", "-l", to, "10.77.0.1"},
		{"atftp", "--option", "windowsize 8", "-g", "-r", "nbp", "-l", to, "10.77.0.1"},
		{"busybox", "tftp", "-b", "1432", "-g", "-r", "nbp", "-l", to, "10.77.0.1"},
		{"curl", "-sS", "-o", to, "tftp://10.77.0.1/nbp"},
	} {
		_ = os.Remove(to)
		began := time.Now()
		if out, err := ch.Run(client[0], client[1:]...); err != nil {
			t.Errorf("%v: %v: %s", client, err, out)
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, pattern(93955)) {
			t.Errorf("%v: got %d bytes, %v", client, len(got), err)
		}
		t.Logf("%v: %v", client[0], time.Since(began))
		if d := time.Since(began); d > limit {
			t.Errorf("%v took %v", client, d)
		}
	}
	p.WaitOutput(limit, `ended ok file=nbp \S+ bytes=93955 resent=[1-9]`)
}
