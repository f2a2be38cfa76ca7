// Package dnsmasq makes Dnsmasq tell the machines of one network to boot from it. It owns
// one drop-in file, <conf dir>/pxeagent-<interface>.conf, and touches no other.
package dnsmasq

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
)

// What a caller branches on. Want of permission, a full disk and a missing folder are found with
// errors.Is(err, fs.ErrPermission), syscall.ENOSPC and fs.ErrNotExist.
var (
	ErrNotInstalled = errors.New("dnsmasq is not installed")
	ErrNoInterface  = errors.New("no such interface")
	ErrNoAddress    = errors.New("the interface has no IPv4 address")
	// ErrRejected: `dnsmasq --test` does not take the configuration with the new drop-in. Nothing was written.
	ErrRejected = errors.New("dnsmasq --test rejects the new configuration; nothing was written")
	// ErrRestart: Dnsmasq did not come up. Where what was there before could be loaded again the error
	// wraps dhcp.ErrReload as well; where not, it says what is on disk.
	ErrRestart = errors.New("dnsmasq did not restart")
)

// Mode is who leases addresses on the network.
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
	return "", fmt.Errorf("%q is no mode of Dnsmasq; want server or proxy", s)
}

// Config says which Dnsmasq and which network. Only Interface has no default.
type Config struct {
	Interface string   // the network's device on this machine: "eth1"
	ConfDir   string   // a folder that Dnsmasq reads with conf-dir; "": /etc/dnsmasq.d, FreeBSD /usr/local/etc/dnsmasq.d
	Mode      Mode     // "": ModeServer
	Restart   []string // the command that restarts it; nil: by the init system
	Command   string   // the program; "": that of the running daemon, else dnsmasq in PATH or an sbin folder
	// PIDFile names the daemon where several run. "": found among the processes of this network namespace.
	PIDFile string
	// DefaultsFile has Debian's arguments, used where no daemon runs. "": /etc/default/dnsmasq
	DefaultsFile string
	// MainFile is what Dnsmasq reads where its arguments name no file. "": /etc/dnsmasq.conf, FreeBSD /usr/local/etc/dnsmasq.conf
	MainFile string
	// StartLimit is how long a restarted daemon may take until it listens. 0: 15 s.
	StartLimit time.Duration
	Log        *slog.Logger // nil: none
}

// Server is one Dnsmasq's boot settings for one interface. It implements dhcp.Server.
type Server struct {
	cfg  Config
	file string // the drop-in
	temp string // its temporary name, always the same, so that what a killed run left is found
	// settle is how long a daemon that listens is watched before it is believed: what remains for it to
	// do then (its user, its lease file, its log) can still end it, and one that stays in the
	// foreground has no exit code to say so.
	settle time.Duration
	// step is called before each thing that changes anything outside this process, and after the last.
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
	etc := "/etc"
	if runtime.GOOS == "freebsd" {
		etc = "/usr/local/etc"
	}
	setDefault(&cfg.ConfDir, etc+"/dnsmasq.d")
	setDefault(&cfg.MainFile, etc+"/dnsmasq.conf")
	setDefault(&cfg.DefaultsFile, "/etc/default/dnsmasq")
	if !filepath.IsAbs(cfg.ConfDir) {
		return nil, fmt.Errorf("conf dir %q is not absolute; Dnsmasq runs in another folder", cfg.ConfDir)
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
		// Dnsmasq reads every file of the folder but those that begin with a dot.
		temp:   filepath.Join(cfg.ConfDir, "."+name+".new"),
		settle: 400 * time.Millisecond,
		step:   func(string) {},
	}, nil
}

func (s *Server) String() string {
	if s.cfg.Mode == ModeProxy {
		return "dnsmasq (proxy), interface " + s.cfg.Interface
	}
	return "dnsmasq, interface " + s.cfg.Interface
}

// File is the path of the drop-in.
func (s *Server) File() string { return s.file }

// state reads the drop-in. Anything but a regular file there is not ours.
func (s *Server) state() (dhcp.State, error) {
	fi, err := os.Lstat(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return dhcp.State{}, nil
	}
	if err != nil {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %s is no regular file", s.file)
	}
	raw, err := os.ReadFile(s.file)
	if err != nil {
		return dhcp.State{}, fmt.Errorf("reading the drop-in: %w", err)
	}
	return dhcp.State{Boot: parseDropIn(raw, s.cfg.Interface).boot, Raw: raw}, nil
}

// checkInterface admits what can be a device name, a file name and a tag of Dnsmasq at once.
func checkInterface(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@"
	switch {
	case name == "":
		return errors.New("no interface is named")
	case len(name) > 15:
		return fmt.Errorf("interface %q is longer than 15 bytes, which no device name is", name)
	case name == "." || name == "..", strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(allowed, r) }):
		return fmt.Errorf("interface %q: want letters, digits and - _ . + @ only", name)
	}
	return nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
