package menu

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"pxeagent/agent/catalog"
	"pxeagent/agent/script"
)

// load finds out how a loader other than iPXE boots an item, and says so in its language. The error is a clause about
// the item.
func (d *Data) load(c *candidate, o catalog.Options) error {
	switch {
	case c.Key == catalog.Local && d.Language == GRUB:
		c.Commands = grubLocal
		return nil
	case c.Key == catalog.Local:
		c.Commands = "\tlocalboot 0"
		return nil
	case c.Key == catalog.Reboot && d.Language == GRUB:
		c.Commands = "\treboot"
		return nil
	case c.Key == catalog.Poweroff && d.Language == GRUB:
		c.Commands = "\thalt"
		return nil
	}
	l, err := c.Item.Item.Load(d.Base, o)
	if err != nil {
		return err
	}
	if d.Language == GRUB {
		c.When = grubWhen(l)
		c.Commands, err = d.grubCommands(l, c.Title)
		return err
	}
	c.Commands, err = d.extlinuxCommands(l)
	return err
}

// grubLocal leaves for the machine's own disk. The server is told first, by asking for a file that is an empty script;
// GRUB goes on where it cannot be had. Under EFI to leave would do as for iPXE, but Debian's GRUB 2.06 ends without an
// error whatever it is told, and then firmware goes to its setup: so the loader of the disk's system is looked for.
const grubLocal = `	source ` + catalog.LocalPath + `
	if [ "$grub_platform" = efi ]; then
		set suffix=x64
		if [ "$grub_cpu" = arm64 ]; then set suffix=aa64; fi
		for file in debian/shim ubuntu/shim fedora/shim redhat/shim rocky/shim almalinux/shim opensuse/shim \
			debian/grub ubuntu/grub arch/grub BOOT/boot systemd/systemd-boot; do
			if search --no-floppy --file --set=disk /EFI/$file$suffix.efi; then
				chainloader ($disk)/EFI/$file$suffix.efi
				boot
			fi
		done
		if search --no-floppy --file --set=disk /EFI/Microsoft/Boot/bootmgfw.efi; then
			chainloader ($disk)/EFI/Microsoft/Boot/bootmgfw.efi
			boot
		fi
		exit 1
	fi
	set root=(hd0)
	chainloader +1
	boot`

// grubWhen is what GRUB has to run on for an item, as test(1) has it.
func grubWhen(l catalog.Load) string {
	switch {
	case l.ARM64:
		return `"$grub_cpu" = arm64`
	case l.EFI == "" || l.Multiboot:
		return `"$grub_platform" = pc`
	case l.BIOS == "":
		return `"$grub_cpu" = x86_64 -a "$grub_platform" = efi`
	}
	return `"$grub_cpu" = x86_64 -o "$grub_platform" = pc`
}

// grubCommands boot an item.
func (d *Data) grubCommands(l catalog.Load, title string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "\techo %s", quote("Loading "+title))
	line := func(indent, command, file, args string) {
		fmt.Fprintf(&b, "\n%s%s %s", indent, command, quote(d.path(file)))
		for _, a := range strings.Fields(args) {
			b.WriteString(" " + quote(a))
		}
	}
	switch {
	case l.Multiboot && strings.ContainsAny(l.Args, `'"\`):
		return "", fmt.Errorf(`%w: its arguments have quotes or \ in them, which GRUB changes`, catalog.ErrNeedsIPXE)
	case l.Multiboot:
		// As iPXE does, it begins with the kernel's own path; GRUB itself leaves it out.
		line("\t", "multiboot", l.BIOS, d.path(l.BIOS)+" "+l.Args)
		for _, m := range l.Modules {
			line("\t", "module", m.Path, d.path(m.Path)+" "+m.Args)
		}
		return b.String(), nil
	case l.BIOS == "" || l.EFI == "" || l.BIOS == l.EFI:
		line("\t", grubCommand(cmp.Or(l.EFI, l.BIOS)), cmp.Or(l.EFI, l.BIOS), l.Args)
	default:
		b.WriteString("\n\tif [ \"$grub_platform\" = efi ]; then")
		line("\t\t", grubCommand(l.EFI), l.EFI, l.Args)
		b.WriteString("\n\telse")
		line("\t\t", "linux", l.BIOS, l.Args)
		b.WriteString("\n\tfi")
	}
	if len(l.Modules) > 0 {
		b.WriteString("\n\tinitrd")
		for _, m := range l.Modules {
			b.WriteString(" " + quote(d.path(m.Path)))
		}
	}
	return b.String(), nil
}

// grubCommand is what loads a kernel: a program of EFI's that is not Linux is a .efi file.
func grubCommand(kernel string) string {
	if strings.HasSuffix(kernel, ".efi") {
		return "chainloader"
	}
	return "linux"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9._/:=,@+-]+$`)

// quote makes a text one word of GRUB's, as it is.
func quote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// path is how the loader asks for a file of the HTTP tree.
func (d *Data) path(file string) string {
	if d.files == "" {
		return script.URL("", file)
	}
	return d.files + "/" + file
}

// plainPath is one that syslinux and U-Boot read as it is.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/+@=~-]+$`)

const (
	mboot = "mboot.c32" // syslinux's module for Multiboot kernels
	// maxAppend is how long a line of arguments may be for syslinux, in bytes.
	maxAppend = 2047
)

// extlinuxCommands boot an item.
func (d *Data) extlinuxCommands(l catalog.Load) (string, error) {
	kernel := cmp.Or(l.BIOS, l.EFI)
	paths := []string{kernel}
	for _, m := range l.Modules {
		paths = append(paths, m.Path)
	}
	for _, p := range paths {
		if !plainPath.MatchString(p) {
			return "", fmt.Errorf("%w: the path %q has characters that end it", catalog.ErrNeedsIPXE, p)
		}
	}
	var b strings.Builder
	args := l.Args
	switch {
	case l.Multiboot && !d.beside(mboot):
		return "", errors.New("needs " + mboot + " beside pxelinux.0")
	case l.Multiboot:
		b.WriteString("\tkernel " + mboot)
		args = strings.TrimRight(d.path(kernel)+" "+args, " ")
		for _, m := range l.Modules {
			args += strings.TrimRight(" --- "+d.path(m.Path)+" "+m.Args, " ")
		}
	case l.ARM64 && len(l.Modules) > 1:
		return "", fmt.Errorf("%w: U-Boot loads one initrd", catalog.ErrNeedsIPXE)
	default:
		// "linux", since a name's ending says otherwise what "kernel" loads.
		b.WriteString("\tlinux " + d.path(kernel))
		for n, m := range l.Modules {
			b.WriteString([]string{"\n\tinitrd ", ","}[min(n, 1)] + d.path(m.Path))
		}
		if l.DeviceTrees != "" {
			b.WriteString("\n\tfdtdir " + d.path(l.DeviceTrees) + "/")
		}
	}
	if len(args) > maxAppend {
		return "", fmt.Errorf("its arguments need %d bytes, and syslinux has %d", len(args), maxAppend)
	}
	if args != "" {
		b.WriteString("\n\tappend " + args)
	}
	return b.String(), nil
}
