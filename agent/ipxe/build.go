package ipxe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"pxeagent/agent/script"
)

// Build makes an NBP from a source tree of iPXE's that the user has, with a script in it.
type Build struct {
	Source string // folder of the tree, or its src
	Target string // as iPXE's make names it, or one of Targets
	Script []byte // what is embedded; it must be valid
	Named  string // what the record calls the script
	Dir    string // where the result goes; made where it is missing
	// Progress is called with each line that make prints; nil: no reports.
	Progress func(line string)
}

// Targets are short names of what machines fetch, and iPXE's for them.
var Targets = map[string]string{
	"bios":  "bin/" + Undionly,
	"efi64": "bin-x86_64-efi/" + EFI64,
	"arm64": "bin-arm64-efi/snp.efi",
}

var (
	// ErrNoSource: the folder is not a source tree of iPXE.
	ErrNoSource = errors.New("not an iPXE source tree")
	// ErrNoTools: programs that the build needs are not installed. The text names them.
	ErrNoTools = errors.New("not installed")
	// ErrTarget: not a target of iPXE's make.
	ErrTarget = errors.New("unknown iPXE target")
)

// MakeError is a make that failed.
type MakeError struct {
	Command string
	Last    []string // the last lines that it printed
	NoLZMA  bool     // the compiler does not find lzma.h, which BIOS targets need
	Err     error
}

func (e *MakeError) Error() string {
	return fmt.Sprintf("%s: %v\n  %s", e.Command, e.Err, strings.Join(e.Last, "\n  "))
}

func (e *MakeError) Unwrap() error { return e.Err }

var targetRE = regexp.MustCompile(`^bin(-[a-z0-9_]+)*/[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Installed is the name that machines will ask for: that of the target, and where the DHCP server has a name of its own
// for the architecture, that one.
func Installed(target string) (string, error) {
	if t, ok := Targets[target]; ok {
		target = t
	}
	if !targetRE.MatchString(target) {
		return "", fmt.Errorf("%q: %w; want bios, efi64, arm64 or one like bin-x86_64-efi/snponly.efi", target,
			ErrTarget)
	}
	dir, name := filepath.Split(target)
	for _, arch := range []string{"arm64", "arm32", "i386", "riscv64", "loong64"} {
		if base, ok := strings.CutSuffix(name, ".efi"); ok && strings.HasPrefix(dir, "bin-"+arch+"-efi") {
			return base + "-" + arch + ".efi", nil
		}
	}
	return name, nil
}

// Run checks that all is there, runs make, and installs the result with a record of what it was built from. On an error
// what was installed before stays.
func (b Build) Run(ctx context.Context) (Built, error) {
	name, err := Installed(b.Target)
	if err != nil {
		return Built{}, err
	}
	if t, ok := Targets[b.Target]; ok {
		b.Target = t
	}
	if err := script.Validate(b.Script); err != nil {
		return Built{}, err
	}
	src, err := b.tree()
	if err != nil {
		return Built{}, err
	}
	if err := b.tools(); err != nil {
		return Built{}, err
	}
	made, err := b.make(ctx, src)
	if err != nil {
		return Built{}, err
	}
	// EFI binaries carry their script as it is, BIOS ones compressed.
	if strings.HasSuffix(name, ".efi") && !bytes.Contains(made, bytes.TrimSpace(b.Script)) {
		return Built{}, fmt.Errorf("%s was made without the script in it: this tree's Makefile does not heed EMBED",
			b.Target)
	}
	return b.install(src, name, made)
}

// tree is the folder that make runs in.
func (b Build) tree() (string, error) {
	abs, err := filepath.Abs(b.Source)
	if err != nil {
		return "", err
	}
	for _, dir := range []string{filepath.Join(abs, "src"), abs} {
		if info, err := os.Stat(filepath.Join(dir, "Makefile")); err == nil && info.Mode().IsRegular() {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s: %w: it has no src/Makefile", b.Source, ErrNoSource)
}

// cross is the prefix of the compiler for another architecture than this machine's; "" for its own.
func (b Build) cross() string {
	if strings.HasPrefix(b.Target, "bin-arm64-") && runtime.GOARCH != "arm64" {
		return "aarch64-linux-gnu-"
	}
	if !strings.HasPrefix(b.Target, "bin-arm64-") && runtime.GOARCH == "arm64" {
		return "x86_64-linux-gnu-"
	}
	return ""
}

// tools are all looked for before the first minute of a build is spent.
func (b Build) tools() error {
	var missing []string
	for _, tool := range []string{makeProgram(), b.cross() + "gcc", b.cross() + "ld", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(missing, ", "), ErrNoTools)
	}
	return nil
}

// makeProgram is GNU make; BSD's own cannot read iPXE's Makefile.
func makeProgram() string {
	if runtime.GOOS == "freebsd" {
		return "gmake"
	}
	return "make"
}

// make runs make and returns what it made.
func (b Build) make(ctx context.Context, src string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "pxeagent-ipxe-") // a new name each time, so that make sees another script
	if err != nil {
		return nil, fmt.Errorf("making a folder for the script: %w", err)
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "embed.ipxe")
	if strings.ContainsAny(script, " ,:$#") {
		return nil, fmt.Errorf("%s: make would take this name apart; set TMPDIR to another folder", script)
	}
	if err := os.WriteFile(script, b.Script, 0o644); err != nil {
		return nil, fmt.Errorf("writing the script: %w", err)
	}
	args := []string{"-C", src, fmt.Sprintf("-j%d", runtime.NumCPU()), b.Target, "EMBED=" + script}
	if c := b.cross(); c != "" {
		args = append(args, "CROSS="+c)
	}
	cmd := exec.CommandContext(ctx, makeProgram(), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// make's compilers end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	last, err := b.watch(cmd)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &MakeError{Command: "make " + b.Target, Last: last, NoLZMA: b.noLZMA(ctx), Err: err}
	}
	made, err := os.ReadFile(filepath.Join(src, filepath.FromSlash(b.Target)))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(made) == 0 {
		return nil, &MakeError{
			Command: "make " + b.Target,
			Last:    last,
			Err:     errors.New("make succeeded without making the file"),
		}
	}
	return made, err
}

// watch runs cmd and passes its lines on. It returns the last of them.
func (b Build) watch(cmd *exec.Cmd) ([]string, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var last []string
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			if last = append(last, line); len(last) > 20 {
				last = slices.Delete(last, 0, 1)
			}
			if b.Progress != nil {
				b.Progress(line)
			}
		}
		if err != nil {
			return last, cmd.Wait()
		}
	}
}

// noLZMA: the compiler does not find the header without which BIOS binaries cannot be compressed.
func (b Build) noLZMA(ctx context.Context) bool {
	return exec.CommandContext(ctx, "gcc", "-E", "-include", "lzma.h", "-x", "c", os.DevNull).Run() != nil
}
