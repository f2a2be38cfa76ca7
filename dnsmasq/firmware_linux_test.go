package dnsmasq

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// TestFirmwareTakesTheOffers has real firmware ask: what it then fetches, and whence, says what it understood.
func TestFirmwareTakesTheOffers(t *testing.T) {
	lab.NeedQEMU(t)
	for _, c := range []struct {
		name string
		mode Mode
		qemu lab.QEMU
		want string // the first request to next-server
	}{
		{"UEFI", ModeServer, lab.QEMU{UEFI: true}, "RRQ ipxe.efi"},
		{"UEFI HTTP boot", ModeServer, lab.QEMU{UEFI: true, HTTPBoot: true}, "HEAD /ipxe.efi HTTP/1.1"},
		// QEMU's ROM is iPXE.
		{"iPXE", ModeServer, lab.QEMU{}, "GET /ipxe/bootstrap.ipxe HTTP/1.1"},
		{"proxy UEFI", ModeProxy, lab.QEMU{UEFI: true}, "RRQ ipxe.efi"},
		{"proxy UEFI HTTP boot", ModeProxy, lab.QEMU{UEFI: true, HTTPBoot: true}, "HEAD /ipxe.efi HTTP/1.1"},
		{"proxy iPXE", ModeProxy, lab.QEMU{}, "GET /ipxe/bootstrap.ipxe HTTP/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			extra := leasing
			if c.mode == ModeProxy {
				extra = ""
			}
			s := newSite(t, c.mode, extra)
			if c.mode == ModeProxy {
				s.leaser()
			}
			s.apply(testBoot(nextUp))
			requests := s.nextServer()
			c.qemu.MAC = "52:54:00:77:00:09"
			s.segment.Boot(c.qemu)
			select {
			case got := <-requests:
				if got != c.want {
					t.Errorf("it asks for %q, want %q", got, c.want)
				}
			case <-time.After(3 * time.Minute):
				t.Error("it asks for nothing")
			}
		})
	}
}

// nextServer is the machine at 10.77.0.7, which only says what it is first asked for by TFTP or HTTP.
func (s *site) nextServer() <-chan string {
	s.t.Helper()
	h := s.segment.Host("next", "eth0", nextUp+"/24")
	var tftp net.PacketConn
	var http net.Listener
	var errTFTP, errHTTP error
	h.Do(func() {
		tftp, errTFTP = net.ListenPacket("udp4", nextUp+":69")
		http, errHTTP = net.Listen("tcp4", nextUp+":8080")
	})
	if errTFTP != nil || errHTTP != nil {
		s.t.Fatal(errTFTP, errHTTP)
	}
	s.t.Cleanup(func() { tftp.Close(); http.Close() })
	asked := make(chan string, 2)
	go func() {
		buf := make([]byte, 600)
		if n, _, err := tftp.ReadFrom(buf); err == nil && n > 2 {
			name, _, _ := strings.Cut(string(buf[2:n]), "\x00")
			asked <- "RRQ " + name
		}
	}()
	go func() {
		conn, err := http.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			asked <- strings.TrimSpace(line)
		}
	}()
	return asked
}
