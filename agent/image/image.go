// Package image is about bootable systems on disk: it fetches and verifies them by recipes, recognises
// them by manifest or layout, and knows how each is booted.
package image

import (
	"strings"
	"time"
)

// Image is a bootable system found below a folder. Its paths are relative to that
// folder, with slashes, and of printable ASCII.
type Image struct {
	// Key names it among all that were found, and stays the same while its folder does: "smartos-20130808T195337Z".
	// Of letters, digits, '.', '_', '-'; it begins with System.
	Key    string
	System string // "smartos", "memtest", "debian", …
	Title  string // for people
	Why    string // for people: why it is not there for every machine; "" where it is
	CPU    CPU
	// BIOS and EFI are the kernel's path for machines with that firmware. "": it cannot be booted there.
	BIOS, EFI string
	// Shim is the path of the distribution's own shim, which vouches for the kernel under Secure Boot; "": it has none.
	Shim string
	Args []Arg
	// Modules are loaded after the kernel, in this order.
	Modules []Module
	// Multiboot: the kernel takes arguments for each module, and BIOS iPXE has 512 bytes for all. The same as
	// KindMultiboot.
	Multiboot bool
	Kind      Kind // how iPXE boots it

	// What is known of where it came from. All are zero in a tree that somebody put there by hand, but for Version where
	// the tree's own names tell it.
	Recipe   string    // "smartos"; see Recipe.Name
	Version  string    // as its maker calls it: "20130808T195337Z"
	Dir      string    // the folder that is added, verified and removed as one
	Added    time.Time // when it was switched over to
	Verified time.Time // when its files were last found to be as they were added
	// Installs: left alone it overwrites the machine's disk, so think twice before making it the default.
	Installs bool
	// NoImport: it takes SmartOS's noimport=true, so that a menu may offer a twin that leaves the pools alone.
	NoImport bool
}

// Kind is how iPXE boots an image.
type Kind string

const (
	// KindLinux: "kernel", then "initrd" for each module. With Module.Name set, the module is found by that name.
	KindLinux Kind = "linux"
	// KindMultiboot: "kernel", then "module" with its Args for each module.
	KindMultiboot Kind = "multiboot"
	// KindISO: "sanboot" of BIOS or EFI, which is the path of a disk image. There are no modules and no arguments.
	KindISO Kind = "iso"
	// KindWimboot: BIOS and EFI are wimboot itself; each module is "initrd URL NAME" and is found by that name.
	KindWimboot Kind = "wimboot"
)

// CPU is the kind of processor a kernel is for.
type CPU string

const (
	X86   CPU = "x86" // 64 bits, or 32 where the kernel says so
	ARM64 CPU = "arm64"
)

// Arg is one argument of a kernel.
type Arg struct {
	Text string
	Path string // where not "", the URL of this file or folder follows Text
}

// Module is a file that is loaded beside the kernel: an initrd, a boot archive, a part of Windows.
type Module struct {
	Path string
	Args string // multiboot only
	Name string // what the kernel finds it by: "BCD"; "": by its own file name
}

// text is an argument without a path.
func text(args ...string) []Arg {
	out := make([]Arg, len(args))
	for i, a := range args {
		out[i] = Arg{Text: a}
	}
	return out
}

// key makes a Key of the words that tell an image from others.
func key(words ...string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, strings.Join(words, "-"))
}
