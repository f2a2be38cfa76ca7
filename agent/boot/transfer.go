package boot

import (
	"net/netip"
	"time"
)

// Proto is how a file was asked for.
type Proto string

const (
	TFTP Proto = "tftp"
	HTTP Proto = "http"
)

// Artifact is the kind of a file. The set is closed, so that it can be a metric label.
type Artifact string

const (
	NBP      Artifact = "nbp"      // network boot program: undionly.kpxe, ipxe.efi, …
	Script   Artifact = "script"   // an iPXE script, autoexec.ipxe included, or another loader's menu
	Kernel   Artifact = "kernel"   // what a script names in kernel
	Image    Artifact = "image"    // initrd, module, ISO and the rest of an image
	Other    Artifact = "other"    // any other file that exists
	NoFile   Artifact = "none"     // a name that does not exist
	Internal Artifact = "internal" // /metrics, /healthz, the page
)

// Outcome is how a request ended. The set is closed, so that it can be a metric label.
type Outcome string

const (
	OK        Outcome = "ok"
	SizeProbe Outcome = "size_probe" // the client wanted the size only (HEAD, or aborted after the OACK): no failure
	NotFound  Outcome = "not_found"
	NotNeeded Outcome = "optional" // the file is not there, and the client does without: see Optional
	Refused   Outcome = "refused"  // not in serve.networks, too many transfers, a write request, a bad name
	Aborted   Outcome = "aborted"  // the client stopped
	TimedOut  Outcome = "timeout"  // the client went silent
	Failed    Outcome = "error"    // our side: reading failed, socket failed
)

// Outcomes lists every Outcome.
func Outcomes() []Outcome {
	return []Outcome{OK, SizeProbe, NotFound, NotNeeded, Refused, Aborted, TimedOut, Failed}
}

// CheckHeader is the field of an HTTP request with which a check says that it only looks, as a machine would. Anyone
// can send it, so it counts only where it comes from this machine.
const CheckHeader = "Pxeagent-Check"

// Ask is one request for a file, as it came.
type Ask struct {
	Proto  Proto
	Client netip.AddrPort // who asks
	Local  netip.AddrPort // the address and port that was asked
	Name   string         // as sent, hostile; for HTTP the unescaped path
	Class  Class
	Facts  Facts // what it told of its machine with the request (HTTP: query or form)
	Told   bool  // it told facts, if only empty ones: whoever did not may be asked for them
	Check  bool  // it says that it is a check and no machine (CheckHeader)
	// Answered: the client has answered by now, so that its address is not forged. Only of TFTP is that not certain.
	Answered bool
}

// Proven reports whether a machine must have sent the request: its address is not forged.
func (a *Ask) Proven() bool { return a.Proto != TFTP || a.Answered }

// Given is a menu that a boot loader was given. The zero Given is none.
type Given struct {
	Default  string // key of the item that is booted when nobody chooses
	SkipMenu bool   // it is booted without a menu
}

// Transfer is one finished request.
type Transfer struct {
	Ask
	Artifact   Artifact
	Outcome    Outcome
	Start      time.Time
	Took       time.Duration
	Bytes      int64 // payload bytes acknowledged (TFTP) or written (HTTP)
	Resent     int   // TFTP: packets sent again
	Further    bool  // HTTP: a part of the file that is not its beginning, as of a disk image that is booted
	LoopBroken bool  // iPXE asked for an NBP and was given the script, so that it does not load itself for ever
	Given      Given // what is in the menu that was made for it
	Quirks     []Quirk
	Err        error // why, where Outcome is not OK or SizeProbe
}

// GivenDisk reports whether it is a menu by which a loader boots the machine's own disk at once, and asks for nothing
// more. GRUB and iPXE ask for a file first that says so.
func (t *Transfer) GivenDisk() bool {
	quiet := t.Class == PXELinux || t.Class == UBoot
	return quiet && t.Outcome == OK && t.Given.SkipMenu && t.Given.Default == localDiskItem
}

// Observer hears of every request. Its methods are called from many goroutines at once, and must not block: they stand
// in the way of transfers. Neither changes what it is given. Begin keeps nothing of it; End may, as nobody else uses it
// later.
type Observer interface {
	Begin(*Ask)
	End(*Transfer)
}
