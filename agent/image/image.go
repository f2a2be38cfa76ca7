// Package image is about bootable systems on disk: it recognises them by their
// layout and knows how each is booted.
package image

import "strings"

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
	Args      []Arg
	// Modules are loaded after the kernel, in this order.
	Modules []Module
	// Multiboot: the kernel takes arguments for each module, and BIOS iPXE has 512 bytes for all.
	Multiboot bool
}

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

// Module is a file that is loaded beside the kernel: an initrd, a boot archive.
type Module struct {
	Path string
	Args string // multiboot only
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
