package dnsmasq

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processes lists the processes that are Dnsmasq, whatever their name, and in this thread's network namespace. One
// whose namespace cannot be read (not root) is included.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	sockets, err := dnsmasqSockets()
	if err != nil {
		return nil, err
	}
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		if ns, err := os.Readlink(dir + "/ns/net"); err == nil && ns != here {
			continue
		}
		is := kindOf(dir, sockets)
		if is == notDnsmasq {
			continue
		}
		if p, ok := readProcess(pid, dir); ok {
			if p.pihole = is == pihole; p.pihole {
				p.args = []string{"--conf-file=" + piholeFile}
			}
			list = append(list, p)
		}
	}
	return list, nil
}

// readProcess is not ok if the process has ended meanwhile.
func readProcess(pid int, dir string) (process, bool) {
	cmdline, err := os.ReadFile(dir + "/cmdline")
	if err != nil || len(cmdline) == 0 {
		return process{}, false
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, false
	}
	// The name in brackets may hold anything; the numbers follow its last bracket: state, ppid, …, starttime (field 22).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return process{}, false
	}
	p := process{pid: pid, start: fields[19]}
	p.parent, _ = strconv.Atoi(fields[1])
	argv := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	p.args = argv[1:]
	p.program = argv[0]
	if exe, err := os.Readlink(dir + "/exe"); err == nil {
		// After an upgrade of the package the file that runs is gone and a new one has its name.
		p.program = strings.TrimSuffix(exe, " (deleted)")
	}
	return p, true
}

// sees reports whether dir is the same folder for p as for us: in a container it may not be. If
// that cannot be read (not root), it is assumed to be.
func sees(p process, dir string) bool {
	theirs, err := os.Stat(filepath.Join("/proc", strconv.Itoa(p.pid), "root", dir))
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	ours, err := os.Stat(dir)
	return err == nil && os.SameFile(ours, theirs)
}

// listens reports whether p has a UDP socket on port in this thread's network namespace. If its
// files cannot be read (not root), any process's socket counts.
func listens(p process, port int) (bool, error) {
	sockets, err := udpSockets(port)
	if err != nil || len(sockets) == 0 {
		return false, err
	}
	dir := fmt.Sprintf("/proc/%d/fd", p.pid)
	fds, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && sockets[to] {
			return true, nil
		}
	}
	return false, nil
}

// udpSockets are the UDP sockets on a port, as /proc/PID/fd names them: "socket:[4711]".
func udpSockets(port int) (map[string]bool, error) {
	text, err := os.ReadFile("/proc/thread-self/net/udp")
	if err != nil {
		return nil, err
	}
	sockets := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// sl, local address:port in hex, remote, …; the inode is field 10.
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			sockets["socket:["+f[9]+"]"] = true
		}
	}
	return sockets, nil
}

// diesWithin waits for the end of p, at most that long.
func diesWithin(p process, limit time.Duration) (bool, error) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	if now, ok := readProcess(p.pid, fmt.Sprintf("/proc/%d", p.pid)); !ok || !now.same(p) {
		return true, nil
	}
	deadline := time.Now().Add(limit)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
			max(0, int(time.Until(deadline).Milliseconds())))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0, err
	}
}

// unitOf is the systemd unit of p, "" if it is not one of Dnsmasq's own.
func unitOf(p process) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.pid))
	if err != nil {
		return ""
	}
	return unitIn(string(text))
}
