package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// failure is an error as main ends on it: with the exit code, and what a person can do about it.
// With no err it prints nothing: the command has said all there is.
type failure struct {
	code  exitCode
	err   error
	hints []string // each an imperative or a statement of fact, on one line
}

func (f failure) Error() string {
	if f.err == nil {
		return f.code.String()
	}
	return f.err.Error()
}

func (f failure) Unwrap() error { return f.err }

// exitWith ends the program with code and no further word.
func exitWith(code exitCode) error {
	if code == exitDone {
		return nil
	}
	return failure{code: code}
}

// usagef is a mistake in the command line.
func usagef(hint, format string, args ...any) error {
	return failure{code: exitUsage, err: fmt.Errorf(format, args...), hints: []string{hint}}
}

// rule is how an error is explained. The first that fits wins.
type rule struct {
	is    func(error) bool
	code  exitCode
	hints func(error) []string
}

// on is a rule for a sentinel, with hints that need nothing from the error.
func on(sentinel error, code exitCode, hints ...string) rule {
	return rule{
		is:    func(err error) bool { return errors.Is(err, sentinel) },
		code:  code,
		hints: func(error) []string { return hints },
	}
}

// rules go from the particular to the general.
var rules = []rule{
	{isMistakes, exitUsage, nil},
	on(errNoPfSense, exitUsage),
	{isRawSocket, exitPermission, capabilityHints},
	{isListen(syscall.EADDRINUSE), exitPortTaken, portHints},
	{isListen(syscall.EADDRNOTAVAIL), exitNoInterface, addressHints},
	{isListen(fs.ErrPermission), exitPermission, lowPortHints},
	on(syscall.ENODEV, exitNoInterface, "`ip link` lists this machine's devices"),
	{isErrno(syscall.ENOSPC, syscall.EDQUOT), exitNotWritable, diskHints},
	{isErrno(syscall.EROFS), exitNotWritable, readOnlyHints},
	{func(err error) bool { return errors.Is(err, exec.ErrNotFound) }, exitNoProgram, programHints},
	{func(err error) bool { return errors.Is(err, fs.ErrPermission) }, exitPermission, permissionHints},
	on(context.Canceled, exitInterrupted),
}

// explain finds the exit code and the hints for any error. A failure anywhere in err's chain
// has its own.
func explain(err error) failure {
	var f failure
	if errors.As(err, &f) {
		if f.err != nil {
			f.err = err
		}
		return f
	}
	for _, r := range rules {
		if r.is(err) {
			f = failure{code: r.code, err: err}
			if r.hints != nil {
				f.hints = r.hints(err)
			}
			return f
		}
	}
	return failure{code: exitUnexpected, err: err}
}

// print writes f for a person.
func (f failure) print(w io.Writer) {
	if f.err == nil {
		return
	}
	fmt.Fprintf(w, "pxeagent: %s\n", f.err)
	for _, h := range f.hints {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
}

// failureJSON is f where a command was asked for --json.
type failureJSON struct {
	Code     exitCode      `json:"code"`
	Name     string        `json:"name"`
	Message  string        `json:"message"`
	Hints    []string      `json:"hints,omitempty"`
	Mistakes []mistakeJSON `json:"mistakes,omitempty"`
}

type mistakeJSON struct {
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	From string `json:"from"`
}

// printJSON writes f as {"error": {…}}.
func (f failure) printJSON(w io.Writer) error {
	if f.err == nil {
		return nil
	}
	return writeJSON(w, map[string]any{"error": f.json()})
}

func (f failure) json() failureJSON {
	e := failureJSON{Code: f.code, Name: f.code.String(), Message: f.Error(), Hints: f.hints}
	var ms mistakes
	if errors.As(f.err, &ms) {
		for _, m := range ms {
			e.Mistakes = append(e.Mistakes, mistakeJSON{m.key, m.text, m.from.String()})
		}
	}
	return e
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func isMistakes(err error) bool {
	var ms mistakes
	return errors.As(err, &ms)
}

func isErrno(errnos ...syscall.Errno) func(error) bool {
	return func(err error) bool {
		for _, e := range errnos {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
}

func isListen(cause error) func(error) bool {
	return func(err error) bool {
		_, _, ok := listening(err)
		return ok && errors.Is(err, cause)
	}
}

// listening is the network and the address on which listening went wrong.
func listening(err error) (network string, at netip.AddrPort, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "listen" || op.Addr == nil {
		return "", at, false
	}
	switch a := op.Addr.(type) {
	case *net.UDPAddr:
		return "udp", a.AddrPort(), true
	case *net.TCPAddr:
		return "tcp", a.AddrPort(), true
	}
	return "", at, false
}

// isRawSocket: making the socket itself was forbidden, which happens to raw ones only.
func isRawSocket(err error) bool {
	var call *os.SyscallError
	return errors.As(err, &call) && call.Syscall == "socket" && errors.Is(err, fs.ErrPermission)
}

// holders are programs that people find on these ports.
var holders = map[string]string{
	"udp/67":  "a DHCP server (dnsmasq, dhcpd, kea) or relay",
	"udp/68":  "a DHCP client (dhclient, dhcpcd, NetworkManager)",
	"udp/69":  "another TFTP server (tftpd-hpa, atftpd, dnsmasq with enable-tftp)",
	"tcp/80":  "a web server (nginx, apache2, lighttpd, caddy)",
	"tcp/443": "a web server (nginx, apache2, lighttpd, caddy)",
}

func portHints(err error) []string {
	network, at, _ := listening(err)
	hint := "another program holds the port"
	if who := holders[fmt.Sprintf("%s/%d", network, at.Port())]; who != "" {
		hint = "the port is held by " + who + ", or by another pxeagent"
	}
	show := fmt.Sprintf("ss -ln%sp 'sport = :%d'", network[:1], at.Port())
	if runtime.GOOS == "freebsd" {
		show = fmt.Sprintf("sockstat -l -P %s -p %d", network, at.Port())
	}
	return append([]string{hint + "; as root, `" + show + "` says which"}, elsewhere(network)...)
}

// elsewhere is how to listen on a port that needs no right and is seldom taken.
func elsewhere(network string) []string {
	if network == "udp" {
		return []string{"for a try, listen elsewhere: --tftp :6969 (machines' firmware asks at port 69 only)"}
	}
	return []string{"or listen elsewhere: --http :8080 (every URL then names the port)"}
}

func lowPortHints(err error) []string {
	network, at, _ := listening(err)
	if at.Port() == 0 || at.Port() >= 1024 {
		return permissionHints(err)
	}
	return append(capabilityHints(err), elsewhere(network)...)
}

func capabilityHints(error) []string {
	if runtime.GOOS != "linux" {
		return []string{"run as root"}
	}
	exe, err := os.Executable()
	if err != nil {
		exe = "pxeagent"
	}
	return []string{
		"grant what it needs, once: sudo setcap cap_net_bind_service,cap_net_raw+ep " + exe,
		"or run it as the systemd unit in deploy/systemd, which has both, or as root",
	}
}

func addressHints(error) []string {
	return []string{"that address is not this machine's; `ip -4 addr` lists those that are, and :PORT listens on all"}
}

func diskHints(err error) []string {
	where := "."
	if p := pathIn(err); p != "" {
		where = filepath.Dir(p)
	}
	return []string{"free some space: `df -h " + where + "` shows how little there is; files are replaced whole or not at all, so the old one is still there"}
}

func readOnlyHints(err error) []string {
	hints := []string{"the file system is mounted read-only there"}
	if os.Getenv("INVOCATION_ID") != "" {
		hints = append(hints, "or the systemd unit protects it: ReadWritePaths="+filepath.Dir(pathIn(err))+" would admit it")
	}
	return hints
}

func permissionHints(err error) []string {
	if p := pathIn(err); p != "" {
		return []string{fmt.Sprintf("run as root, or as a user who may: `namei -l %s` shows who", p)}
	}
	return []string{"run as root"}
}

func programHints(err error) []string {
	var e *exec.Error
	if errors.As(err, &e) && e.Name != "" && !strings.Contains(e.Name, "/") {
		return []string{fmt.Sprintf("install %s, or add its folder to PATH", e.Name)}
	}
	return []string{"install it, or correct its path"}
}

// pathIn is the file that err is about, or "".
func pathIn(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Path
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.New
	}
	return ""
}
