package main

import (
	"net/netip"
	"strings"
	"time"
)

// The files that are served, in the TFTP tree or the HTTP tree.
const (
	smallFile = "small.cfg"
	nbpFile   = "nbp"
	mbFile    = "1m"
	bigFile   = "64m.img"
	roomFile  = "16m.img"
	fleetFile = "fleet.img"
	menuPath  = "/ipxe/bootstrap.ipxe?mac=52-54-00-12-34-56&uuid=4c4c4544-0042-4410-8051-b7c04f4a3258" +
		"&platform=efi&buildarch=x86_64"
	fragmentPath = "/ipxe/menu.d/installer-0.ipxe" // what is chosen in the menu
	kernelPath   = "/installer-0/linux"
)

// smallText is the small file: what an installer's few lines are.
var smallText = strings.Repeat("nothing to install on this machine\n", 9)[:307]

// smallTime is when the small files were written to last, as they say.
var smallTime = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)

// test is one piece of work, which every server does that speaks its protocol.
type test struct {
	name    string
	of      string // the server whose cost pxeagent's is compared with
	only    string // kinds of servers, by the beginning of their names; "": all
	without string // kinds that do not do it
	path    path
	at      int  // clients at once
	count   int  // transfers in all; less than at: at
	warm    bool // each client has fetched something before, as a machine its first file
	volume  bool // what counts is bytes
	client  func(s *server, client netip.Addr) client
	// play is what is done in place of fetching count times.
	play func(b *bench, s *server, t test) (sample, error)
}

// client fetches something again and again.
type client interface {
	fetch() (int64, error)
	close()
}

func tftpGet(file string, window int) func(*server, netip.Addr) client {
	return func(s *server, from netip.Addr) client {
		return &tftpClient{server: s.addr, client: from, file: file, window: window}
	}
}

func httpGet(path string) func(*server, netip.Addr) client {
	return func(s *server, from netip.Addr) client { return &httpClient{server: s.addr, client: from, path: path} }
}

func httpOnce(path string) func(*server, netip.Addr) client {
	return func(s *server, from netip.Addr) client {
		return &httpClient{server: s.addr, client: from, path: path, fresh: true}
	}
}

// tests are all, in the order of the table. An NBP has 93,955 bytes, 66 blocks.
var tests = []test{
	{name: "tftp nbp, 1 at a time", of: "dnsmasq", at: 1, count: 300, client: tftpGet(nbpFile, 0)},
	{name: "tftp nbp, 40 at once", of: "dnsmasq", at: 40, count: 1000, warm: true, client: tftpGet(nbpFile, 0)},
	{
		name: "tftp nbp, windowsize 4, 40 at once", of: "dnsmasq", at: 40, count: 1000, warm: true,
		client: tftpGet(nbpFile, 4),
	},
	{
		name: "tftp 1 MB, windowsize 16, 20 at once", of: "atftpd", at: 20, count: 200, warm: true, volume: true,
		client: tftpGet(mbFile, 16),
	},
	{
		name: "tftp nbp, 2 % lost, 40 at once", of: "dnsmasq", path: path{loss: "2"}, at: 40, count: 80, warm: true,
		client: tftpGet(nbpFile, 0),
	},
	{
		name: "tftp nbp, 10 Mbit/s, 10 at once", of: "dnsmasq", path: path{rate: "10mbit"}, at: 10, count: 20, warm: true,
		client: tftpGet(nbpFile, 0),
	},
	{
		name: "tftp nbp, windowsize 4, 10 Mbit/s, 10 at once", of: "dnsmasq", path: path{rate: "10mbit"}, at: 10, count: 20,
		warm: true, client: tftpGet(nbpFile, 4),
	},
	{name: "tftp nbp, 1,000 machines at once", of: "dnsmasq", without: singlePort, at: 1000, client: tftpGet(nbpFile, 0)},
	{name: "tftp nbp, 4,000 machines at once", of: "dnsmasq", only: "pxeagent dnsmasq", without: singlePort, at: 4000,
		client: tftpGet(nbpFile, 0)},
	{name: "tftp 1 MB, 4 at once in a flood", only: "pxeagent", without: singlePort, at: 4, count: 200, play: flooded},
	{name: "http 307 bytes, 1 client", of: "net/http", at: 1, count: 5000, client: httpGet("/" + smallFile)},
	{name: "http 307 bytes, 20 clients", of: "net/http", at: 20, count: 30000, client: httpGet("/" + smallFile)},
	{
		name: "http 307 bytes, 20 clients, a connection each", of: "net/http", at: 20, count: 8000,
		client: httpOnce("/" + smallFile),
	},
	{
		name: "http 64 MB, 1 client", of: "nginx", without: "net/http", at: 1, count: 30, volume: true,
		client: httpGet("/" + bigFile),
	},
	{
		name: "http 64 MB, 4 clients", of: "nginx", without: "net/http", at: 4, count: 40, volume: true,
		client: httpGet("/" + bigFile),
	},
	{
		name: "http 16 MB, 200 clients", of: "nginx", without: "net/http", at: 200, count: 400, volume: true,
		client: httpGet("/" + roomFile),
	},
	{name: "http menu, 20 clients", only: "pxeagent", at: 20, count: 10000, client: httpGet(menuPath)},
	{
		name: "fleet: 640 machines load an image at once", of: "nginx", without: "net/http", at: 640, volume: true,
		client: httpGet("/" + fleetFile),
	},
	{name: "fleet: 10,000 machines boot, 40 at once", only: "pxeagent", at: 40, count: 10000, play: soak},
	{name: "fleet: 100 machines lose power and boot again", only: "pxeagent", at: 100, play: powerCut},
}

// on reports whether a server does the test.
func (t test) on(k kind) bool {
	tftp := strings.HasPrefix(t.name, "tftp")
	switch {
	case tftp && !k.tftp, !tftp && !k.http:
		return false
	case t.without != "" && strings.HasSuffix(k.name, t.without):
		return false
	case t.only == "":
		return true
	case k.agent:
		return strings.Contains(t.only, "pxeagent")
	}
	return strings.Contains(t.only, k.name)
}
