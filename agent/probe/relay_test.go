package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// standIn is a DHCP server on loopback that answers the port it was asked from with whatever reply makes of a DISCOVER.
// It may send more later with the function it is given.
func standIn(t *testing.T, reply func(ask []byte, send func([]byte))) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			reply(slices.Clone(buf[:n]), func(b []byte) { _, _ = conn.WriteToUDPAddrPort(b, from) })
		}
	})
	t.Cleanup(func() { conn.Close(); served.Wait() })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// offerTo is answer with the xid and chaddr of ask.
func offerTo(ask []byte, file string, options ...[]byte) []byte {
	b := answer(typeOffer, file, options...)
	copy(b[4:8], ask[4:8])
	copy(b[28:44], ask[28:44])
	return b
}

func relayConfig(server netip.AddrPort, clients ...firmware.Client) Config {
	return Config{Server: server, RelayPort: AnyPort, Clients: clients, Quiet: 100 * time.Millisecond,
		Limit: 5 * time.Second}
}

func run(t *testing.T, cfg Config) Report {
	t.Helper()
	r, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRelayAsksAsEveryClient(t *testing.T) {
	var mu sync.Mutex
	macs := map[string]bool{}
	server := standIn(t, func(ask []byte, send func([]byte)) {
		mu.Lock()
		macs[net.HardwareAddr(ask[28:34]).String()] = true
		mu.Unlock()
		if ask[3] != 1 || netip.AddrFrom4([4]byte(ask[24:28])) != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("hops %d, giaddr %v", ask[3], ask[24:28])
		}
		for _, f := range fields(t, ask) {
			if f.Code == 93 {
				send(offerTo(ask, fmt.Sprintf("file-%d", binary.BigEndian.Uint16(f.Value))))
			}
		}
	})
	r := run(t, relayConfig(server))
	if len(r.Offers) != int(firmware.NumClient) || len(r.Asked) != int(firmware.NumClient) {
		t.Fatalf("%d offers to %d clients", len(r.Offers), len(r.Asked))
	}
	for i, o := range r.Offers {
		if o.Client != firmware.Client(i) || o.Via != viaRelay || o.File != fmt.Sprintf("file-%d", o.Client.Option93()) ||
			o.From != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%+v", o)
		}
		if r.Asked[i].Sent != 1 || r.Asked[i].Took <= 0 {
			t.Errorf("%+v", r.Asked[i])
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(macs) != 1 || !macs[r.MAC] || r.MAC[1] != '2' && r.MAC[1] != '6' && r.MAC[1] != 'a' && r.MAC[1] != 'e' {
		t.Errorf("asked as %v, reports %q, want one that is locally administered", macs, r.MAC)
	}
}

func TestHostileAnswers(t *testing.T) {
	server := standIn(t, func(ask []byte, send func([]byte)) {
		good := offerTo(ask, "good", text(67, strings.Repeat("x", 255)), text(67, "\x1b[2J\x00y"))
		xid, mac, request, ack := slices.Clone(good), slices.Clone(good), slices.Clone(good), slices.Clone(good)
		xid[4] ^= 1
		mac[30] ^= 1
		request[0] = 1
		ack[headerLen+2] = typeACK
		for _, b := range [][]byte{{}, {2}, []byte("garbage"), good[:headerLen-1], xid, mac, request, ack,
			offerTo(ask, "bad", []byte{67, 250, 'x'}), // cut off
			good} {
			send(b)
		}
	})
	r := run(t, relayConfig(server, firmware.ClientBIOS))
	if len(r.Offers) != 1 || r.Offers[0].Option67 != strings.Repeat("x", 255)+"\x1b[2J\x00y" {
		t.Fatalf("offers %+v", r.Offers)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0],
		"bios: an answer from 127.0.0.1 cannot be read: option 67 is cut off") {
		t.Errorf("notes %q", r.Notes)
	}
	for _, code := range []string{CodeLong, CodeCharacters} {
		if !slices.ContainsFunc(Judge(dhcp.Boot{}, r), func(f Finding) bool {
			return f.Code == code && f.Level == Wrong && !strings.Contains(f.Text, "\x1b")
		}) {
			t.Errorf("no finding %s", code)
		}
	}
}

// Everything that such an answer has before its cookie is right.
func TestUnreadableAnswers(t *testing.T) {
	change := func(at int, v byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = v; return b }
	}
	for name, tc := range map[string]struct {
		spoil func([]byte) []byte
		note  string
	}{
		"wrong cookie":    {change(236, 0), "DHCP magic cookie missing"},
		"hlen 16":         {change(2, 16), "hlen 16"},
		"hlen 0":          {change(2, 0), "hlen 0"},
		"htype 6":         {change(1, 6), "htype 6"},
		"truncated":       {func(b []byte) []byte { return b[:headerLen+4] }, "option 54 is cut off"},
		"option too long": {func(b []byte) []byte { return append(b[:headerLen], 67, 255, 'x') }, "option 67 is cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			server := standIn(t, func(ask []byte, send func([]byte)) {
				send(tc.spoil(offerTo(ask, "bad")))
				send(offerTo(ask, "good"))
			})
			r := run(t, relayConfig(server, firmware.ClientBIOS))
			if len(r.Offers) != 1 || r.Offers[0].File != "good" {
				t.Errorf("offers %+v", r.Offers)
			}
			if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], tc.note) {
				t.Errorf("notes %q, want %q", r.Notes, tc.note)
			}
		})
	}
}

// Options may fill a whole datagram, and one code may come as often as there is room.
func TestHugeOptions(t *testing.T) {
	server := standIn(t, func(ask []byte, send func([]byte)) {
		huge := offerTo(ask, "a")
		huge = huge[:len(huge)-1]
		for len(huge) < 65000-257 {
			huge = append(huge, text(43, strings.Repeat("\x09", 255))...)
		}
		send(append(huge, optEnd))
	})
	r := run(t, relayConfig(server, firmware.ClientBIOS))
	if len(r.Offers) != 1 || r.Offers[0].File != "a" || len(r.Notes) != 0 {
		t.Errorf("offers %+v, notes %q", r.Offers, r.Notes)
	}
}

func TestDuplicatesAndFloods(t *testing.T) {
	server := standIn(t, func(ask []byte, send func([]byte)) {
		for range 3 {
			send(offerTo(ask, "same"))
		}
		for i := range 40 {
			send(offerTo(ask, fmt.Sprintf("flood-%d", i)))
		}
	})
	r := run(t, relayConfig(server, firmware.ClientBIOS))
	if len(r.Offers) != maxOffers || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "more than 16") {
		t.Errorf("%d offers, notes %q", len(r.Offers), r.Notes)
	}
}

// A server that answers when it is asked the second time is heard, and each further offer restarts the quiet time.
func TestAsksAgainAndWaitsForLateOffers(t *testing.T) {
	asked := 0
	server := standIn(t, func(ask []byte, send func([]byte)) {
		if asked++; asked != 2 {
			return
		}
		send(offerTo(ask, "first"))
		time.AfterFunc(60*time.Millisecond, func() {
			send(offerTo(ask, "second"))
			time.AfterFunc(60*time.Millisecond, func() { send(offerTo(ask, "third")) })
		})
	})
	cfg := relayConfig(server, firmware.ClientEFI64)
	cfg.Quiet = 400 * time.Millisecond
	r := run(t, cfg)
	if len(r.Offers) != 3 || r.Asked[0].Sent != 2 || time.Duration(r.Asked[0].Took) < resend[0] {
		t.Errorf("offers %+v, asked %+v", r.Offers, r.Asked)
	}
}

func TestNoOffer(t *testing.T) {
	server := standIn(t, func([]byte, func([]byte)) {})
	cfg := relayConfig(server, firmware.ClientBIOS, firmware.ClientIPXE)
	cfg.Limit = 1500 * time.Millisecond
	start := time.Now()
	r := run(t, cfg)
	if took := time.Since(start); took < cfg.Limit || took > cfg.Limit+3*time.Second {
		t.Errorf("took %v", took)
	}
	findings := Judge(dhcp.Boot{}, r)
	if len(r.Offers) != 0 || r.Asked[0].Sent != 2 || Sum(r, findings) != VerdictNoOffer || len(findings) != 1 ||
		len(findings[0].Clients) != 2 {
		t.Errorf("%+v, %+v", r, findings)
	}
}

func TestCancelledProbeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	server := standIn(t, func([]byte, func([]byte)) { cancel() })
	if _, err := Run(ctx, relayConfig(server)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	server := netip.MustParseAddrPort("127.0.0.1:1067")
	for name, tc := range map[string]struct {
		cfg  Config
		want error
		text string
	}{
		"nothing":           {Config{}, ErrNoDevice, "none is named"},
		"no such interface": {Config{Device: "no-such-if"}, ErrNoDevice, `"no-such-if"`},
		"not Ethernet":      {Config{Device: loopback(t)}, ErrNoDevice, "no Ethernet address"},
		"port taken":        {Config{Server: server, RelayPort: port}, ErrPortTaken, fmt.Sprintf("port %d", port)},
		"foreign giaddr": {Config{Server: server, Relay: netip.MustParseAddr("192.0.2.1"), RelayPort: port},
			ErrNoAddress, "192.0.2.1"},
		"IPv6 server":    {Config{Server: netip.MustParseAddrPort("[::1]:67")}, nil, "want an IPv4 address"},
		"MAC of 8 bytes": {Config{Server: server, MAC: make(net.HardwareAddr, 8)}, nil, "want 6 bytes"},
	} {
		_, err := Run(context.Background(), tc.cfg)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func loopback(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(d net.Interface) bool { return d.Flags&net.FlagLoopback != 0 })
	if i < 0 {
		t.Skip("no loopback interface")
	}
	return all[i].Name
}

// A probe that is told what is enough ends when it has that: here nothing else ends it within an hour.
func TestEnoughEndsProbe(t *testing.T) {
	server := standIn(t, func(ask []byte, send func([]byte)) { send(offerTo(ask, "file")) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cfg := relayConfig(server, firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientARM64)
	cfg.Quiet = time.Hour
	var heard []int
	cfg.Enough = func(offers []firmware.Offer) bool {
		heard = append(heard, len(offers))
		return len(offers) == len(cfg.Clients)
	}
	r, err := Run(ctx, cfg)
	if err != nil || len(r.Offers) != 3 || !slices.Equal(heard, []int{1, 2, 3}) {
		t.Errorf("%v, %d offers, asked whether it is enough after %v", err, len(r.Offers), heard)
	}
}

// A server on this machine would not find the network that the question is about.
func TestOwnAddressIsNotAskedAtPort4011(t *testing.T) {
	own := netip.MustParseAddr("127.0.0.1")
	if w, _, err := openRelayed(own, own); !errors.Is(err, ErrNoAddress) {
		t.Errorf("way %v, error %v", w, err)
	}
	w, from, err := openRelayed(own, netip.MustParseAddr("192.0.2.1"))
	if err != nil || from != own {
		t.Fatalf("from %v, error %v", from, err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// A server is asked as a relay agent asks it with what firmware sends, and no more. Kea 2.7.1 to 2.7.9, 3.0.0 and 3.1.0
// end when they are asked by unicast with some option and have no subnet for it (CVE-2025-40779), and its makers do not
// say with which.
func TestRelayAsksWithWhatFirmwareSends(t *testing.T) {
	pxe, ipxe := []byte{53, 55, 57, 60, 93, 94, 97}, []byte{53, 55, 57, 60, 77, 93, 94, 97, 175}
	var mu sync.Mutex
	asked := map[string][]field{}
	server := standIn(t, func(ask []byte, _ func([]byte)) {
		mu.Lock()
		defer mu.Unlock()
		list := fields(t, ask)
		key := ""
		for _, f := range list {
			if f.Code == 60 || f.Code == 77 {
				key += string(f.Value)
			}
		}
		asked[key] = list
	})
	cfg := relayConfig(server)
	cfg.Limit = 300 * time.Millisecond
	run(t, cfg)
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != int(firmware.NumClient) {
		t.Errorf("asked as %d kinds of clients, want %d", len(asked), int(firmware.NumClient))
	}
	for who, list := range asked {
		want := pxe
		if strings.Contains(who, "iPXE") {
			want = ipxe
		}
		var codes []byte
		for _, f := range list {
			codes = append(codes, f.Code)
			if len(f.Value) == 0 {
				t.Errorf("%s: option %d is empty", who, f.Code)
			}
			// IPv6-Only Preferred (RFC 8925) asks a server to look at its subnet.
			if f.Code == 55 && slices.Contains(f.Value, 108) {
				t.Errorf("%s: asks for option 108", who)
			}
		}
		slices.Sort(codes)
		if !slices.Equal(codes, want) {
			t.Errorf("%s: options %v, want %v", who, codes, want)
		}
	}
}
