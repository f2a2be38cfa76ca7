package catalog

import (
	"cmp"
	"fmt"
	"strings"

	"pxeagent/agent/image"
	"pxeagent/agent/script"
)

// Options are how an item is to be booted, besides what it says itself. Items that do not come from an image ignore
// them.
type Options struct {
	Console    Console
	RootShadow Shadow
	Args       string // more kernel arguments
	// Platform is iPXE's ${platform} where it is known for certain, and nothing is left for iPXE to decide; else "".
	Platform string
}

// Check says why an item cannot be booted so. base is the URL under which machines find the HTTP tree, whose length
// counts.
func (i Item) Check(base string, o Options) error {
	if i.image == nil {
		return nil
	}
	if err := script.CheckArgs(o.Args); err != nil {
		return fmt.Errorf("invalid arguments: %w", err)
	}
	if n := commandLine(base, *i.image, arguments(base, *i.image, o, i.rescue)); n > script.MaxCommandLine {
		return fmt.Errorf("its command lines need %d bytes, and BIOS iPXE has %d", n, script.MaxCommandLine)
	}
	return nil
}

// Commands boot the item, line by line; they leave by "goto failed", "goto start", or for good. ${base} in them is the
// URL under which machines find the HTTP tree.
func (i Item) Commands(o Options) string {
	if i.image == nil {
		return i.commands
	}
	img := *i.image
	switch o.Platform {
	case "":
	case "efi":
		img.BIOS = ""
	default:
		img.EFI = ""
	}
	return commandsOf(img, o, i.rescue)
}

// commandLine is how much of BIOS iPXE's 512 bytes an image needs with these arguments for its kernel; 0 where that
// limit does not apply to it.
func commandLine(base string, i image.Image, args string) int {
	if !i.Multiboot {
		return 0
	}
	n := script.CommandLine(script.URL(base, i.BIOS), args)
	for _, m := range i.Modules {
		n += script.CommandLine(script.URL(base, m.Path), m.Args)
	}
	return n
}

// arguments are those of an image's kernel. base stands before paths.
func arguments(base string, i image.Image, o Options, rescue bool) string {
	var out []string
	for n, a := range i.Args {
		switch {
		case n > 0 && i.Args[n-1].Text == "-B" && a.Path == "":
			out = append(out, strings.Join(properties(i, a.Text, o, rescue), ","))
		case len(linuxConsole(i, o.Console)) > 0 && strings.HasPrefix(a.Text, "console="):
		case a.Path != "":
			out = append(out, a.Text+script.URL(base, a.Path))
		default:
			out = append(out, a.Text)
		}
	}
	out = append(out, linuxConsole(i, o.Console)...)
	for _, a := range strings.Fields(o.Args) {
		if !takesProperties(i) || !isProperty(a) {
			out = append(out, a)
		}
	}
	return strings.Join(out, " ")
}

// linuxConsole are the arguments for a kernel of Linux's kind. On ARM64 it finds the serial port, which has many names
// there, by itself.
func linuxConsole(i image.Image, c Console) []string {
	serial := c.Port != 0 && c.Port != 't'
	switch {
	case i.Kind != image.KindLinux, c.Port == 0, serial && i.CPU == image.ARM64:
		return nil
	case i.System == "memtest": // which is on the screen in any case
		if serial {
			return []string{c.linux()}
		}
		return nil
	case serial:
		// The screen besides, as long as nobody knows whether the port has a cable; what is named last is the one that
		// asks questions.
		return []string{Console{Port: 't'}.linux(), c.linux()}
	}
	return []string{c.linux()}
}

// takesProperties: what comes after the kernel's -B are boot properties of illumos.
func takesProperties(i image.Image) bool {
	for n, a := range i.Args {
		if a.Text == "-B" && n+1 < len(i.Args) {
			return i.Multiboot
		}
	}
	return false
}

// isProperty tells name=value from options.
func isProperty(arg string) bool { return !strings.HasPrefix(arg, "-") && strings.Contains(arg, "=") }

// properties puts together the boot properties of illumos. In SmartOS smartos=true makes the system look for its
// settings, root's password among them, on the disks; the rescue entry is the one without it, where root_shadow counts.
func properties(i image.Image, own string, o Options, rescue bool) []string {
	all := o.Console.withConsole(splitProperties(own))
	head := 0
	for head < len(all) && (strings.HasPrefix(all[head], "console=") || strings.HasPrefix(all[head], "tty")) {
		head++
	}
	out := append([]string{}, all[:head]...)
	if shadow := o.RootShadow.property(); shadow != "" && i.System == smartOS {
		out = append(out, shadow)
	}
	for _, p := range all[head:] {
		if !rescue || !strings.HasPrefix(p, "smartos=") {
			out = append(out, p)
		}
	}
	if rescue {
		out = append(out, "noimport=true")
	}
	for _, a := range strings.Fields(o.Args) {
		if isProperty(a) {
			out = append(out, a)
		}
	}
	return out
}

const smartOS = "smartos" // image.Image.System

// splitProperties splits at commas that are not within quotes.
func splitProperties(s string) []string {
	var out []string
	quote, start := rune(0), 0
	for n, r := range s {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ',':
			out, start = append(out, s[start:n]), n+1
		}
	}
	return append(out, s[start:])
}

// commandsOf boot an image.
func commandsOf(i image.Image, o Options, rescue bool) string {
	const base = "${base}" // a variable in the script keeps it readable
	var b strings.Builder
	kernel := script.URL(base, cmp.Or(i.BIOS, i.EFI))
	if i.BIOS != "" && i.EFI != "" && i.BIOS != i.EFI {
		fmt.Fprintf(&b, "set kernel %s\niseq ${platform} efi && set kernel %s ||\n", script.URL(base, i.BIOS),
			script.URL(base, i.EFI))
		kernel = "${kernel}"
	}
	if i.Kind == image.KindISO {
		fmt.Fprintf(&b, "sanboot --no-describe %s || goto failed\ngoto start", kernel)
		return b.String()
	}
	fmt.Fprintf(&b, "%s || goto failed\n", strings.TrimRight("kernel "+kernel+" "+arguments(base, i, o, rescue), " "))
	for _, m := range i.Modules {
		command, args := "initrd", ""
		switch {
		case i.Multiboot:
			command, args = "module", m.Args
		case m.Name != "":
			command += " --name " + m.Name
			if i.Kind == image.KindWimboot { // older wimboot goes by what stands behind the URL
				args = m.Name
			}
		}
		fmt.Fprintf(&b, "%s || goto failed\n", strings.TrimRight(command+" "+script.URL(base, m.Path)+" "+args, " "))
	}
	if i.Shim != "" {
		// Under Secure Boot a distribution's kernel is vouched for by the distribution's own shim. iPXE that does not know
		// the command, or is not under UEFI, goes on without.
		fmt.Fprintf(&b, "iseq ${platform} efi && shim %s ||\n", script.URL(base, i.Shim))
	}
	b.WriteString("boot || goto failed")
	return b.String()
}
