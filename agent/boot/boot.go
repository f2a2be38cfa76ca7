package boot

import (
	"net/netip"
	"time"
)

// Stage is a part of a boot. The set is closed, so that it can be a metric label.
type Stage string

const (
	StageNBP    Stage = "nbp"
	StageScript Stage = "script"
	StageKernel Stage = "kernel"
	StageImage  Stage = "image" // initrd, modules and the rest
)

// Stages lists every Stage in the order in which a machine goes through them.
func Stages() []Stage { return []Stage{StageNBP, StageScript, StageKernel, StageImage} }

// Result is how a boot ended. The set is closed, so that it can be a metric label.
type Result string

const (
	UnderWay  Result = ""           // it has not ended
	Booted    Result = "booted"     // kernel and all else that the menu's item names were fetched
	Stalled   Result = "stalled"    // it asked for nothing more; Boot.At says after which stage
	Looped    Result = "looped"     // its NBP again and again
	Broken    Result = "failed"     // a file that it needs was not to be had; Boot.File says which
	LocalDisk Result = "local_disk" // it was sent on to its own disk
)

// Results lists every Result of a boot that ended.
func Results() []Result { return []Result{Booted, Stalled, Looped, Broken, LocalDisk} }

// Firmware is what a boot began with. The set is closed, so that it can be a metric label.
type Firmware string

const (
	FirmwareBIOS     Firmware = "bios"      // a PXE ROM, or iPXE as one
	FirmwareUEFI     Firmware = "uefi"      // PXE under UEFI
	FirmwareUEFIHTTP Firmware = "uefi-http" // UEFI HTTP boot
	FirmwareUBoot    Firmware = "u-boot"
	FirmwareOther    Firmware = "other" // pxelinux, GRUB, Raspberry Pi, or not known
)

// Boot is one machine's way through the stages. It is a value: whoever has one may keep it.
type Boot struct {
	ID       string     `json:"id"`            // unique; later boots sort after earlier ones
	MAC      string     `json:"mac,omitempty"` // "52:54:00:12:34:56"; "": not known, Addr tells it from others
	Addr     netip.Addr `json:"addr"`          // that it asked from last
	Facts    Facts      `json:"facts"`         // zero where iPXE told none
	Host     string     `json:"host,omitempty"`
	Arch     string     `json:"arch"` // "i386", "x86_64", "arm32", "arm64" or "unknown": a closed set
	Firmware Firmware   `json:"firmware"`
	Profile  string     `json:"profile,omitempty"`  // of the configuration
	Item     string     `json:"item,omitempty"`     // of the menu: what it boots, where known
	Started  time.Time  `json:"started"`            // its first request
	Updated  time.Time  `json:"updated"`            // its last request's end
	Ended    time.Time  `json:"ended,omitzero"`     // zero: under way
	Result   Result     `json:"result,omitempty"`   // "": under way
	At       Stage      `json:"at,omitempty"`       // the stage that it came to last
	File     string     `json:"file,omitempty"`     // Broken: the file; Looped: the NBP. Hostile
	Fetching string     `json:"fetching,omitempty"` // what it is being sent now. Hostile
	Note     string     `json:"note,omitempty"`     // for people: why, and what to do
	Stages   []Span     `json:"stages"`             // those that it came to, in order
	Files    []Fetch    `json:"files"`              // the first 64 of them
	More     int        `json:"more,omitempty"`     // files that are not in Files
	// Into is the ID of the boot that this one turned out to be a part of: it is none any more.
	Into string `json:"into,omitempty"`
}

// Span is the time that a boot spent in a stage, from its first request to the end of its last.
type Span struct {
	Stage Stage     `json:"stage"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Bytes int64     `json:"bytes"`
	Files int       `json:"files"`
	// Resent is TFTP packets sent again.
	Resent int `json:"resent,omitempty"`
}

// Fetch is one finished request of a boot.
type Fetch struct {
	Name     string    `json:"name"` // as asked for, hostile, cut at 200 bytes
	Artifact Artifact  `json:"artifact"`
	Proto    Proto     `json:"proto"`
	Class    Class     `json:"class"`
	Outcome  Outcome   `json:"outcome"`
	Bytes    int64     `json:"bytes"`
	Start    time.Time `json:"start"`
	// Took is in nanoseconds.
	Took time.Duration `json:"took_ns"`
}

// Machine is what the boot's machine is called: by the configuration, else by its MAC, else by its address.
func (b Boot) Machine() string {
	switch {
	case b.Host != "":
		return b.Host
	case b.MAC != "":
		return b.MAC
	}
	return b.Addr.String()
}
