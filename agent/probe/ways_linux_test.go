package probe

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"

	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// Each way does alone what it is there for: UDP reaches and hears a server on this machine, raw one that is elsewhere.
func TestEachWayAlone(t *testing.T) {
	lab.Need(t, "dnsmasq")
	t.Parallel()
	s := lab.NewSegment(t)
	server := s.Host("server", "eth1", "10.77.0.1/24")
	server.Dnsmasq(append(byArch, "--no-ping")...)
	beside, bare := s.Host("beside", "eth1", "10.77.0.9/24"), s.Host("bare", "eth1")
	raw := func(dev *net.Interface, mac [6]byte) (*way, error) { return openRaw(dev, mac) }
	udp := func(dev *net.Interface, _ [6]byte) (*way, error) { return openUDP(dev, portClient) }
	for name, tc := range map[string]struct {
		from *lab.Host
		open func(*net.Interface, [6]byte) (*way, error)
		want int
	}{
		"UDP, in the server's own": {server, udp, 1},
		"UDP, beside":              {beside, udp, 1},
		"UDP, no address":          {bare, udp, 1},
		"raw, beside":              {beside, raw, 1},
		"raw, no address":          {bare, raw, 1},
		"raw, in the server's own": {server, raw, 0}, // why there are two
	} {
		t.Run(name, func(t *testing.T) {
			mac := [6]byte{2, 0, 0, 0, 0, 0x77}
			a := &ask{message: message{typ: typeDiscover, client: firmware.ClientBIOS, xid: newXID(nil), mac: mac,
				broadcast: true}}
			x := exchange{asks: []*ask{a}, limit: time.Second, quiet: 50 * time.Millisecond, accept: []byte{typeOffer}}
			var err error
			tc.from.Do(func() {
				var dev *net.Interface
				if dev, err = device("eth1"); err != nil {
					return
				}
				var w *way
				if w, err = tc.open(dev, mac); err != nil {
					return
				}
				x.ways = []*way{w}
				err = x.run(context.Background())
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(x.heard) != tc.want {
				t.Errorf("%d offers, want %d; notes %q", len(x.heard), tc.want, x.notes)
			}
		})
	}
}

// Servers on the machine of the probe that use packet sockets themselves.
func TestISCAndKeaOnThisMachine(t *testing.T) {
	lab.Need(t, "dhcpd", "kea-dhcp4")
	t.Parallel()
	for name, start := range map[string]func(*lab.Host) *lab.Peer{
		"isc": func(h *lab.Host) *lab.Peer {
			return h.ISC(
				`subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.70 10.77.0.80; ping-check true; next-server 10.77.0.7; filename "undionly.kpxe"; }`, "eth1")
		},
		"kea": func(h *lab.Host) *lab.Peer {
			return h.Kea(
				`{"Dhcp4": {"interfaces-config": {"interfaces": ["eth1"]}, "subnet4": [{"id": 1, "subnet": "10.77.0.0/24", "next-server": "10.77.0.7",
				"boot-file-name": "undionly.kpxe", "pools": [{"pool": "10.77.0.90-10.77.0.99"}]}]}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := lab.NewSegment(t).Host("server", "eth1", "10.77.0.1/24")
			p := start(h)
			addresses := map[netip.Addr]bool{}
			for range 2 {
				r := probeFrom(t, h, Config{Quiet: 4 * time.Second, Limit: 15 * time.Second}) // on a busy machine too
				if len(r.Offers) != int(firmware.NumClient) || len(r.Notes) != 0 {
					t.Errorf("offers %+v, notes %q", r.Offers, r.Notes)
				}
				for _, o := range r.Offers {
					addresses[o.YourIP] = true
					if name, _ := o.BootFile(); name != "undionly.kpxe" || o.NextServer != next {
						t.Errorf("%+v", o)
					}
				}
			}
			// Kea does not set aside what it offers, and so offers a next address each time.
			if name == "isc" && len(addresses) != 1 {
				t.Errorf("two probes have set aside %v", addresses)
			}
			noLeases(t, p)
		})
	}
}

// A server that answers by unicast to the made-up MAC though asked not to, among frames that are no answers.
func TestUnicastAndSpoiledFrames(t *testing.T) {
	lab.Need(t)
	t.Parallel()
	s := lab.NewSegment(t)
	server, client := s.Host("server", "eth1"), s.Host("client", "eth1")
	var conn *packet.Conn
	var err error
	server.Do(func() {
		var dev *net.Interface
		if dev, err = net.InterfaceByName("eth1"); err == nil {
			conn, err = packet.Listen(dev, packet.Raw, unix.ETH_P_IP, nil)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	defer served.Wait()
	defer conn.Close()
	served.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < ethLen+ipLen+udpLen+headerLen || binary.BigEndian.Uint16(buf[ethLen+ipLen+2:]) != portServer {
				continue
			}
			ask := buf[ethLen+ipLen+udpLen : n]
			send := func(b []byte) {
				copy(b, ask[28:34])
				_, _ = conn.WriteTo(b, &packet.Addr{HardwareAddr: net.HardwareAddr(ask[28:34])})
			}
			wrong := toClient(offerTo(ask, "wrong"))
			vlan := slices.Concat(wrong[:12], []byte{0x81, 0, 0, 5}, wrong[12:])
			length := slices.Clone(wrong)
			binary.BigEndian.PutUint16(length[ethLen+ipLen+4:], 0xffff)
			sum := slices.Clone(wrong)
			sum[ethLen+10]++
			for _, b := range [][]byte{vlan, length, sum, wrong[:60], toClient([]byte{2}),
				toClient(offerTo(ask, "cut", []byte{66, 99})), toClient(offerTo(ask, "right"))} {
				send(b)
			}
		}
	})
	r := probeFrom(t, client, Config{Clients: []firmware.Client{firmware.ClientBIOS}})
	if len(r.Offers) != 1 || r.Offers[0].File != "right" || r.Offers[0].Via != viaRaw {
		t.Errorf("%+v", r.Offers)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "cannot be read: option 66 is cut off") {
		t.Errorf("notes %q", r.Notes)
	}
}

// The device takes frames to the made-up MAC while the raw socket is open, and nothing is left afterwards.
func TestRawSocketHearsTheMACWhileOpen(t *testing.T) {
	lab.Need(t, "bridge")
	t.Parallel()
	h := lab.NewSegment(t).Host("client", "eth1")
	mac := [6]byte{2, 0, 0, 0, 0, 0x77}
	takes := func() bool {
		out, err := h.Run("bridge", "fdb", "show", "dev", "eth1")
		if err != nil {
			t.Fatalf("bridge: %v: %s", err, out)
		}
		return strings.Contains(out, net.HardwareAddr(mac[:]).String())
	}
	var w *way
	var err error
	h.Do(func() {
		var dev *net.Interface
		if dev, err = device("eth1"); err == nil {
			w, err = openRaw(dev, mac)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	during := takes()
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if !during {
		t.Error("it takes no frames to it while the socket is open")
	}
	// A process that another test is just starting holds a copy of the socket from its fork to its exec.
	for deadline := time.Now().Add(10 * time.Second); takes(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it takes frames to it after the socket was closed")
		}
	}
}
