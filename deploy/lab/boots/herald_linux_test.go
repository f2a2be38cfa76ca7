package boots

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pxeagent/deploy/lab"
)

// herald is a kernel that says on the serial port what it was started with, and stops: for BIOS by Multiboot, as
// SmartOS is booted, and for EFI. A real one tells less, and takes longer.
type herald struct{ bios, efi string }

func newHerald(t *testing.T) herald {
	t.Helper()
	lab.Need(t, "gcc", "ld")
	h, err := builtHerald()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var builtHerald = sync.OnceValues(func() (h herald, err error) {
	dir, err := os.MkdirTemp("", "herald-")
	if err != nil {
		return h, err
	}
	defer os.RemoveAll(dir)
	make := func(out, command string) string {
		if err != nil {
			return ""
		}
		out = filepath.Join(dir, out)
		words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(command, "OUT", out), "DIR", dir))
		if said, failed := exec.Command(words[0], words[1:]...).CombinedOutput(); failed != nil {
			err = fmt.Errorf("building the herald: %w: %s", failed, said)
			return ""
		}
		b, failed := os.ReadFile(out)
		err = failed
		return string(b)
	}
	const compile = "gcc -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-ident " +
		"-fcf-protection=none -mno-sse -Os -Wall -Wextra -Werror "
	h.bios = make("bios", compile+"-m32 -march=i386 -fno-pie -no-pie -static -nostdlib "+
		"-Wl,-n,--build-id=none,-Ttext=0x100000,-e,start,-z,noexecstack,--no-warn-rwx-segments -o OUT testdata/herald/bios.c")
	make("efi.o", compile+"-m64 -fpie -mno-red-zone -c -o OUT testdata/herald/efi.c")
	h.efi = make("efi", "ld -m i386pep --subsystem 10 -e start -o OUT DIR/efi.o")
	return h, err
})

// told is what a herald says.
type told struct {
	kernel  string // its command line
	modules []module
}

// module is what stands after a module's URL or is its whole string, and what lies there.
type module struct {
	text        string
	length, sum uint32
}

func newModule(text, content string) module {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(content))
	return module{text, uint32(len(content)), sum.Sum32()}
}

var (
	kernelRE = regexp.MustCompile(`\nkernel \[(.*)\]\r`)
	moduleRE = regexp.MustCompile(`\nmodule \[(.*)\] length ([0-9a-f]{8}) sum ([0-9a-f]{8})\r`)
)

// hear waits until a herald runs on the machine and has said everything.
func hear(m *lab.Machine) told {
	said := m.WaitOutput(bootLimit, `(?s)\nherald, .*\nherald stops\r`)[0]
	var what told
	if k := kernelRE.FindStringSubmatch(said); k != nil {
		what.kernel = k[1]
	}
	number := func(s string) uint32 { n, _ := strconv.ParseUint(s, 16, 32); return uint32(n) }
	for _, found := range moduleRE.FindAllStringSubmatch(said, -1) {
		what.modules = append(what.modules, module{found[1], number(found[2]), number(found[3])})
	}
	return what
}
