// Package dnsmasq configures network boot for one network in Dnsmasq on this machine. It owns
// one drop-in file, <conf dir>/pxeagent-<interface>.conf, and changes no other.
package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
)

// Errors that a caller branches on. Missing permission, a full disk and a missing folder are found with
// errors.Is(err, fs.ErrPermission), syscall.ENOSPC and fs.ErrNotExist.
var (
	ErrNotInstalled = errors.New("dnsmasq is not installed")
	ErrNoInterface  = errors.New("no such interface")
	ErrNoAddress    = errors.New("the interface has no IPv4 address")
	// ErrRejected: `dnsmasq --test` rejects the configuration with the new drop-in. Nothing was written.
	ErrRejected = errors.New("dnsmasq --test rejects the new configuration; nothing was written")
	// ErrRestart: Dnsmasq did not start. If the old settings could be loaded again, the error
	// wraps dhcp.ErrReload as well; if not, it says what is on disk.
	ErrRestart = errors.New("dnsmasq did not restart")
)

// Mode says which server leases addresses on the network.
type Mode string

const (
	// ModeServer: this Dnsmasq leases addresses there.
	ModeServer Mode = "server"
	// ModeProxy: another server does; this Dnsmasq adds the boot information (PXE 2.1, proxyDHCP).
	ModeProxy Mode = "proxy"
)

// ParseMode is the Mode of that name; "" is ModeServer.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return ModeServer, nil
	case ModeServer, ModeProxy:
		return m, nil
	}
	return "", fmt.Errorf("invalid mode %q: want server or proxy", s)
}

// Config says which Dnsmasq and which network. Only Interface has no default.
type Config struct {
	Interface string   // the network's device on this machine: "eth1"
	ConfDir   string   // a folder that Dnsmasq reads with conf-dir; "": ConfDir of this system
	Mode      Mode     // "": ModeServer
	Restart   []string // the command that restarts it; nil: by the init system
	Command   string   // the program; "": that of the running daemon, else dnsmasq in PATH or an sbin folder
	// PIDFile names the daemon if several run. "": found among the processes of this network namespace.
	PIDFile string
	// DefaultsFile has Debian's arguments, used if no daemon runs. "": /etc/default/dnsmasq
	DefaultsFile string
	// MainFile is what Dnsmasq reads if its arguments name no file. "": dnsmasq.conf in /etc, on FreeBSD /usr/local/etc
	MainFile string
	// ProbeMAC is the address that the change will be verified as. nil: one that Dnsmasq does not know.
	ProbeMAC net.HardwareAddr
	// StartLimit is how long a restarted daemon may take until it listens. 0: 15 s.
	StartLimit time.Duration
	Log        *slog.Logger // nil: none
}

// Server manages Dnsmasq's boot settings for one interface. It implements dhcp.Server.
type Server struct {
	cfg  Config
	file string // the drop-in
	temp string // its temporary name, always the same, so that a killed run's file is found
	// settle is how long a listening daemon is watched before the restart counts as successful: the rest of
	// its start (its user, its lease file, its log) can still fail, and a daemon that stays in the
	// foreground has no exit code for that.
	settle time.Duration
	// step is called before each change outside this process, and after the last one.
	step func(string)
}

var _ dhcp.Server = (*Server)(nil)

// New checks cfg and fills in its defaults. It reads and writes nothing.
func New(cfg Config) (*Server, error) {
	if err := checkInterface(cfg.Interface); err != nil {
		return nil, err
	}
	mode, err := ParseMode(string(cfg.Mode))
	if err != nil {
		return nil, err
	}
	cfg.Mode = mode
	setDefault(&cfg.ConfDir, ConfDir(runtime.GOOS))
	setDefault(&cfg.MainFile, etc(runtime.GOOS)+"/dnsmasq.conf")
	setDefault(&cfg.DefaultsFile, "/etc/default/dnsmasq")
	if !filepath.IsAbs(cfg.ConfDir) {
		return nil, fmt.Errorf("conf dir %q is not an absolute path", cfg.ConfDir)
	}
	cfg.ConfDir = filepath.Clean(cfg.ConfDir)
	if cfg.StartLimit == 0 {
		cfg.StartLimit = 15 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	name := "pxeagent-" + cfg.Interface + ".conf"
	return &Server{
		cfg:  cfg,
		file: filepath.Join(cfg.ConfDir, name),
		// Dnsmasq reads every file of the folder except those that start with a dot.
		temp:   filepath.Join(cfg.ConfDir, "."+name+".new"),
		settle: 400 * time.Millisecond,
		step:   func(string) {},
	}, nil
}

// ConfDir is where a system's Dnsmasq package has its drop-in files, by Go's name of the system.
func ConfDir(goos string) string { return etc(goos) + "/dnsmasq.d" }

// etc is where a system's packages keep their configuration.
func etc(goos string) string {
	if goos == "freebsd" {
		return "/usr/local/etc"
	}
	return "/etc"
}

func (s *Server) String() string {
	if s.cfg.Mode == ModeProxy {
		return "dnsmasq (proxy), interface " + s.cfg.Interface
	}
	return "dnsmasq, interface " + s.cfg.Interface
}

// File is the path of the drop-in.
func (s *Server) File() string { return s.file }

// state reads the drop-in. Only a regular file can be ours.
func (s *Server) state() (dhcp.State, error) {
	fi, err := os.Lstat(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return dhcp.State{}, nil
	}
	if err != nil {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %s is not a regular file", s.file)
	}
	raw, err := os.ReadFile(s.file)
	if err != nil {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %w", err)
	}
	return dhcp.State{Boot: parseDropIn(raw, s.cfg.Interface).boot, Raw: raw}, nil
}

// checkInterface accepts names that can be a device, a file and a tag of Dnsmasq.
func checkInterface(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@"
	switch {
	case name == "":
		return errors.New("no interface is set")
	case len(name) > 15:
		return fmt.Errorf("interface %q: longer than 15 bytes, the limit for device names", name)
	case name == "." || name == "..", strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(allowed, r)
	}):
		return fmt.Errorf("invalid interface %q: use letters, digits, - _ . + @", name)
	}
	return nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
