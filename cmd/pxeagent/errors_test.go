package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/agent/probe"
	"pxeagent/agent/tftp"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/dnsmasq"
	"pxeagent/pfsense"
)

// Ports that are really taken, as the system says it.
func TestPortTaken(t *testing.T) {
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()

	_, err = net.ListenPacket("udp4", udp.LocalAddr().String())
	f := explain(fmt.Errorf("listening for TFTP: %w", err))
	if f.Code != cli.PortTaken || len(f.Hints) != 2 || !strings.Contains(f.Hints[1], "--tftp :6969") {
		t.Errorf("%+v", f)
	}
	_, err = net.Listen("tcp4", tcp.Addr().String())
	f = explain(fmt.Errorf("listening for HTTP: %w", err))
	if f.Code != cli.PortTaken || len(f.Hints) != 2 || !strings.Contains(f.Hints[1], "--http :8080") {
		t.Errorf("%+v", f)
	}
	at := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	_, err = tftp.Listen(at)
	f = explain(err)
	if f.Code != cli.PortTaken || len(f.Hints) != 2 || !strings.Contains(f.Hints[1], "--tftp :6969") {
		t.Errorf("%+v", f)
	}
	// An address of RFC 5737, which no machine has.
	_, err = net.Listen("tcp4", "192.0.2.77:0")
	if f = explain(err); f.Code != cli.NoInterface || len(f.Hints) != 1 {
		t.Errorf("%+v", f)
	}
}

func listenError(network string, at net.Addr, call string, errno syscall.Errno) error {
	return fmt.Errorf("serving: %w", &net.OpError{Op: "listen", Net: network, Addr: at,
		Err: os.NewSyscallError(call, errno)})
}

func TestExplain(t *testing.T) {
	t.Setenv("container", "")
	port69, port80 := &net.UDPAddr{Port: 69}, &net.TCPAddr{Port: 80}
	_, notInstalled := exec.LookPath("no-such-program-here")
	for _, c := range []struct {
		name string
		err  error
		code cli.Code
		hint string // in one of the hints; "" for no hint at all
	}{
		{"TFTP port taken", listenError("udp", port69, "bind", syscall.EADDRINUSE), cli.PortTaken, "tftpd-hpa"},
		{"HTTP port taken", listenError("tcp", port80, "bind", syscall.EADDRINUSE), cli.PortTaken, "nginx"},
		{"low port", listenError("udp", port69, "bind", syscall.EACCES), cli.Permission,
			"setcap cap_net_bind_service,cap_net_raw+ep"},
		{"low port, elsewhere", listenError("tcp", port80, "bind", syscall.EPERM), cli.Permission, "--http :8080"},
		{"high port", listenError("tcp", &net.TCPAddr{Port: 8080}, "bind", syscall.EACCES), cli.Permission, "run as root"},
		{"raw socket", fmt.Errorf("probe: %w", os.NewSyscallError("socket", syscall.EPERM)), cli.Permission, "cap_net_raw"},
		{"disk full", &fs.PathError{Op: "write", Path: "/etc/dnsmasq.d/.x", Err: syscall.ENOSPC}, cli.NotWritable,
			"df -h /etc/dnsmasq.d"},
		{"quota", &fs.PathError{Op: "write", Path: "/x/y", Err: syscall.EDQUOT}, cli.NotWritable, "df -h /x"},
		{"disk full, rename", &os.LinkError{Op: "rename", Old: "/t/.x", New: "/t/x", Err: syscall.ENOSPC}, cli.NotWritable,
			"df -h /t`"},
		{"read-only", &fs.PathError{Op: "open", Path: "/x/y", Err: syscall.EROFS}, cli.NotWritable, "read-only"},
		{"not installed", fmt.Errorf("testing the configuration: %w", notInstalled), cli.NoProgram,
			"install no-such-program-here"},
		{"no permission", &fs.PathError{Op: "open", Path: "/x/y", Err: syscall.EACCES}, cli.Permission, "namei -l /x/y"},
		{"no device", os.NewSyscallError("setsockopt", syscall.ENODEV), cli.NoInterface, "ip link"},
		{"cancelled", fmt.Errorf("probing: %w", context.Canceled), cli.Interrupted, ""},
		{"a failure within", fmt.Errorf("more: %w", cli.Failure{Code: cli.Foreign, Err: errors.New("inner"),
			Hints: []string{"do this"}}), cli.Foreign, "do this"},

		{"firewall: no login", fmt.Errorf("x: %w", pfsense.ErrNoCredential), cli.Usage, "--password-file"},
		{"firewall: login refused", fmt.Errorf("x: %w of user", pfsense.ErrCredential), backend.Login,
			"not sent again until it changes"},
		{"firewall: login not sent", fmt.Errorf("x: %w", pfsense.ErrNotSent), backend.Login, "--retry-auth"},
		{"firewall: privilege", fmt.Errorf("x: %w", pfsense.ErrPrivilege), backend.Privilege, "User Manager"},
		{"firewall: access list", fmt.Errorf("x: %w", pfsense.ErrNotAllowed), backend.Privilege, "Access Lists"},
		{"firewall: no package", fmt.Errorf("x: %w", pfsense.ErrNoPackage), backend.NoPackage, "xmlrpc"},
		{"firewall: read-only", fmt.Errorf("x: %w", pfsense.ErrReadOnly), backend.ReadOnly, "read-only mode off"},
		{"firewall: no PHP", fmt.Errorf("x: %w", pfsense.ErrGateway), backend.Unavailable, "restarts PHP-FPM"},
		{"firewall: API off", fmt.Errorf("x: %w", pfsense.ErrUnavailable), backend.Unavailable, "turn the REST API on"},
		{"firewall: unknown CA", fmt.Errorf("x: %w", pfsense.ErrTLS), backend.Certificate, "pxeagent pfsense trust"},
		{"firewall: certificate changed", fmt.Errorf("x: %w", &remote.CertificateError{Host: "fw.lan"}),
			backend.Certificate, "somebody else answers in its place"},
		{"firewall: timeout", fmt.Errorf("x: %w", pfsense.ErrTimeout), backend.Timeout, "sshguard"},
		{"firewall: unreachable", fmt.Errorf("x: %w: %w", pfsense.ErrUnreachable, syscall.EHOSTUNREACH),
			backend.Unreachable, "--pfsense"},
		{"firewall: something else", fmt.Errorf("x: %w", pfsense.ErrNotPfSense), backend.NotPfSense, "--pfsense"},
		{"firewall: no interface", fmt.Errorf("%w x", pfsense.ErrNoInterface), cli.NoInterface,
			"pxeagent pfsense interfaces"},
		{"firewall: ambiguous", fmt.Errorf("%w x", pfsense.ErrAmbiguous), cli.NoInterface, "the id is unique"},
		{"firewall: not applied", fmt.Errorf("x: %w", pfsense.ErrUnapplied), backend.Unapplied, "apply or discard"},
		{"firewall: section gone", fmt.Errorf("x: %w", pfsense.ErrNoSection), backend.NoDHCP, "Services > DHCP Server"},
		{"firewall: daemon stopped", fmt.Errorf("x: %w", pfsense.ErrStopped), cli.Restart, "System Logs > DHCP"},
		{"firewall: PHP failed", fmt.Errorf("x: %w", pfsense.ErrProgram), backend.Firewall, "Crash Reporter"},
		{"refused: not applied", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "unapplied"}}, backend.Unapplied,
			"apply or discard"},
		{"refused: no DHCP", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "no-dhcp"}}, backend.NoDHCP,
			"turn the DHCP server on"},
		{"refused: DHCP off", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "dhcp-off"}}, backend.DHCPOff, "turn it on"},
		{"refused: relay", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "relay"}}, backend.Relay, "relays to"},
		{"refused: secondary", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "ha-secondary"}}, backend.Secondary, "primary"},
		{"put back for a timeout", fmt.Errorf("%w: %w", dhcp.ErrReverted, pfsense.ErrTimeout), cli.PutBack, "sshguard"},

		{"revert failed", &dhcp.RevertFailedError{Err: syscall.ENOSPC, Cause: dhcp.ErrNotProven}, cli.RevertFailed,
			"do that first"},
		{"put back", fmt.Errorf("wrong: %w", dhcp.ErrReverted), cli.PutBack, "pxeagent probe"},
		{"foreign", fmt.Errorf("%w: yet", dhcp.ErrForeign), cli.Foreign, "turn off network boot at that server"},
		{"not proven", fmt.Errorf("%w: no offer", dhcp.ErrNotProven), cli.NotProven, "asks again"},
		{"not proven for want of rights", fmt.Errorf("%w: %w", dhcp.ErrNotProven, probe.ErrPermission), cli.NotProven,
			"setcap"},
		{"refused", &dhcp.RefusedError{Problem: dhcp.Problem{Text: "no"}}, cli.Refused, "--dry-run"},
		{"not serving", fmt.Errorf("%w: timeout", dhcp.ErrNotServing), cli.NotServing, "--not-serving-yet"},
		{"locked", &dhcp.LockedError{Path: "/x.lock", PID: 7}, cli.Locked, "ends with its process"},
		{"no journal", fmt.Errorf("%w for x", dhcp.ErrNoJournal), cli.NoJournal, "by hand"},
		{"changed", fmt.Errorf("reverting: %w", dhcp.ErrChanged), cli.Changed, "--discard-later-changes"},
		{"did not restart, put back", fmt.Errorf("%w: %w", dhcp.ErrReload, dnsmasq.ErrRestart), cli.Restart, "journalctl"},
		{"did not restart at all", fmt.Errorf("as before, but: %w", dnsmasq.ErrRestart), cli.Restart,
			"systemctl status dnsmasq"},
		{"no rights to restart", fmt.Errorf("%w: %w", dnsmasq.ErrRestart, fs.ErrPermission), cli.Restart, "run as root"},
		{"no Dnsmasq", fmt.Errorf("%w: %w", dnsmasq.ErrNotInstalled, exec.ErrNotFound), cli.NoProgram, "dhcp.backend"},
		{"Dnsmasq, no device", dnsmasq.ErrNoInterface, cli.NoInterface, "ip -br addr"},
		{"Dnsmasq, no address", dnsmasq.ErrNoAddress, cli.NoInterface, "ip -br addr"},
		{"Dnsmasq takes it not", dnsmasq.ErrRejected, cli.Refused, "dnsmasq --test"},
		{"probe, no rights", fmt.Errorf("x: %w", probe.ErrPermission), cli.Permission, "setcap"},
		{"probe, no device", probe.ErrNoDevice, cli.NoInterface, "--probe-device"},
		{"probe, no address", probe.ErrNoAddress, cli.NoInterface, "--probe-device"},
		{"probe, port taken", probe.ErrPortTaken, cli.PortTaken, whoListens("udp", 67)},
		{"anything", errors.New("something"), cli.Unexpected, ""},
	} {
		f := explain(c.err)
		if f.Code != c.code || f.Error() != c.err.Error() {
			t.Errorf("%s: %s, %v", c.name, f.Code, f)
		}
		has := slices.ContainsFunc(f.Hints, func(h string) bool { return strings.Contains(h, c.hint) })
		if (c.hint == "") != (len(f.Hints) == 0) || c.hint != "" && !has {
			t.Errorf("%s: hints %q, want %q", c.name, f.Hints, c.hint)
		}
		for _, h := range f.Hints {
			if strings.Contains(h, "\n") || strings.HasSuffix(h, ".") {
				t.Errorf("%s: hint %q is not one line without a full stop", c.name, h)
			}
		}
	}
}

// In a container there is neither setcap nor a root to become: the hints are for whoever runs it.
func TestExplainInAContainer(t *testing.T) {
	t.Setenv("container", "oci")
	owner := fmt.Sprintf("chown -R %d:%d the volume that holds ", os.Getuid(), os.Getgid())
	for _, c := range []struct {
		name string
		err  error
		hint string // in the first
	}{
		{"low port", listenError("udp", &net.UDPAddr{Port: 69}, "bind", syscall.EACCES),
			"NET_BIND_SERVICE and NET_RAW (cap_add)"},
		{"raw socket", fmt.Errorf("probe: %w", os.NewSyscallError("socket", syscall.EPERM)),
			"allowPrivilegeEscalation: true"},
		{"a folder of another user", &fs.PathError{Op: "mkdir", Path: "/x/y", Err: syscall.EACCES}, owner + "/x/y"},
	} {
		f := explain(c.err)
		if f.Code != cli.Permission || len(f.Hints) == 0 || !strings.Contains(f.Hints[0], c.hint) {
			t.Errorf("%s: %s, hints %q, want %q", c.name, f.Code, f.Hints, c.hint)
		}
		for _, h := range f.Hints {
			if strings.Contains(h, "setcap") || strings.Contains(h, "root") {
				t.Errorf("%s: hint %q", c.name, h)
			}
		}
	}
	f := explain(&fs.PathError{Op: "open", Path: "/x/y", Err: syscall.EROFS})
	if f.Code != cli.NotWritable || !slices.Contains(f.Hints, "mount a volume that can be written there") {
		t.Errorf("read-only: %s, hints %q", f.Code, f.Hints)
	}
}
