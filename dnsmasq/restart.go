package dnsmasq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// load restarts Dnsmasq, which reads these settings only when it starts, and waits until the new
// process listens. Its error wraps ErrRestart.
func (s *Server) load(ctx context.Context) error {
	before, err := s.daemons()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRestart, err)
	}
	state, err := s.state()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRestart, err)
	}
	t, err := s.find(state.Raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRestart, err)
	}
	command := s.cfg.Restart
	if len(command) == 0 {
		command = restartCommand(runtime.GOOS, unitOf(t.process), func(path string) bool {
			_, err := os.Stat(path)
			return err == nil
		})
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartLimit+30*time.Second)
	defer cancel()
	s.step("restart")
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.WaitDelay = time.Second
	// A daemon that keeps our pipe open does not make the command fail.
	if out, err := cmd.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("%w: %s: %w%s", ErrRestart, strings.Join(command, " "), err, said(out))
	}
	p, err := s.await(ctx, before, dhcpPort(t.tree))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRestart, err)
	}
	s.cfg.Log.Info("Dnsmasq restarted", "iface", s.cfg.Interface, "pid", p.pid)
	s.step("restarted")
	return nil
}

// await waits for a daemon that was not running before, until it listens on port (0: not needed) and
// has stayed up for a moment. It compares processes, not times: a daemon that is not among those from
// before was started after the drop-in was written, and has read it.
func (s *Server) await(ctx context.Context, before []process, port int) (process, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.StartLimit)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		p, up, err := s.started(before, port)
		if err != nil {
			return process{}, err
		}
		if up {
			dead, err := diesWithin(p, s.settle)
			if err == nil && dead {
				err = fmt.Errorf("process %d ended right after it started", p.pid)
			}
			return p, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			if err := context.Cause(ctx); err != context.DeadlineExceeded {
				return process{}, err
			}
			if p.pid != 0 {
				return process{}, fmt.Errorf("process %d did not listen on UDP port %d within %v", p.pid, port, s.cfg.StartLimit)
			}
			return process{}, fmt.Errorf("no new process reads %s within %v", s.cfg.ConfDir, s.cfg.StartLimit)
		}
	}
}

// started is a daemon that reads the folder and was not running before; up: it listens.
func (s *Server) started(before []process, port int) (p process, up bool, err error) {
	now, err := s.daemons()
	if err != nil {
		return process{}, false, err
	}
	for _, p := range now {
		if slices.ContainsFunc(before, p.same) {
			continue
		}
		// It may not have read the folder yet: another Dnsmasq may have been started by chance.
		if t, err := readTree(p.args, s.cfg.MainFile, s.file, []byte{}); err != nil || t.own < 0 {
			continue
		}
		if port != 0 {
			if up, err = listens(p, port); err != nil || !up {
				return p, false, err
			}
		}
		return p, true, nil
	}
	return process{}, false, nil
}

// dhcpPort is the port on which a daemon with that configuration receives DHCP requests; 0: none.
func dhcpPort(t tree) int {
	port, serves := 67, false
	for _, d := range t.lines {
		switch d.name {
		case "dhcp-range":
			_, ok := asRange(d)
			serves = serves || ok
		case "dhcp-relay":
			serves = true
		case "dhcp-alternate-port":
			port = 1067
			if len(d.fields) > 0 {
				if n, err := strconv.Atoi(d.fields[0]); err == nil {
					port = n
				}
			}
		}
	}
	if !serves {
		return 0
	}
	return port
}

// restartCommand is this machine's init system's command to restart Dnsmasq, whose unit may be given. exists checks a
// path.
func restartCommand(system, unit string, exists func(string) bool) []string {
	switch {
	case system != "linux":
		return []string{"service", "dnsmasq", "restart"}
	case exists("/run/systemd/system"):
		return []string{"systemctl", "restart", cmp.Or(unit, "dnsmasq.service")}
	case exists("/etc/openwrt_release"):
		return []string{"/etc/init.d/dnsmasq", "restart"}
	case exists("/sbin/openrc-run"):
		return []string{"rc-service", "dnsmasq", "restart"}
	}
	return []string{"service", "dnsmasq", "restart"}
}

// unitIn finds the unit in a process's cgroups. Only one of Dnsmasq's own is used: another's (NetworkManager,
// libvirt) must not be restarted for this.
func unitIn(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		unit := path.Base(strings.TrimSpace(line))
		if unit == "pihole-FTL.service" || strings.HasPrefix(unit, "dnsmasq") && strings.HasSuffix(unit, ".service") {
			return unit
		}
	}
	return ""
}

// said is the last line of a command's output, for an error.
func said(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}
