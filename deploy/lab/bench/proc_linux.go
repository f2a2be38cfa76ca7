package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the kernel's unit of processor time in /proc/PID/stat (USER_HZ), the same on every Linux.
const tick = 10 * time.Millisecond

// stat is what /proc says of a process.
type stat struct {
	pid, parent int
	ended       time.Duration // processor time of its children that ended and that it waited for
}

// family is the process with that number and all that descend from it.
func family(pid int) ([]stat, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []stat
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		if s, err := readStat(text); err == nil {
			all = append(all, s)
		}
	}
	in := map[int]bool{pid: true}
	for found := true; found; {
		found = false
		for _, s := range all {
			if in[s.parent] && !in[s.pid] {
				in[s.pid], found = true, true
			}
		}
	}
	var out []stat
	for _, s := range all {
		if in[s.pid] {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("process %d has ended", pid)
	}
	return out, nil
}

// readStat reads the line of /proc/PID/stat, proc(5). The second field is a name in brackets, which may have anything
// in it.
func readStat(text []byte) (stat, error) {
	var s stat
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return s, fmt.Errorf("not a line of stat: %q", text)
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 15 {
		return s, fmt.Errorf("not a line of stat: %q", text)
	}
	var err error
	number := func(b []byte) int {
		n, bad := strconv.Atoi(string(b))
		if bad != nil {
			err = bad
		}
		return n
	}
	s.pid = number(bytes.TrimSpace(text[:open]))
	s.parent = number(fields[1])
	for _, field := range fields[13:15] { // cutime, cstime
		s.ended += time.Duration(number(field)) * tick
	}
	return s, err
}

// cpu is the processor time that a process and its descendants have used. That of the living is read from their clocks
// (clock_getcpuclockid(3)), which count nanoseconds.
func cpu(pid int) (time.Duration, error) {
	all, err := family(pid)
	var sum time.Duration
	for _, s := range all {
		var t unix.Timespec
		if unix.ClockGettime(int32(^s.pid<<3|2), &t) == nil {
			sum += time.Duration(t.Nano())
		}
		sum += s.ended
	}
	return sum, err
}

// forgetPeak makes peak start from what is resident now.
func forgetPeak(pid int) error {
	all, err := family(pid)
	for _, s := range all {
		// One that ended meanwhile is none of the server's own.
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0)
	}
	return err
}

// peak is the most memory that a process and its descendants had resident since forgetPeak, in bytes.
func peak(pid int) (int64, error) { return memory(pid, "VmHWM:") }

// resident is what they have now.
func resident(pid int) (int64, error) { return memory(pid, "VmRSS:") }

// memory adds up a line of /proc/PID/status.
func memory(pid int, line string) (int64, error) {
	all, err := family(pid)
	var sum int64
	for _, s := range all {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
		_, after, _ := bytes.Cut(text, []byte(line))
		if fields := bytes.Fields(after); len(fields) > 0 {
			kB, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			sum += kB << 10
		}
	}
	return sum, err
}
