// Package dnsmasqtest is the Dnsmasq and the web server of stand-in appliances, for tests and for the demonstration.
// The Dnsmasq answers DISCOVERs as dnsmasq 2.90 does by the lines that have to do with network boot, and leases
// nothing; a test compares the two.
package dnsmasqtest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Daemon answers until it is closed. Before Load it answers nobody.
type Daemon struct {
	conn   net.PacketConn
	device string // what requests are tagged with
	own    netip.Addr
	done   sync.WaitGroup

	mu    sync.Mutex
	lines []line // nil: it does not run
}

// line is one line of a configuration.
type line struct {
	name   string
	tags   []string // conditions: "lan", "!x"
	fields []string // the rest
}

// Start starts one on loopback that calls itself own, and answers to the port that it was asked from.
func Start(device string, own netip.Addr) (*Daemon, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("starting the DHCP server: %w", err)
	}
	d := &Daemon{conn: conn, device: device, own: own}
	d.done.Go(d.serve)
	return d, nil
}

// Addr is where it answers.
func (d *Daemon) Addr() netip.AddrPort {
	a := d.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Close ends it.
func (d *Daemon) Close() {
	d.conn.Close()
	d.done.Wait()
}

// Stop makes it answer nobody until the next Load, as a crash does.
func (d *Daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = nil
}

// Running reports whether it was loaded with lines that it could start with.
func (d *Daemon) Running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines != nil
}

// Check fails for the first line with which dnsmasq would not start.
func Check(conf string) error {
	_, err := parse(conf)
	return err
}

// Load restarts it with the text of a configuration. If that has a broken line it runs no more.
func (d *Daemon) Load(conf string) error {
	lines, err := parse(conf)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = nil
	if err == nil {
		d.lines = lines
	}
	return err
}

func parse(conf string) ([]line, error) {
	lines := []line{}
	n := 0
	for text := range strings.Lines(conf) {
		n++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if strings.Count(text, `"`)%2 == 1 {
			return nil, fmt.Errorf("missing \" at line %d", n)
		}
		name, value, _ := strings.Cut(strings.ReplaceAll(text, `"`, ""), "=")
		if strings.ContainsAny(name, " /") || name == "" {
			return nil, fmt.Errorf("bad option at line %d", n)
		}
		l := line{name: name, fields: strings.Split(value, ",")}
		if strings.HasPrefix(name, "dhcp-option") && len(l.fields) > 1 && bare(l.fields[0]) {
			l.tags, l.fields = append(l.tags, l.fields[0]), l.fields[1:]
		}
		for len(l.fields) > 0 {
			tag, ok := strings.CutPrefix(l.fields[0], "tag:")
			if !ok {
				if tag, ok = strings.CutPrefix(l.fields[0], "net:"); !ok {
					break
				}
			}
			l.tags, l.fields = append(l.tags, tag), l.fields[1:]
		}
		if (name == "dhcp-boot" || name == "dhcp-option") && len(l.fields) == 0 {
			return nil, fmt.Errorf("bad %s at line %d", name, n)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// bare reports whether the first field of a dhcp-option line is a tag without the word before it, as old versions had
// it.
func bare(field string) bool {
	return !strings.Contains(field, ":") && strings.Trim(field, "0123456789") != ""
}

func (d *Daemon) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		ask, err := dhcpv4.FromBytes(buf[:n])
		if err != nil || ask.MessageType() != dhcpv4.MessageTypeDiscover {
			continue
		}
		d.mu.Lock()
		offer := d.offer(ask)
		d.mu.Unlock()
		if offer != nil {
			_, _ = d.conn.WriteTo(offer.ToBytes(), from)
		}
	}
}

// offer is the answer; nil for none. The caller holds the lock.
func (d *Daemon) offer(ask *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	first, ok := d.lease()
	if !ok {
		return nil
	}
	tags := d.tags(ask)
	for _, l := range d.lines {
		if l.name == "dhcp-ignore" && len(l.tags) > 0 && meets(l.tags, tags) {
			return nil
		}
	}
	offer, err := dhcpv4.NewReplyFromRequest(ask, dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer),
		dhcpv4.WithServerIP(d.own.AsSlice()), dhcpv4.WithYourIP(first.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(d.own.AsSlice())),
		dhcpv4.WithOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32))),
		dhcpv4.WithOption(dhcpv4.OptRouter(d.own.AsSlice())))
	if err != nil {
		return nil
	}
	d.boot(ask, offer, tags)
	for _, l := range d.lines {
		code, value := "", ""
		if len(l.fields) == 2 {
			code, value = strings.TrimPrefix(l.fields[0], "option:"), l.fields[1]
		}
		n, err := strconv.Atoi(code)
		if err != nil || !meets(l.tags, tags) {
			continue
		}
		asked := ask.IsOptionRequested(dhcpv4.GenericOptionCode(n))
		switch {
		case l.name == "dhcp-option-force", l.name == "dhcp-option" && asked:
			b := []byte(value)
			if n == 67 {
				// dnsmasq puts both names into one option; each ends in NUL.
				b = slices.Concat(offer.Options.Get(dhcpv4.GenericOptionCode(n)), b, []byte{0})
			}
			offer.UpdateOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(n), b))
		}
	}
	return offer
}

// lease is the first address of a range for the device.
func (d *Daemon) lease() (netip.Addr, bool) {
	for _, l := range d.lines {
		if l.name != "dhcp-range" || len(l.fields) < 2 {
			continue
		}
		f := l.fields
		if strings.HasPrefix(f[0], "set:") {
			f = f[1:]
		}
		if a, err := netip.ParseAddr(f[0]); err == nil && a.Is4() && meets(l.tags, []string{d.device}) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// tags are those of a request.
func (d *Daemon) tags(ask *dhcpv4.DHCPv4) []string {
	tags := []string{d.device}
	for _, l := range d.lines {
		if len(l.fields) == 0 {
			continue
		}
		tag, ok := strings.CutPrefix(l.fields[0], "set:")
		switch {
		case !ok:
		case l.name == "dhcp-range", l.name == "dhcp-match" && len(l.fields) > 1 && matches(ask, l.fields[1], l.fields[2:]):
			tags = append(tags, tag)
		}
	}
	return tags
}

// matches reports whether the request has that option, with one of values if there are any.
func matches(ask *dhcpv4.DHCPv4, option string, values []string) bool {
	code, err := strconv.Atoi(strings.Replace(strings.TrimPrefix(option, "option:"), "client-arch", "93", 1))
	if err != nil {
		return false
	}
	got := ask.Options.Get(dhcpv4.GenericOptionCode(code))
	switch {
	case got == nil:
		return false
	case len(values) == 0 || values[0] == "":
		return true
	case code == 93 && len(got) == 2:
		return slices.Contains(values, strconv.Itoa(int(got[0])<<8|int(got[1])))
	}
	return slices.Contains(values, string(got))
}

// meets reports whether all conditions hold.
func meets(conditions, tags []string) bool {
	return !slices.ContainsFunc(conditions, func(c string) bool {
		plain, negated := strings.CutPrefix(c, "!")
		return slices.Contains(tags, plain) == negated
	})
}

// boot adds what the last dhcp-boot line says whose tags are met; one without tags counts only where none with tags
// does.
func (d *Daemon) boot(ask, offer *dhcpv4.DHCPv4, tags []string) {
	var found *line
	for i, l := range d.lines {
		if l.name == "dhcp-boot" && meets(l.tags, tags) && (found == nil || len(l.tags) > 0 || len(found.tags) == 0) {
			found = &d.lines[i]
		}
	}
	if found == nil {
		return
	}
	file := found.fields[0]
	server, next := "", d.own
	if len(found.fields) > 1 {
		server = found.fields[1]
	}
	if len(found.fields) > 2 {
		if a, err := netip.ParseAddr(found.fields[2]); err == nil {
			next = a
		}
	}
	offer.ServerIPAddr = next.AsSlice()
	if ask.IsOptionRequested(dhcpv4.OptionBootfileName) {
		offer.UpdateOption(dhcpv4.OptBootFileName(file + "\x00"))
	} else {
		offer.BootFileName = file
	}
	switch {
	case server == "":
	case ask.IsOptionRequested(dhcpv4.OptionTFTPServerName):
		offer.UpdateOption(dhcpv4.OptTFTPServerName(server))
	default:
		offer.ServerHostName = server
	}
}
