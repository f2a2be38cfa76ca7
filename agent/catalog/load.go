package catalog

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// Load is how a loader that knows no iPXE scripts boots an item: the files that it fetches, by their paths below the
// HTTP tree, and what it tells the kernel.
type Load struct {
	BIOS, EFI string // the kernel for machines with that firmware; "": it cannot be booted there
	ARM64     bool   // else it is for x86
	Args      string // of the kernel
	Modules   []image.Module
	Multiboot bool // the kernel takes arguments for each module; else modules are initrds, one after the other
	// DeviceTrees is the folder with device trees that lies beside the kernel; "": there is none.
	DeviceTrees string
}

// ErrNeedsIPXE: no other loader can boot the item.
var ErrNeedsIPXE = errors.New("needs iPXE")

// Load is how the item is booted so without iPXE. base is the URL under which machines find the HTTP tree. Its errors
// are clauses about the item; ErrNeedsIPXE.
func (i Item) Load(base string, o Options) (Load, error) {
	if i.image == nil || i.image.Kind != image.KindLinux && i.image.Kind != image.KindMultiboot {
		return Load{}, ErrNeedsIPXE
	}
	if err := script.CheckArgs(o.Args); err != nil {
		return Load{}, fmt.Errorf("invalid arguments: %w", err)
	}
	args := strings.Fields(arguments(base, *i.image, o, i.rescue))
	// Linux under UEFI finds by it what iPXE fetched; other loaders fetch what it names, from elsewhere.
	args = slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "initrd=") })
	text := strings.Join(args, " ")
	if strings.Contains(text, "${") {
		return Load{}, fmt.Errorf("%w: its arguments have settings of iPXE's in them", ErrNeedsIPXE)
	}
	return Load{
		BIOS: i.image.BIOS, EFI: i.image.EFI, ARM64: i.image.CPU == image.ARM64, Args: text, Modules: i.image.Modules,
		Multiboot: i.image.Multiboot, DeviceTrees: i.deviceTrees,
	}, nil
}

// deviceTrees is the folder of device trees beside a kernel for ARM, "" where there is none.
func (t Tree) deviceTrees(i image.Image) string {
	if i.CPU != image.ARM64 {
		return ""
	}
	for _, name := range []string{"dtbs", "dtb"} {
		if dir := path.Join(path.Dir(i.EFI), name); t.hasDir(dir) {
			return dir
		}
	}
	return ""
}
