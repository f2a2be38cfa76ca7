package dnsmasq

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is a running Dnsmasq.
type process struct {
	pid     int
	start   string // when it started, in the system's own unit: with pid it is the process's identity
	parent  int
	program string   // "" if it cannot be read
	args    []string // without the program's name; of FTL: those that it gives to the Dnsmasq in it
	pihole  bool     // Pi-hole's FTL, which has Dnsmasq in it
}

// piholeFile is the configuration that Pi-hole's FTL (version 6) writes for the Dnsmasq in it whenever it starts.
const piholeFile = "/etc/pihole/dnsmasq.conf"

func (p process) same(q process) bool { return p.pid == q.pid && p.start == q.start }

// target is the daemon whose configuration the drop-in belongs to, running or not.
type target struct {
	process
	running bool
	program string
	args    []string
	tree    tree // with the new drop-in
	// others are running daemons that read the folder as well.
	others []process
	// elsewhere are running daemons that do not.
	elsewhere []process
}

// find returns the running daemon that reads the drop-in, or if none does, the one that
// the system's defaults would start. raw is the new drop-in; nil: none.
func (s *Server) find(raw []byte) (target, error) {
	running, err := s.daemons()
	if err != nil {
		return target{}, fmt.Errorf("looking for the running Dnsmasq: %w", err)
	}
	probe := raw
	if probe == nil {
		// An empty file shows whether the folder is read.
		probe = []byte{}
	}
	var t target
	for _, p := range running {
		tr, err := readTree(p.args, s.cfg.MainFile, s.file, probe)
		switch {
		case err != nil && len(running) == 1:
			return target{}, err
		case err != nil || tr.own < 0 || !sees(p, s.cfg.ConfDir):
			t.elsewhere = append(t.elsewhere, p)
		case t.running:
			t.others = append(t.others, p)
		default:
			t.process, t.running, t.args, t.tree = p, true, p.args, tr
		}
	}
	if !t.running {
		if t.args, err = debianArgs(s.cfg.DefaultsFile); err != nil {
			return target{}, fmt.Errorf("reading Dnsmasq's arguments: %w", err)
		}
		if t.tree, err = readTree(t.args, s.cfg.MainFile, s.file, probe); err != nil {
			return target{}, err
		}
	}
	t.program, err = s.program(t.process.program)
	return t, err
}

// daemons are the processes with Dnsmasq in them of this network namespace, without the helpers that they fork.
func (s *Server) daemons() ([]process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	only := 0
	if s.cfg.PIDFile != "" {
		text, err := os.ReadFile(s.cfg.PIDFile)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if only, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			// A starting daemon is writing it.
			return nil, nil
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p process) bool {
		forked := slices.ContainsFunc(all, func(q process) bool { return p.parent == q.pid && slices.Equal(p.args, q.args) })
		return forked || slices.Contains(p.args, "--test") || (only != 0 && p.pid != only)
	}), nil
}

// program is the path of Dnsmasq.
func (s *Server) program(running string) (string, error) {
	if s.cfg.Command != "" {
		path, err := exec.LookPath(s.cfg.Command)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrNotInstalled, err)
		}
		return path, nil
	}
	for _, path := range []string{running, "dnsmasq", "/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/sbin/dnsmasq"} {
		if path == "" {
			continue
		}
		if found, err := exec.LookPath(path); err == nil && filepath.IsAbs(found) {
			return found, nil
		}
	}
	return "", fmt.Errorf("%w: no dnsmasq in PATH, /usr/sbin, /usr/local/sbin", ErrNotInstalled)
}
