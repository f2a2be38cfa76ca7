package check_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent"
	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/watch"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// serve starts a real agent on loopback with files of the user's, by path below its root.
func serve(t *testing.T, chain ipxe.Chain, files map[string]string) (check.Config, *url.URL) {
	t.Helper()
	at := netip.AddrPortFrom(loopback, 0)
	sockets, err := agent.Bind(at, at)
	if err != nil {
		t.Fatal(err)
	}
	base := &url.URL{Scheme: "http", Host: sockets.HTTP().String()}
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := agent.New(agent.Config{
		Sockets: sockets, Root: root, Chain: chain, Places: []agent.Place{{NextServer: loopback, Base: base}},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return check.Config{TFTPPort: sockets.TFTP().Port(), NextServer: loopback}, base
}

func TestServing(t *testing.T) {
	tests := map[string]struct {
		files  map[string]string
		change func(*dhcp.Boot)
		wrong  []string // all of what the error must name; none: no error
	}{
		"all is there": {},
		"no such NBP": {change: func(b *dhcp.Boot) {
			b.NBP[firmware.ARM32] = "arm.efi"
		}, wrong: []string{"arm.efi", `error 1 "file not found"`}},
		"an empty file": {files: map[string]string{"tftp/arm.efi": ""}, change: func(b *dhcp.Boot) {
			b.NBP[firmware.ARM32] = "arm.efi"
		}, wrong: []string{"arm.efi", "empty"}},
		"two at once": {change: func(b *dhcp.Boot) {
			b.NBP[firmware.ARM32], b.URL[firmware.ARM32] = "arm.efi", b.URL[firmware.EFI64]+"x"
		},
			wrong: []string{"arm.efi", "ipxe.efix"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, base := serve(t, ipxe.ChainAuto, test.files)
			want := watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles())
			if test.change != nil {
				test.change(&want)
			}
			err := check.Serving(t.Context(), c, want, watch.ScriptURL(base))
			if (err != nil) != (len(test.wrong) > 0) {
				t.Fatalf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			for _, w := range test.wrong {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not named in %v", w, err)
				}
			}
		})
	}
}

func TestServingWhereNothingServes(t *testing.T) {
	c, base := serve(t, ipxe.ChainAuto, nil)
	c.TFTPPort = 9 // discard
	want := watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := check.Serving(ctx, c, want, nil); err == nil || !strings.Contains(err.Error(), "undionly.kpxe") {
		t.Errorf("got %v", err)
	}
}

// Nothing listens: each service is named once, on one line that fits a screen.
func TestServingNamesASilentServerOnce(t *testing.T) {
	base := &url.URL{Scheme: "http", Host: fmt.Sprintf("%s:%d", loopback, closedPort(t))}
	c := check.Config{TFTPPort: closedPort(t), NextServer: loopback}
	want := watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles())
	err := check.Serving(t.Context(), c, want, watch.ScriptURL(base))
	text := fmt.Sprintf("tftp://127.0.0.1:%d/undionly.kpxe and 2 more: no answer; "+
		"%s/ipxe.efi and 2 more: connect: connection refused", c.TFTPPort, base)
	if err == nil || err.Error() != text {
		t.Errorf("%v\nwant %s", err, text)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("its cause is lost: %#v", err)
	}
}

// closedPort is one at which nothing listens by UDP and TCP.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	u, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Skip("the port is another's by UDP")
	}
	if err := errors.Join(l.Close(), u.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

// offers are what a DHCP server sends that knows b; with blind it cannot tell iPXE apart.
func offers(b dhcp.Boot, blind bool) []firmware.Offer {
	if blind {
		b.Script = ""
	}
	var all []firmware.Offer
	for _, c := range firmware.Clients() {
		if name := b.Expect(c); name != "" {
			all = append(all, firmware.Offer{Client: c, Server: loopback, NextServer: b.NextServer, File: name})
		}
	}
	return all
}

func TestWalk(t *testing.T) {
	const script = "#!ipxe\nset base ${base}\nkernel /vmlinuz quiet || goto failed\ninitrd /initrd\nboot\n:failed\nshell\n"
	whole := map[string]string{"http/ipxe/bootstrap.ipxe": script, "http/vmlinuz": "kernel", "http/initrd": "initrd"}
	tests := map[string]struct {
		chain  ipxe.Chain
		files  map[string]string
		blind  bool
		client firmware.Client
		stages string // of the hops
		wrong  string // in the text of the last step; "": all is there
	}{
		"BIOS, the server knows iPXE": {ipxe.ChainAuto, whole, false, firmware.ClientBIOS,
			"offer nbp script kernel image", ""},
		"BIOS, it does not": {ipxe.ChainAuto, whole, true, firmware.ClientBIOS,
			"offer nbp script script kernel image", ""},
		"UEFI, it does not": {ipxe.ChainTFTP, whole, true, firmware.ClientEFI64,
			"offer nbp script script kernel image", ""},
		"UEFI HTTP, it does not": {ipxe.ChainAuto, whole, true, firmware.ClientHTTP64,
			"offer nbp script script kernel image", ""},
		"iPXE alone": {ipxe.ChainAuto, whole, false, firmware.ClientIPXE, "offer script kernel image",
			""},
		"nothing breaks the loop": {ipxe.ChainOff, whole, true, firmware.ClientBIOS, "offer nbp script",
			"chainload loop"},
		"no offer":                       {ipxe.ChainAuto, whole, false, firmware.ClientEFI32, "offer", "no offer"},
		"the built-in menu has no image": {ipxe.ChainAuto, nil, false, firmware.ClientIPXE, "offer script", ""},
		"a missing image": {ipxe.ChainAuto, map[string]string{"http/ipxe/bootstrap.ipxe": script, "http/vmlinuz": "kernel"},
			false,
			firmware.ClientIPXE, "offer script kernel image", "404"},
		"an empty kernel": {ipxe.ChainAuto, map[string]string{"http/ipxe/bootstrap.ipxe": "#!ipxe\nkernel /vmlinuz\n",
			"http/vmlinuz": ""}, false,
			firmware.ClientIPXE, "offer script kernel", "empty"},
		"a chain of scripts that never ends": {ipxe.ChainAuto,
			map[string]string{"http/ipxe/bootstrap.ipxe": "#!ipxe\nchain /a.ipxe\n",
				"http/a.ipxe": "#!ipxe\nchain /ipxe/bootstrap.ipxe\n"}, false,
			firmware.ClientIPXE, "offer script script script", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, base := serve(t, test.chain, test.files)
			b := watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles())
			hops := check.Walk(t.Context(), c, []firmware.Client{test.client}, offers(b, test.blind))
			var stages []string
			for _, h := range hops {
				stages = append(stages, h.Stage)
			}
			if got := strings.Join(stages, " "); got != test.stages {
				t.Fatalf("stages %q, want %q: %+v", got, test.stages, hops)
			}
			last := hops[len(hops)-1]
			if check.Complete(hops) != (test.wrong == "") || !strings.Contains(last.Text, test.wrong) {
				t.Errorf("the last step is %+v, want %q", last, test.wrong)
			}
		})
	}
}

// Each kind of machine is given its own menu, and the boot path goes on to the files in that.
func TestWalkGoesOnFromEachMachinesMenu(t *testing.T) {
	c, base := serve(t, ipxe.ChainAuto, map[string]string{"http/memtest64.bin": "b", "http/memtest64.efi": "e",
		"http/ipxe/menu.d/rack.ipxe": "#!ipxe\nkernel /missing\n"})
	hops := check.Walk(t.Context(), c, []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64,
		firmware.ClientARM64}, offers(watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles()), false))
	kernels := map[firmware.Client]string{}
	for _, h := range hops {
		if h.Stage == "kernel" {
			kernels[h.Client] += strings.TrimPrefix(h.What, base.String()) + " "
		}
		if h.OK == strings.HasSuffix(h.What, "/missing") {
			t.Errorf("%+v", h)
		}
	}
	want := map[firmware.Client]string{firmware.ClientBIOS: "/memtest64.bin /missing ",
		firmware.ClientEFI64: "/memtest64.efi /missing ", firmware.ClientARM64: "/missing "}
	if !maps.Equal(kernels, want) {
		t.Errorf("kernels %q, want %q", kernels, want)
	}
}

func TestWalkAsksEachFileOnce(t *testing.T) {
	c, base := serve(t, ipxe.ChainAuto, nil)
	b := watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles())
	hops := check.Walk(t.Context(), c, []firmware.Client{firmware.ClientEFI64, firmware.ClientEFIBC}, offers(b, false))
	if !check.Complete(hops) || len(hops) != 6 {
		t.Fatalf("%+v", hops)
	}
	// The second client's hops are the first's, repeated without asking.
	for _, h := range hops[3:] {
		if h.Client != firmware.ClientEFIBC || h.Took != 0 {
			t.Errorf("%+v", h)
		}
	}
}

// Where the DHCP server has one boot file for all, UEFI is at the end with the offer, and nobody is called wrong.
func TestWalkEndsWhereTheServerCannotSendMore(t *testing.T) {
	c, base := serve(t, ipxe.ChainAuto, nil)
	b := dhcp.Abilities{OneNBP: true}.Of(watch.Desired(loopback, base, ipxe.ChainAuto, ipxe.BootFiles()))
	clients := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64}
	told := offers(b, false)
	if check.Complete(check.Walk(t.Context(), c, clients, told)) {
		t.Error("UEFI runs BIOS's file, so this test shows nothing")
	}
	c.Sends.OneNBP = true
	steps := check.Walk(t.Context(), c, clients, told)
	last := steps[len(steps)-1]
	if !check.Complete(steps) || last.Client != firmware.ClientEFI64 || last.Stage != "offer" ||
		!strings.Contains(last.Text, "cannot send it a boot file of its own") || len(steps) < 4 {
		t.Errorf("%+v", steps)
	}
}
