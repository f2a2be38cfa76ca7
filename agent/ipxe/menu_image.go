package ipxe

import (
	"bytes"
	"fmt"
	"strings"

	"pxeagent/agent/image"
)

// maxCommandLine is what BIOS iPXE has for the URLs and arguments of a multiboot kernel and its modules
// together, in bytes; what is over is cut off without a word.
const maxCommandLine = 512

// commandLine is how much of that an image needs; 0 where the limit is none of its.
func commandLine(base string, i image.Image) int {
	if !i.Multiboot {
		return 0
	}
	n := lineLength(join(base, i.BIOS), arguments(base, i))
	for _, m := range i.Modules {
		n += lineLength(join(base, m.Path), m.Args)
	}
	return n
}

// lineLength is that of a URL, a blank, arguments and NUL.
func lineLength(url, args string) int { return len(url) + 1 + len(args) + 1 }

func arguments(base string, i image.Image) string {
	var out []string
	for _, a := range i.Args {
		s := a.Text
		if a.Path != "" {
			s += join(base, a.Path)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// writeItems writes the images' items, each under the condition that the machine can boot it.
func writeItems(b *bytes.Buffer, images []image.Image) {
	told := map[string]bool{}
	for n, i := range images {
		if n == 0 || images[n-1].System != i.System {
			fmt.Fprintf(b, "item --gap\n")
		}
		fmt.Fprintf(b, "%sitem -- %s %s ||\n", condition(i), i.Key, words(i.Title))
		if i.Why != "" && !told[i.System] {
			told[i.System] = true
			fmt.Fprintf(b, "iseq ${platform} pcbios || item --gap -- %s\n", words(i.Why))
		}
	}
}

// condition is true on the machines that can boot an image. iPXE calls a BIOS "pcbios"; what it
// calls the processor there is how it was built, not what the machine has.
func condition(i image.Image) string {
	switch {
	case i.CPU == image.ARM64:
		return "iseq ${buildarch} arm64 && "
	case i.EFI == "":
		return "iseq ${platform} pcbios && "
	case i.BIOS == "":
		return "iseq ${buildarch} x86_64 && iseq ${platform} efi && "
	}
	return "iseq ${buildarch} arm64 || " // there is no BIOS on ARM
}

// writeBoot writes what an image's item does.
func writeBoot(b *bytes.Buffer, i image.Image) {
	const base = "${base}" // a variable in the script keeps it readable
	args := arguments(base, i)
	if args != "" {
		args = " " + args
	}
	fmt.Fprintf(b, "\n:%s\n", i.Key)
	kernel := i.BIOS
	if kernel == "" {
		kernel = i.EFI
	}
	if i.BIOS != "" && i.EFI != "" && i.BIOS != i.EFI {
		fmt.Fprintf(b, "set kernel %s\niseq ${platform} efi && set kernel %s ||\n", join(base, i.BIOS), join(base, i.EFI))
		fmt.Fprintf(b, "kernel ${kernel}%s || goto failed\n", args)
	} else {
		fmt.Fprintf(b, "kernel %s%s || goto failed\n", join(base, kernel), args)
	}
	command := "initrd"
	if i.Multiboot {
		command = "module"
	}
	for _, m := range i.Modules {
		fmt.Fprintf(b, "%s || goto failed\n", strings.TrimRight(command+" "+join(base, m.Path)+" "+m.Args, " "))
	}
	fmt.Fprintf(b, "boot || goto failed\n")
}
