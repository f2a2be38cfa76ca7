package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"pxeagent/agent"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/efi"
	"pxeagent/agent/image"
	"pxeagent/agent/probe"
	"pxeagent/agent/secureboot"
	"pxeagent/agent/store"
	"pxeagent/agent/tftp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// endRules are of how a run ended.
var endRules = []cli.Rule{
	// The order of package dhcp: where several hold, the first is the one to act on.
	cli.Ending(dhcp.ErrRevertFailed, cli.RevertFailed,
		"do that first; once the cause is gone, `pxeagent revert` does it as well"),
	cli.Ending(dhcp.ErrReverted, cli.PutBack, "`pxeagent probe` shows what each DHCP server offers now"),
	cli.Ending(dhcp.ErrNotKept, cli.NotKept,
		"run it again: it starts from what is there now; `pxeagent status` shows whether the old settings are back"),
	cli.Ending(dhcp.ErrForeign, cli.Foreign,
		"turn off network boot at that server, or the server; `pxeagent probe` shows what each one offers"),
	cli.Ending(dhcp.ErrNotProven, cli.NotProven,
		"`pxeagent probe` asks again; it can be run on any machine in that network"),
	cli.Ending(dhcp.ErrRefused, cli.Refused,
		"correct what the plan names and run it again; --dry-run shows the plan and writes nothing"),
	cli.Ending(dhcp.ErrNotServing, cli.NotServing,
		"start `pxeagent serve` at next-server first, or go on all the same with --not-serving-yet"),
	cli.On(dhcp.ErrLocked, cli.Locked, "wait until it is done: the lock ends with its process"),
	cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
		"run it where it was configured from, with the same state_dir; there is the journal"),
	cli.On(dhcp.ErrChanged, cli.Changed,
		"run it again: it starts from what is there now, and --dry-run shows that first",
		"`pxeagent revert --discard-later-changes` goes back whatever was changed since"),
}

// causeRules are of what brought a run to its end.
var causeRules = []cli.Rule{
	cli.On(secureboot.ErrNoKeys, cli.SecureBoot,
		"`pxeagent secureboot keys` makes a key and its certificate; keys of your own go there as db.key and db.crt"),
	cli.On(secureboot.ErrExposed, cli.SecureBoot,
		"whoever read it can sign for your machines: make another if others might have; else chmod 0600"),
	cli.On(secureboot.ErrExpired, cli.SecureBoot,
		"move db.* elsewhere, make others with `pxeagent secureboot keys`, and take the new certificate into the machines"),
	cli.On(secureboot.ErrKeys, cli.SecureBoot, "want db.key, an RSA key in PEM without a password, and db.crt, its "+
		"certificate in PEM, readable by this user"),
	cli.On(secureboot.ErrKeysKept, cli.SecureBoot,
		"move them elsewhere if they are to be replaced; machines that know their certificate boot nothing else then"),
	cli.On(efi.ErrNotPE, cli.SecureBoot, "only EFI programs are signed: boot files that end in .efi, and Linux kernels"),
	cli.On(secureboot.ErrNotEFI, cli.SecureBoot, "only EFI programs are signed: boot files that end in .efi, and kernels"),
	cli.On(secureboot.ErrDamaged, cli.SecureBoot, "fetch the file again"),
	cli.On(dhcp.ErrLaterJournal, cli.Unexpected,
		"nothing was changed: use the pxeagent that wrote it; `pxeagent version` says which this one is"),
	{Is: isJournal, Code: cli.Unexpected, Hints: func(error) []string {
		return []string{"nothing was changed: look at it, put back by hand what it says, then move it away"}
	}},
	cli.On(image.ErrNoSpace, cli.NotWritable,
		"make room, or name another disk in serve.root (--root); `pxeagent image list` says what each image takes, "+
			"`pxeagent image remove` removes one"),
	cli.On(image.ErrChecksum, cli.Checksum,
		"what is there was kept; try again, or another mirror: --mirror URL, or mirrors in the configuration",
		"if the maker's list is at fault, --sha256 gives the checksum that you know to be right"),
	cli.On(image.ErrUnverified, cli.Checksum,
		"nothing was added; --sha256 gives the checksum that you know to be right (of several files, separated by commas)",
		"where a page answers in place of the list, this network asks for a login: see what the list's URL shows"),
	cli.On(image.ErrAmbiguous, cli.Usage,
		"name the right one: --from FILE; a second --from may still name the folder with the others"),
	cli.On(image.ErrArchive, cli.BadImage,
		"what is there was kept; get the archive from the maker's own mirror, and compare its checksum"),
	cli.On(image.ErrUnbootable, cli.BadImage,
		"what is there was kept; see whether the recipe is for this kind of file: `pxeagent image recipes`"),
	cli.On(image.ErrNoRecipe, cli.NoVersion,
		"`pxeagent image recipes` lists them; one of your own is a YAML file in recipes/ in serve.root"),
	cli.On(image.ErrNoVersion, cli.NoVersion, "`pxeagent image recipes` has a version of each; latest is the newest"),
	cli.On(image.ErrOrder, cli.Usage, "`pxeagent image add --help` shows how each kind is added"),
	cli.On(image.ErrRecipe, cli.Usage, "correct the file; deploy/guide/images.md has what stands in a recipe"),
	cli.On(image.ErrByHand, cli.Refused, "remove its folder below http/ in serve.root yourself"),
	cli.On(image.ErrNoImage, cli.NoImage, "`pxeagent image list` lists what there is"),
	cli.On(image.ErrDamaged, cli.Damaged,
		"fetch it again: `pxeagent image add RECIPE VERSION --replace`; and see to the disk"),
	cli.On(image.ErrBusy, cli.Locked, "wait until it is done: the lock ends with its process"),
	cli.On(image.ErrDownload, cli.Download,
		"run it again: it goes on where it was cut off",
		"another mirror: --mirror URL; a proxy: HTTPS_PROXY; without a network: --from FILE or DIR"),
	cli.On(image.ErrNotFound, cli.Download, "see that the mirror has it under that path; another mirror: --mirror URL"),

	{Is: cli.IsError(probe.ErrPermission), Code: cli.Permission, Hints: capabilityHints},
	cli.On(probe.ErrNoDevice, cli.NoInterface,
		"`"+cli.IP("-br link")+"` lists this machine's devices; probe.device (--probe-device) names the one to ask from"),
	cli.On(probe.ErrNoAddress, cli.NoInterface,
		"`"+cli.IP("-br addr")+"` shows which devices have an address; probe.device (--probe-device) names the one to "+
			"ask from"),
	cli.On(probe.ErrPortTaken, cli.PortTaken,
		"as root, `"+whoListens("udp", 67)+"` says which program it is, most likely a DHCP server or relay"),

	cli.On(store.ErrLocked, cli.Running, "stop that one first, or give each a state_dir of its own (--state-dir)"),
	{Is: isRawSocket, Code: cli.Permission, Hints: capabilityHints},
	{Is: isListen(syscall.EADDRINUSE), Code: cli.PortTaken, Hints: portHints},
	{Is: cli.IsError(tftp.ErrPortTaken), Code: cli.PortTaken, Hints: func(error) []string { return heldHints("udp", 0) }},
	{Is: isListen(syscall.EADDRNOTAVAIL), Code: cli.NoInterface, Hints: addressHints},
	cli.On(agent.ErrInherited, cli.Wrong,
		"deploy/systemd/pxeagent.socket is a socket unit that fits: UDP for TFTP, one of TCP for HTTP"),
	{Is: isListen(fs.ErrPermission), Code: cli.Permission, Hints: lowPortHints},
	cli.On(syscall.ENODEV, cli.NoInterface, "`"+cli.IP("link")+"` lists this machine's devices"),
	{Is: cli.IsError(syscall.ENOSPC, syscall.EDQUOT), Code: cli.NotWritable, Hints: diskHints},
	{Is: cli.IsError(syscall.EROFS), Code: cli.NotWritable, Hints: readOnlyHints},
	{Is: cli.IsError(syscall.ENOTDIR), Code: cli.NotWritable, Hints: notFolderHints},
	{Is: cli.IsError(exec.ErrNotFound), Code: cli.NoProgram, Hints: programHints},
	{Is: cli.IsError(fs.ErrPermission), Code: cli.Permission, Hints: permissionHints},
	cli.On(context.Canceled, cli.Interrupted),
}

func isJournal(err error) bool {
	var j *dhcp.JournalError
	return errors.As(err, &j) && !errors.Is(err, dhcp.ErrLaterJournal)
}

func isMistakes(err error) bool {
	var ms config.Mistakes
	return errors.As(err, &ms)
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
	"udp/69":  "another TFTP server (tftpd-hpa, atftpd, dnsmasq with enable-tftp)",
	"tcp/80":  "a web server (nginx, apache2, lighttpd, caddy)",
	"tcp/443": "a web server (nginx, apache2, lighttpd, caddy)",
}

func portHints(err error) []string {
	network, at, _ := listening(err)
	return heldHints(network, at.Port())
}

// heldHints are for a port that another program has; 0: it is not known which.
func heldHints(network string, port uint16) []string {
	hint := "another program holds the port, perhaps another pxeagent"
	if who := holders[fmt.Sprintf("%s/%d", network, port)]; who != "" {
		hint = "the port is held by " + who + ", or by another pxeagent"
	}
	return append([]string{hint + "; as root, `" + whoListens(network, port) + "` says which"}, elsewhere(network)...)
}

// whoListens is the command that shows which program has a port; 0: which programs have any.
func whoListens(network string, port uint16) string {
	command, filter := fmt.Sprintf("ss -ln%sp", network[:1]), " 'sport = :%d'"
	if runtime.GOOS == "freebsd" {
		command, filter = "sockstat -l -P "+network, " -p %d"
	}
	if port == 0 {
		return command
	}
	return command + fmt.Sprintf(filter, port)
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
	if inContainer() {
		return slices.Clone(containerCapabilities)
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
	return []string{"that address is not this machine's; `" + cli.IP("-4 addr") + "` lists those that are, and " +
		":PORT listens on all"}
}

// mistakeHints are for a configuration that a later pxeagent may know.
func mistakeHints(err error) []string {
	var ms config.Mistakes
	if !errors.As(err, &ms) || !ms.UnknownKey() {
		return nil
	}
	return []string{"a later pxeagent may know the key; `pxeagent version` says which this one is"}
}

func diskHints(err error) []string {
	where := "."
	if p := pathIn(err); p != "" {
		where = filepath.Dir(p)
	}
	return []string{"free some space: `df -h " + where + "` shows how little there is; files are replaced whole or not " +
		"at all, so the old one is still there"}
}

func readOnlyHints(err error) []string {
	hints := []string{"the file system is mounted read-only there"}
	if inContainer() {
		hints = append(hints, "mount a volume that can be written there")
	}
	if os.Getenv("INVOCATION_ID") != "" {
		hints = append(hints, "or the systemd unit protects it: ReadWritePaths="+filepath.Dir(pathIn(err))+" would admit it")
	}
	return hints
}

func notFolderHints(err error) []string {
	return []string{fmt.Sprintf("a file stands where a folder is wanted: `%s` shows which; name another folder, or "+
		"move it away", ownersOf(pathIn(err)))}
}

// ownersOf is the command that shows each folder on the way to a path.
func ownersOf(path string) string {
	if runtime.GOOS != "linux" {
		return "ls -ld " + path
	}
	return "namei -l " + path
}

func permissionHints(err error) []string {
	if p := pathIn(err); p != "" {
		if inContainer() {
			return []string{containerVolume(p)}
		}
		return []string{fmt.Sprintf("run as root, or as a user who may: `%s` shows who", ownersOf(p))}
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
