package dnsmasq

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
	"golang.org/x/sys/unix"

	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

// quiet is how long nothing must come for the probe to end where it is not known how many answers there
// will be; first how long it waits for one at all.
const (
	quiet = 150 * time.Millisecond
	first = time.Second
)

var probeMAC = net.HardwareAddr{0x02, 0x70, 0x78, 0x65, 0x00, 0x01}

// discovers is what the site's machine is offered as each of the clients. A dnsmasq that leases answers each once.
func (s *site) discovers(ctx context.Context, clients []firmware.Client) []firmware.Offer {
	s.t.Helper()
	answers := 0
	if s.cfg.Mode == ModeServer {
		answers = len(clients)
	}
	return discovers(ctx, s.t, s.client, "eth0", clients, answers)
}

// discovers sends one DISCOVER as each client from h's device and collects every answer, or as many as are
// awaited if that is not 0. UEFI firmware that is offered no address asks port 4011 as well.
func discovers(ctx context.Context, t testing.TB, h *lab.Host, dev string, clients []firmware.Client,
	answers int) []firmware.Offer {
	t.Helper()
	var conn net.PacketConn
	var err error
	h.Do(func() { conn, err = listenDHCP(ctx, dev) })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	asked := map[dhcpv4.TransactionID]firmware.Client{}
	for _, c := range clients {
		m := discover(t, c)
		asked[m.TransactionID] = c
		if _, err := conn.WriteTo(m.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			t.Fatal(err)
		}
	}
	var offers []firmware.Offer
	wait := first
	if answers > 0 {
		wait = 2 * first
	}
	for buf := make([]byte, 2048); ; {
		if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return offers
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := dhcpv4.FromBytes(buf[:n])
		if err != nil {
			t.Fatalf("answer: %v", err)
		}
		c, ours := asked[m.TransactionID]
		if !ours || m.OpCode != dhcpv4.OpcodeBootReply {
			continue
		}
		if answers == 0 {
			wait = quiet
		}
		o := offerOf(c, m, from)
		if offers = append(offers, o); len(offers) == answers {
			return offers
		}
		if o.Proxy && m.MessageType() == dhcpv4.MessageTypeOffer && o.File == "" {
			ask := discover(t, c)
			ask.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
			asked[ask.TransactionID] = c
			if _, err := conn.WriteTo(ask.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 4011}); err != nil {
				t.Fatal(err)
			}
			wait = first
		}
	}
}

func offerOf(c firmware.Client, m *dhcpv4.DHCPv4, from net.Addr) firmware.Offer {
	addr := func(ip net.IP) netip.Addr { a, _ := netip.AddrFromSlice(ip.To4()); return a }
	o := firmware.Offer{Client: c, Server: addr(m.ServerIdentifier()), From: addr(from.(*net.UDPAddr).IP),
		YourIP:     addr(m.YourIPAddr),
		NextServer: addr(m.ServerIPAddr), File: m.BootFileName, Option67: strings.TrimRight(m.BootFileNameOption(), "\x00"),
		Option66: m.TFTPServerName(), Vendor: m.ClassIdentifier(), Via: "udp"}
	o.Proxy = o.YourIP.IsUnspecified()
	if m.MessageType() == dhcpv4.MessageTypeAck {
		o.Via = "pxe"
	}
	return o
}

// discover is a DISCOVER as firmware sends it.
func discover(t testing.TB, c firmware.Client) *dhcpv4.DHCPv4 {
	t.Helper()
	vendor := "PXEClient:Arch:00000:UNDI:002001"
	if c.HTTP() {
		vendor = "HTTPClient:Arch:00016:UNDI:003000"
	}
	m, err := dhcpv4.NewDiscovery(probeMAC, dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier(vendor)),
		dhcpv4.WithOption(dhcpv4.OptClientArch(iana.Arch(c.Option93()))),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 3, 0})),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientMachineIdentifier, make([]byte, 17))),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionClassIdentifier, dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName,
			dhcpv4.OptionVendorSpecificInformation))
	if err != nil {
		t.Fatal(err)
	}
	if c == firmware.ClientIPXE {
		// As the built-in build, whose user class is not iPXE.
		m.UpdateOption(dhcpv4.OptRFC3004UserClass([]string{"Tinkerbell"}))
		m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(175), []byte{0x21, 1, 1, 0x10, 1, 2}))
	}
	return m
}

// listenDHCP is a broadcast socket on port 68 of dev, which may have no address.
func listenDHCP(ctx context.Context, dev string) (net.PacketConn, error) {
	control := func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.BindToDevice(int(fd), dev))
		}); e != nil {
			return e
		}
		return err
	}
	lc := net.ListenConfig{Control: control}
	return lc.ListenPacket(ctx, "udp4", "0.0.0.0:68")
}
