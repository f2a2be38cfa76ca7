package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// machine asks for boot files as firmware and iPXE do: the same options in the same order, the same headers.
type machine struct {
	t      *testing.T
	host   *lab.Host
	site   *site.Site
	mac    string
	facts  url.Values
	client http.Client
}

const (
	ipxeAgent = "iPXE/1.21.1+git-20220113.fbbdc3926"
	uefiAgent = "UefiHttpBoot/1.0"
)

// newMachine plugs a machine into the site's network. arch is iPXE's ${buildarch}, platform its ${platform}.
func newMachine(t *testing.T, s *site.Site, name, addr, arch, platform string) *machine {
	t.Helper()
	m := &machine{t: t, site: s, host: s.Seg.Host(name, "eth1", addr+"/24")}
	m.mac = m.host.MAC("eth1")
	m.facts = url.Values{"mac": {m.mac}, "buildarch": {arch}, "platform": {platform}, "manufacturer": {"QEMU"}}
	m.client = http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, addr string) (conn net.Conn, err error) {
			m.host.Do(func() { conn, err = net.Dial(network, addr) })
			return conn, err
		},
	}}
	return m
}

// http asks for a file and reads it, and returns the status.
func (m *machine) http(method, path, agent string) int {
	m.t.Helper()
	req, err := http.NewRequest(method, "http://"+m.site.Addr+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	resp, err := m.client.Do(req)
	if err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		m.t.Fatalf("%s: %v", path, err)
	}
	return resp.StatusCode
}

// fetch is http as iPXE, of a file that must be there.
func (m *machine) fetch(paths ...string) {
	m.t.Helper()
	for _, path := range paths {
		if code := m.http(http.MethodGet, path, ipxeAgent); code != http.StatusOK {
			m.t.Fatalf("%s: %d", path, code)
		}
	}
}

// menu fetches the menu, telling the machine's facts.
func (m *machine) menu() {
	m.t.Helper()
	m.fetch("/ipxe/bootstrap.ipxe?" + strings.ReplaceAll(m.facts.Encode(), "+", "%20"))
}

// Options of TFTP requests, as they are sent by each kind of client.
var (
	ipxeOptions = []string{"blksize", "1432", "tsize", "0"}
	uefiOptions = []string{"tsize", "0", "blksize", "1468", "windowsize", "4"}
	biosOptions = []string{"tsize", "0", "blksize", "1456"}
)

// tftp fetches a file and returns its size. A machine that dozes answers the first block only when it has come for the
// second time.
func (m *machine) tftp(name string, dozes bool, options ...string) (int, error) {
	m.t.Helper()
	var conn *net.UDPConn
	var err error
	m.host.Do(func() { conn, err = net.ListenUDP("udp4", nil) })
	if err != nil {
		m.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.t.Fatal(err)
	}
	request := "\x00\x01" + name + "\x00octet\x00" + strings.Join(options, "\x00") + "\x00"
	peer := netip.AddrPortFrom(netip.MustParseAddr(m.site.Addr), 69)
	if _, err := conn.WriteToUDPAddrPort([]byte(request), peer); err != nil {
		return 0, err
	}
	size, block, unanswered := 0, uint16(0), 0
	granted := map[string]int{"blksize": 512, "windowsize": 1}
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return size, err
		}
		ack := func(b uint16) error {
			_, err := conn.WriteToUDPAddrPort(binary.BigEndian.AppendUint16([]byte{0, 4}, b), from)
			return err
		}
		switch op := binary.BigEndian.Uint16(buf); {
		case op == 5:
			return size, fmt.Errorf("error %d: %s", binary.BigEndian.Uint16(buf[2:]), buf[4:n])
		case op == 6:
			for i, words := 0, strings.Split(string(buf[2:n]), "\x00"); i+1 < len(words); i += 2 {
				if granted[words[i]], err = strconv.Atoi(words[i+1]); err != nil {
					return 0, err
				}
			}
			if err := ack(0); err != nil {
				return size, err
			}
		case op != 3:
			return size, errors.New("neither data nor an error")
		case binary.BigEndian.Uint16(buf[2:]) == block+1:
			if dozes && unanswered == 0 {
				unanswered++
				continue
			}
			block++
			size += n - 4
			last := n-4 < granted["blksize"]
			if !last && int(block)%granted["windowsize"] != 0 {
				continue // the window has more (RFC 7440)
			}
			if err := ack(block); err != nil || last {
				return size, err
			}
		default: // a block that came twice, or was overtaken
			if err := ack(block); err != nil {
				return size, err
			}
		}
	}
}

// load is tftp of a file that must be there.
func (m *machine) load(name string, options ...string) {
	m.t.Helper()
	if size, err := m.tftp(name, false, options...); err != nil || size == 0 {
		m.t.Fatalf("%s by TFTP: %d bytes, %v", name, size, err)
	}
}
