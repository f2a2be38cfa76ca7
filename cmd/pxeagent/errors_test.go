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
	"pxeagent/agent/probe"
	"pxeagent/agent/tftp"
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
	if f.code != exitPortTaken || len(f.hints) != 2 || !strings.Contains(f.hints[1], "--tftp :6969") {
		t.Errorf("%+v", f)
	}
	_, err = net.Listen("tcp4", tcp.Addr().String())
	f = explain(fmt.Errorf("listening for HTTP: %w", err))
	if f.code != exitPortTaken || len(f.hints) != 2 || !strings.Contains(f.hints[1], "--http :8080") {
		t.Errorf("%+v", f)
	}
	at := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	_, err = tftp.Listen(at)
	f = explain(err)
	if f.code != exitPortTaken || len(f.hints) != 2 || !strings.Contains(f.hints[1], "--tftp :6969") {
		t.Errorf("%+v", f)
	}
	// An address of RFC 5737, which no machine has.
	_, err = net.Listen("tcp4", "192.0.2.77:0")
	if f = explain(err); f.code != exitNoInterface || len(f.hints) != 1 {
		t.Errorf("%+v", f)
	}
}

func listenError(network string, at net.Addr, call string, errno syscall.Errno) error {
	return fmt.Errorf("serving: %w", &net.OpError{Op: "listen", Net: network, Addr: at, Err: os.NewSyscallError(call, errno)})
}

func TestExplain(t *testing.T) {
	port69, port80 := &net.UDPAddr{Port: 69}, &net.TCPAddr{Port: 80}
	_, notInstalled := exec.LookPath("no-such-program-here")
	for _, c := range []struct {
		name string
		err  error
		code exitCode
		hint string // in one of the hints; "" for no hint at all
	}{
		{"TFTP port taken", listenError("udp", port69, "bind", syscall.EADDRINUSE), exitPortTaken, "tftpd-hpa"},
		{"HTTP port taken", listenError("tcp", port80, "bind", syscall.EADDRINUSE), exitPortTaken, "nginx"},
		{"low port", listenError("udp", port69, "bind", syscall.EACCES), exitPermission, "setcap cap_net_bind_service,cap_net_raw+ep"},
		{"low port, elsewhere", listenError("tcp", port80, "bind", syscall.EPERM), exitPermission, "--http :8080"},
		{"high port", listenError("tcp", &net.TCPAddr{Port: 8080}, "bind", syscall.EACCES), exitPermission, "run as root"},
		{"raw socket", fmt.Errorf("probe: %w", os.NewSyscallError("socket", syscall.EPERM)), exitPermission, "cap_net_raw"},
		{"disk full", &fs.PathError{Op: "write", Path: "/etc/dnsmasq.d/.x", Err: syscall.ENOSPC}, exitNotWritable, "df -h /etc/dnsmasq.d"},
		{"quota", &fs.PathError{Op: "write", Path: "/x/y", Err: syscall.EDQUOT}, exitNotWritable, "df -h /x"},
		{"disk full, rename", &os.LinkError{Op: "rename", Old: "/t/.x", New: "/t/x", Err: syscall.ENOSPC}, exitNotWritable, "df -h /t`"},
		{"read-only", &fs.PathError{Op: "open", Path: "/x/y", Err: syscall.EROFS}, exitNotWritable, "read-only"},
		{"not installed", fmt.Errorf("testing the configuration: %w", notInstalled), exitNoProgram, "install no-such-program-here"},
		{"no permission", &fs.PathError{Op: "open", Path: "/x/y", Err: syscall.EACCES}, exitPermission, "namei -l /x/y"},
		{"no device", os.NewSyscallError("setsockopt", syscall.ENODEV), exitNoInterface, "ip link"},
		{"cancelled", fmt.Errorf("probing: %w", context.Canceled), exitInterrupted, ""},
		{"a failure within", fmt.Errorf("more: %w", failure{code: exitForeign, err: errors.New("inner"), hints: []string{"do this"}}), exitForeign, "do this"},

		{"firewall: no login", fmt.Errorf("x: %w", pfsense.ErrNoCredential), exitUsage, "--password-file"},
		{"firewall: login refused", fmt.Errorf("x: %w of user", pfsense.ErrCredential), exitLogin, "not sent again until it changes"},
		{"firewall: login not sent", fmt.Errorf("x: %w", pfsense.ErrNotSent), exitLogin, "--retry-auth"},
		{"firewall: privilege", fmt.Errorf("x: %w", pfsense.ErrPrivilege), exitPrivilege, "User Manager"},
		{"firewall: access list", fmt.Errorf("x: %w", pfsense.ErrNotAllowed), exitPrivilege, "Access Lists"},
		{"firewall: no package", fmt.Errorf("x: %w", pfsense.ErrNoPackage), exitNoPackage, "xmlrpc"},
		{"firewall: read-only", fmt.Errorf("x: %w", pfsense.ErrReadOnly), exitReadOnly, "read-only mode off"},
		{"firewall: API off", fmt.Errorf("x: %w", pfsense.ErrUnavailable), exitUnavailable, "turn the REST API on"},
		{"firewall: unknown CA", fmt.Errorf("x: %w", pfsense.ErrTLS), exitCertificate, "pxeagent pfsense trust"},
		{"firewall: certificate changed", fmt.Errorf("x: %w", &pfsense.CertificateError{Host: "fw.lan"}), exitCertificate, "somebody else answers in its place"},
		{"firewall: timeout", fmt.Errorf("x: %w", pfsense.ErrTimeout), exitTimeout, "sshguard"},
		{"firewall: unreachable", fmt.Errorf("x: %w: %w", pfsense.ErrUnreachable, syscall.EHOSTUNREACH), exitUnreachable, "--pfsense"},
		{"firewall: something else", fmt.Errorf("x: %w", pfsense.ErrNotPfSense), exitNotPfSense, "--pfsense"},
		{"firewall: no interface", fmt.Errorf("%w x", pfsense.ErrNoInterface), exitNoInterface, "pxeagent pfsense interfaces"},
		{"firewall: ambiguous", fmt.Errorf("%w x", pfsense.ErrAmbiguous), exitNoInterface, "the id is unique"},
		{"firewall: not applied", fmt.Errorf("x: %w", pfsense.ErrUnapplied), exitUnapplied, "apply or discard"},
		{"firewall: section gone", fmt.Errorf("x: %w", pfsense.ErrNoSection), exitNoDHCP, "Services > DHCP Server"},
		{"firewall: daemon stopped", fmt.Errorf("x: %w", pfsense.ErrStopped), exitRestart, "System Logs > DHCP"},
		{"firewall: PHP failed", fmt.Errorf("x: %w", pfsense.ErrProgram), exitFirewall, "Crash Reporter"},
		{"refused: not applied", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "unapplied"}}, exitUnapplied, "apply or discard"},
		{"refused: no DHCP", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "no-dhcp"}}, exitNoDHCP, "turn the DHCP server on"},
		{"refused: DHCP off", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "dhcp-off"}}, exitDHCPOff, "turn it on"},
		{"refused: relay", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "relay"}}, exitRelay, "relays to"},
		{"refused: secondary", &dhcp.RefusedError{Problem: dhcp.Problem{Code: "ha-secondary"}}, exitSecondary, "primary"},
		{"put back for a timeout", fmt.Errorf("%w: %w", dhcp.ErrReverted, pfsense.ErrTimeout), exitPutBack, "sshguard"},

		{"revert failed", &dhcp.RevertFailedError{Err: syscall.ENOSPC, Cause: dhcp.ErrNotProven}, exitRevertFailed, "do that first"},
		{"put back", fmt.Errorf("wrong: %w", dhcp.ErrReverted), exitPutBack, "pxeagent probe"},
		{"foreign", fmt.Errorf("%w: yet", dhcp.ErrForeign), exitForeign, "turn off network boot at that server"},
		{"not proven", fmt.Errorf("%w: no offer", dhcp.ErrNotProven), exitNotProven, "asks again"},
		{"not proven for want of rights", fmt.Errorf("%w: %w", dhcp.ErrNotProven, probe.ErrPermission), exitNotProven, "setcap"},
		{"refused", &dhcp.RefusedError{Problem: dhcp.Problem{Text: "no"}}, exitRefused, "--dry-run"},
		{"not serving", fmt.Errorf("%w: timeout", dhcp.ErrNotServing), exitNotServing, "--not-serving-yet"},
		{"locked", &dhcp.LockedError{Path: "/x.lock", PID: 7}, exitLocked, "ends with its process"},
		{"no journal", fmt.Errorf("%w for x", dhcp.ErrNoJournal), exitNoJournal, "by hand"},
		{"changed", fmt.Errorf("reverting: %w", dhcp.ErrChanged), exitChanged, "--discard-later-changes"},
		{"did not restart, put back", fmt.Errorf("%w: %w", dhcp.ErrReload, dnsmasq.ErrRestart), exitRestart, "journalctl"},
		{"did not restart at all", fmt.Errorf("as before, but: %w", dnsmasq.ErrRestart), exitRestart, "systemctl status dnsmasq"},
		{"no rights to restart", fmt.Errorf("%w: %w", dnsmasq.ErrRestart, fs.ErrPermission), exitRestart, "run as root"},
		{"no Dnsmasq", fmt.Errorf("%w: %w", dnsmasq.ErrNotInstalled, exec.ErrNotFound), exitNoProgram, "dhcp.backend"},
		{"Dnsmasq, no device", dnsmasq.ErrNoInterface, exitNoInterface, "ip -br addr"},
		{"Dnsmasq, no address", dnsmasq.ErrNoAddress, exitNoInterface, "ip -br addr"},
		{"Dnsmasq takes it not", dnsmasq.ErrRejected, exitRefused, "dnsmasq --test"},
		{"probe, no rights", fmt.Errorf("x: %w", probe.ErrPermission), exitPermission, "setcap"},
		{"probe, no device", probe.ErrNoDevice, exitNoInterface, "--probe-device"},
		{"probe, no address", probe.ErrNoAddress, exitNoInterface, "--probe-device"},
		{"probe, port taken", probe.ErrPortTaken, exitPortTaken, whoListens("udp", 67)},
		{"anything", errors.New("something"), exitUnexpected, ""},
	} {
		f := explain(c.err)
		if f.code != c.code || f.Error() != c.err.Error() {
			t.Errorf("%s: %s, %v", c.name, f.code, f)
		}
		has := slices.ContainsFunc(f.hints, func(h string) bool { return strings.Contains(h, c.hint) })
		if (c.hint == "") != (len(f.hints) == 0) || c.hint != "" && !has {
			t.Errorf("%s: hints %q, want %q", c.name, f.hints, c.hint)
		}
		for _, h := range f.hints {
			if strings.Contains(h, "\n") || strings.HasSuffix(h, ".") {
				t.Errorf("%s: hint %q is not one line without a full stop", c.name, h)
			}
		}
	}
}

func TestPrintFailure(t *testing.T) {
	f := failure{code: exitPortTaken, err: errors.New("listening: port taken"), hints: []string{"one", "two <3"}}
	var text, js strings.Builder
	f.print(&text)
	if got := text.String(); got != "pxeagent: listening: port taken\nhint: one\nhint: two <3\n" {
		t.Errorf("%q", got)
	}
	if err := f.printJSON(&js); err != nil {
		t.Fatal(err)
	}
	want := `{
  "error": {
    "code": 14,
    "name": "port-taken",
    "message": "listening: port taken",
    "hints": [
      "one",
      "two <3"
    ]
  }
}
`
	if js.String() != want {
		t.Errorf("got %s", js.String())
	}
	text.Reset()
	silent := explain(exitWith(exitDiffers))
	silent.print(&text)
	silent.printJSON(&text)
	if text.String() != "" || silent.code != exitDiffers {
		t.Errorf("%q, %s", text.String(), silent.code)
	}
	if exitWith(exitDone) != nil {
		t.Error("done is an error")
	}
}

func TestExitCodesAreKept(t *testing.T) {
	names := map[string]bool{}
	for i, e := range exitCodes {
		if want := exitCode(i); e.code != want && e.code != exitInterrupted {
			t.Errorf("%s: %d stands where %d should", e.name, e.code, want)
		}
		if names[e.name] || e.name == "" || e.text == "" {
			t.Errorf("%d: name %q, text %q", e.code, e.name, e.text)
		}
		names[e.name] = true
	}
	for code, name := range map[exitCode]string{
		0: "done", 1: "unexpected", 2: "differs", 3: "usage", 4: "refused", 5: "not-serving", 6: "changed", 7: "put-back", 8: "revert-failed",
		9: "not-proven", 10: "foreign-server", 11: "locked", 12: "permission", 13: "no-interface", 14: "port-taken", 15: "no-program",
		16: "not-writable", 17: "restart-failed", 18: "no-offer", 19: "wrong", 20: "no-root", 21: "no-journal", 22: "login-refused", 23: "no-privilege", 24: "no-rest-package", 25: "read-only",
		26: "unavailable", 27: "certificate", 28: "timeout", 29: "not-pfsense", 30: "unreachable", 31: "unapplied", 32: "no-dhcp", 33: "dhcp-off",
		34: "dhcp-relay", 35: "ha-secondary", 36: "firewall-error", 130: "interrupted",
	} {
		if code.String() != name {
			t.Errorf("%d is %s, and was %s", code, code, name)
		}
	}
	if got := exitCode(99).String(); got != "exit 99" {
		t.Error(got)
	}
	if rows := strings.Count(exitMarkdown(), "\n"); rows != len(exitCodes)+2 {
		t.Errorf("%d lines of Markdown", rows)
	}
}
