//go:build !linux

package dnsmasq

import (
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// processes lists the processes named dnsmasq by ps(1), which does not distinguish one argument with a space
// from two, nor show which network a process belongs to.
func processes() ([]process, error) {
	out, err := exec.Command("ps", "-axww", "-o", "pid=", "-o", "ppid=", "-o", "lstart=", "-o", "command=").Output()
	if err != nil {
		return nil, err
	}
	var list []process
	for line := range strings.Lines(string(out)) {
		// pid, ppid, "Sun Nov 22 16:00:00 2026", command
		f := strings.Fields(line)
		if len(f) < 8 || f[7][strings.LastIndexByte(f[7], '/')+1:] != "dnsmasq" {
			continue
		}
		p := process{program: f[7], args: f[8:], start: strings.Join(f[2:7], " ")}
		p.pid, _ = strconv.Atoi(f[0])
		p.parent, _ = strconv.Atoi(f[1])
		list = append(list, p)
	}
	return list, nil
}

func sees(process, string) bool { return true }

// listens cannot be checked here: a running daemon is assumed to listen.
func listens(process, int) (bool, error) { return true, nil }

// diesWithin checks once more after the time: the end of another process's child is not an event here.
func diesWithin(p process, limit time.Duration) (bool, error) {
	time.Sleep(limit)
	list, err := processes()
	if err != nil {
		return false, err
	}
	for _, q := range list {
		if q.same(p) {
			return false, nil
		}
	}
	return true, nil
}

func unitOf(process) string { return "" }
