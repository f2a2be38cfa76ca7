package pfsensetest

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// offered is the address that the MAC is offered on opt1; invalid: it gets no answer.
func offered(t *testing.T, f *Firewall, mac string, mods ...dhcpv4.Modifier) (netip.Addr, dhcpv4.MessageType) {
	t.Helper()
	hw, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(hw),
		dhcpv4.WithMessageType(dhcpv4.MessageTypeDiscover)}, mods...)...)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := f.reply("opt1", p.ToBytes())
	if err != nil {
		return netip.Addr{}, dhcpv4.MessageTypeNone
	}
	addr, _ := netip.AddrFromSlice(reply.YourIPAddr.To4())
	return addr, reply.MessageType()
}

func inMemory(edit func(Tree)) *Firewall {
	config := Default()
	edit(config)
	f := &Firewall{opts: Options{Clock: time.Now}, saved: config, leases: map[string]*leases{}}
	f.load()
	return f
}

func TestWhoGetsAnOffer(t *testing.T) {
	const stranger, known, mapped = "02:00:00:00:cc:01", "02:00:00:00:aa:09", "02:00:00:00:aa:01"
	for name, c := range map[string]struct {
		edit func(Tree)
		want map[string]string // by MAC; "": none
	}{
		"anybody": {func(Tree) {}, map[string]string{stranger: "10.99.0.100", mapped: "10.99.0.11"}},
		"a mapping without an address": {func(c Tree) {
			c.Set("dhcpd/opt1/staticmap", []Tree{{"mac": "02:00:00:00:AA:09", "ipaddr": ""}})
		}, map[string]string{known: "10.99.0.100"}},
		"only the known, in the second pool": {func(c Tree) {
			c.Set("dhcpd/opt1/denyunknown", "enabled")
			c.Set("dhcpd/opt1/staticmap", []Tree{{"mac": known}})
		}, map[string]string{stranger: "10.99.0.160", known: "10.99.0.100"}},
		"only the known": {func(c Tree) {
			c.Set("dhcpd/opt1/denyunknown", "")
			c.Set("dhcpd/opt1/pool/0/denyunknown", "class")
			c.Set("dhcpd/opt1/staticmap", []Tree{{"mac": known}})
		}, map[string]string{stranger: "", known: "10.99.0.100"}},
		"unknown ones explicitly": {func(c Tree) {
			c.Set("dhcpd/opt1/denyunknown", "disabled")
		}, map[string]string{stranger: "10.99.0.100"}},
		"allowed": {func(c Tree) {
			c.Remove("dhcpd/opt1/pool")
			c.Set("dhcpd/opt1/mac_allow", "AA:BB:CC, 02:00:00:00:CC")
		}, map[string]string{stranger: "10.99.0.100", known: ""}},
		"denied": {func(c Tree) {
			c.Remove("dhcpd/opt1/pool")
			c.Set("dhcpd/opt1/mac_deny", "02:00:00:00:cc:01")
		}, map[string]string{stranger: "", known: "10.99.0.100"}},
		"one address": {func(c Tree) {
			c.Remove("dhcpd/opt1/pool")
			c.Set("dhcpd/opt1/range/to", "10.99.0.100")
		}, map[string]string{stranger: "10.99.0.100"}},
		"DHCP off": {func(c Tree) {
			c.Remove("dhcpd/opt1/enable")
		}, map[string]string{stranger: "", mapped: ""}},
		"no address of its own": {func(c Tree) { c.Set("interfaces/opt1/ipaddr", "dhcp") }, map[string]string{stranger: ""}},
	} {
		t.Run(name, func(t *testing.T) {
			for mac, want := range c.want {
				got, _ := offered(t, inMemory(c.edit), mac)
				if want == "" && got.IsValid() || want != "" && got.String() != want {
					t.Errorf("%s: %v, want %q", mac, got, want)
				}
			}
		})
	}
}

func TestLeases(t *testing.T) {
	f := inMemory(func(c Tree) {
		c.Remove("dhcpd/opt1/pool")
		c.Set("dhcpd/opt1/range/to", "10.99.0.101")
	})
	request := func(addr string) dhcpv4.Modifier {
		return func(p *dhcpv4.DHCPv4) {
			p.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
			p.UpdateOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr)))
		}
	}
	one, two, three := "02:00:00:00:cc:01", "02:00:00:00:cc:02", "02:00:00:00:cc:03"
	first, _ := offered(t, f, one)
	if again, _ := offered(t, f, one); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	if second, _ := offered(t, f, two); second == first || !second.IsValid() {
		t.Errorf("two clients are offered %v and %v", first, second)
	}
	if third, _ := offered(t, f, three); third.IsValid() {
		t.Errorf("a full pool offers %v", third)
	}
	if len(f.leased()) != 0 {
		t.Errorf("an offer is a lease: %v", f.leased())
	}
	if _, kind := offered(t, f, one, request(first.String())); kind != dhcpv4.MessageTypeAck {
		t.Errorf("%v", kind)
	}
	if _, kind := offered(t, f, two, request("10.99.0.77")); kind != dhcpv4.MessageTypeNak {
		t.Errorf("another address: %v", kind)
	}
	if _, kind := offered(t, f, one, request(first.String()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 99, 0, 9)))); kind != dhcpv4.MessageTypeNone {
		t.Errorf("another server's: %v", kind)
	}
	if got := f.leased(); len(got) != 1 || got[0] != first.String() {
		t.Errorf("leased %v", got)
	}
	if _, kind := offered(t, f, one, dhcpv4.WithMessageType(dhcpv4.MessageTypeRelease)); kind != dhcpv4.MessageTypeNone {
		t.Errorf("a release is answered: %v", kind)
	}
}

func FuzzReply(f *testing.F) {
	p, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1}, dhcpv4.WithUserClass("iPXE", false),
		dhcpv4.WithRelay(net.IPv4(10, 99, 0, 2)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.ToBytes())
	f.Add(p.ToBytes()[:241])
	p.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeRequest))
	p.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 7, 0}))
	f.Add(p.ToBytes())
	wall := inMemory(func(c Tree) {
		c.Set("dhcpd/opt1/netboot", "")
		c.Set("dhcpd/opt1/filename64", "ipxe.efi")
	})
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply, err := wall.reply("opt1", packet)
		if err != nil {
			return
		}
		if _, err := dhcpv4.FromBytes(reply.ToBytes()); err != nil {
			t.Errorf("the answer is not DHCP: %v", err)
		}
	})
}

func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"command":"(rm -f /tmp/pxeagent-00000000000000000000000000000000)"}`))
	f.Add([]byte(
		`<methodCall><methodName>pfsense.exec_php</methodName><params><param><value><string>$pxeagent_args = 'e30=';` +
			`</string></value></param></params></methodCall>`))
	f.Add([]byte("$pxeagent_args = 'eyJvcCI6IndyaXRlIiwiaWQiOiJvcHQxIiwiYmVmb3JlIjpudWxsLCJhZnRlciI6e319';\n"))
	wall := inMemory(func(Tree) {})
	before := wall.saved.String()
	f.Fuzz(func(t *testing.T, body []byte) {
		wall.opOfCommand(body)
		if c, err := parseCall(body); err == nil {
			c.op()
		}
		wall.php(string(body), "", "")
		inflate(string(body))
		if after := wall.saved.String(); after != before {
			t.Errorf("written: %s", after)
		}
	})
}
