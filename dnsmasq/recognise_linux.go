package dnsmasq

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// kind is which program runs Dnsmasq's code.
type kind uint8

const (
	notDnsmasq kind = iota
	plainDnsmasq
	// pihole is Pi-hole's FTL, which has Dnsmasq built in and starts it with arguments of its own.
	pihole
)

// kindOf is what the process in dir (/proc/PID) is. One named dnsmasq is that; of others, only those that hold one of
// sockets are looked into: which program it is, its file says, whatever it is called.
func kindOf(dir string, sockets map[string]bool) kind {
	if comm, err := os.ReadFile(dir + "/comm"); err != nil {
		return notDnsmasq
	} else if string(bytes.TrimSpace(comm)) == "dnsmasq" {
		return plainDnsmasq
	}
	if len(sockets) == 0 || !holds(dir, sockets) {
		return notDnsmasq
	}
	f, err := os.Open(dir + "/exe")
	if err != nil {
		return notDnsmasq
	}
	defer f.Close()
	return programKind(f)
}

// holds reports whether the process in dir has one of sockets. Without the right to look it is none.
func holds(dir string, sockets map[string]bool) bool {
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && sockets[to] {
			return true
		}
	}
	return false
}

// dnsmasqSockets are the sockets on the ports on which Dnsmasq listens: DNS, DHCP and the PXE boot server.
func dnsmasqSockets() (map[string]bool, error) {
	all := map[string]bool{}
	for _, port := range []int{53, 67, 4011} {
		sockets, err := udpSockets(port)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for s := range sockets {
			all[s] = true
		}
	}
	return all, nil
}

// What a program file of Dnsmasq has among its texts: names of its options, and in FTL the command that tests a file.
var (
	dnsmasqMarks = [][]byte{[]byte("\x00dhcp-boot\x00"), []byte("\x00pxe-service\x00")}
	piholeMark   = []byte("\x00dnsmasq-test-file\x00")
)

// programKind reads a program file to its end.
func programKind(r io.Reader) kind {
	const step, longest = 1 << 20, 64
	buf := make([]byte, 0, step+longest)
	found := make([]bool, len(dnsmasqMarks))
	ftl := false
	for {
		n, err := io.ReadFull(r, buf[len(buf):len(buf)+step])
		buf = buf[:len(buf)+n]
		for i, mark := range dnsmasqMarks {
			found[i] = found[i] || bytes.Contains(buf, mark)
		}
		ftl = ftl || bytes.Contains(buf, piholeMark)
		if err != nil {
			break
		}
		buf = append(buf[:0], buf[len(buf)-longest:]...)
	}
	for _, has := range found {
		if !has {
			return notDnsmasq
		}
	}
	if ftl {
		return pihole
	}
	return plainDnsmasq
}
