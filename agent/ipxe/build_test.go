package ipxe

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/script"
	"pxeagent/deploy/lab"
)

// standInTree is a folder like iPXE's, whose make says what it does and puts the script into what it makes.
func standInTree(t *testing.T, makefile string) string {
	t.Helper()
	for _, tool := range []string{makeProgram(), "gcc", "ld", "perl"} {
		if _, err := exec.LookPath(tool); err != nil {
			lab.Missing(t, tool)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "src/Makefile"), []byte(makefile), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

const standInMakefile = `
bin/%.kpxe bin-x86_64-efi/%.efi: $(EMBED)
	@mkdir -p $(@D)
	@echo "  [BUILD] $@"
	@echo "  [NOTE] from a sub-process" >&2
	@(echo "made as $@:"; cat $(EMBED)) > $@
bin/broken.kpxe:
	@echo "  [BUILD] bin/broken.o"
	@echo "core/broken.c:7: error: no" >&2
	@exit 3
bin/nothing.kpxe:
	@true
bin-x86_64-efi/deaf.efi:
	@mkdir -p $(@D)
	@echo made > $@
bin/slow.kpxe:
	@echo "  [BUILD] bin/slow.o"
	@sleep 600
`

func TestBuild(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	source, dir := standInTree(t, standInMakefile), filepath.Join(t.TempDir(), "tftp")
	text := []byte("#!ipxe\nshell\n")
	for target, name := range map[string]string{"bios": "undionly.kpxe", "efi64": "ipxe.efi",
		"bin-x86_64-efi/snponly.efi": "snponly.efi"} {
		var lines []string
		b := Build{
			Source:   source,
			Target:   target,
			Script:   text,
			Named:    "mine.ipxe",
			Dir:      dir,
			Progress: func(l string) { lines = append(lines, l) },
		}
		built, err := b.Run(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasSuffix(string(got), ":\n"+string(text)) {
			t.Errorf("%s: installed %q, %v", target, got, err)
		}
		if all := strings.Join(lines, "\n"); !strings.Contains(all, "[BUILD] bin") || !strings.Contains(all, "[NOTE]") {
			t.Errorf("%s: progress was %q", target, lines)
		}
		record, err := ReadBuilt(filepath.Join(dir, name))
		if err != nil || record != built || built.File != filepath.Join(dir, name) || built.Size != int64(len(got)) ||
			built.Script != "mine.ipxe" ||
			built.ScriptSHA256 != sum(text) ||
			built.Source != filepath.Join(source, "src") ||
			time.Since(built.Time) > time.Minute {
			t.Errorf("%s: built %+v, recorded %+v, %v", target, built, record, err)
		}
	}
	// Another script: make has to make it again.
	again, err := Build{
		Source: filepath.Join(source, "src"),
		Target: "bios",
		Script: []byte("#!ipxe\nreboot\n"),
		Dir:    dir,
	}.Run(
		context.Background(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(again.File); !strings.Contains(string(got), "reboot") {
		t.Errorf("built again with another script: %q", got)
	}
	// What was put in its place by hand is not what the record speaks of.
	if err := os.WriteFile(again.File, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBuilt(again.File); err == nil {
		t.Error("the record was taken for another file's")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "pxeagent-ipxe-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBuildThatFailsKeepsWhatWasThere(t *testing.T) {
	source, dir := standInTree(t, standInMakefile), t.TempDir()
	for _, name := range []string{"broken.kpxe", "nothing.kpxe", "deaf.efi", "slow.kpxe"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("before"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := func(ctx context.Context, target, text string, progress func(string)) error {
		_, err := Build{Source: source, Target: target, Script: []byte(text), Dir: dir, Progress: progress}.Run(ctx)
		return err
	}
	const text = "#!ipxe\nshell\n"
	ctx := context.Background()
	var failed *MakeError
	if err := build(ctx, "bin/broken.kpxe", text, nil); !errors.As(err, &failed) ||
		!strings.Contains(err.Error(), "core/broken.c:7: error: no") {
		t.Errorf("a make that fails: %v", err)
	}
	if err := build(ctx, "bin/nothing.kpxe", text, nil); !errors.As(err, &failed) ||
		!strings.Contains(err.Error(), "without making the file") {
		t.Errorf("a make that makes nothing: %v", err)
	}
	if err := build(ctx, "bin-x86_64-efi/deaf.efi", text, nil); err == nil ||
		!strings.Contains(err.Error(), "does not heed EMBED") {
		t.Errorf("a make that leaves the script out: %v", err)
	}
	if err := build(ctx, "bios", "no script\n", nil); !errors.Is(err, script.ErrNotScript) {
		t.Errorf("text that is not a script: %v", err)
	}
	for _, target := range []string{"../bin/x.efi", "clean", "bin/../x", "bin/-j9", "EMBED=x", ""} {
		if err := build(ctx, target, text, nil); !errors.Is(err, ErrTarget) {
			t.Errorf("target %q: %v", target, err)
		}
	}
	if _, err := (Build{Source: dir, Target: "bios", Script: []byte(text)}).Run(ctx); !errors.Is(err, ErrNoSource) {
		t.Errorf("a folder without a Makefile: %v", err)
	}
	// ^C in the middle.
	ctx, cancel := context.WithCancel(ctx)
	if err := build(ctx, "bin/slow.kpxe", text, func(l string) {
		if strings.Contains(l, "slow.o") {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("a make that was stopped: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, f := range left {
		if got, _ := os.ReadFile(filepath.Join(dir, f.Name())); string(got) != "before" {
			t.Errorf("%s is now %q", f.Name(), got)
		}
	}
}

func TestBuildNamesTheToolsThatAreMissing(t *testing.T) {
	source := standInTree(t, standInMakefile)
	t.Setenv("PATH", t.TempDir())
	_, err := Build{
		Source: source,
		Target: "bios",
		Script: []byte("#!ipxe\n"),
		Dir:    t.TempDir(),
	}.Run(
		context.Background(),
	)
	if !errors.Is(err, ErrNoTools) || !strings.Contains(err.Error(), "gcc") || !strings.Contains(err.Error(), "perl") {
		t.Errorf("%v", err)
	}
}

func TestInstalled(t *testing.T) {
	for target, want := range map[string]string{
		"bios": Undionly, "efi64": EFI64, "arm64": EFIARM64, "bin-x86_64-pcbios/ipxe.pxe": "ipxe.pxe",
		"bin-i386-efi/ipxe.efi":         "ipxe-i386.efi",
		"bin-x86_64-efi-sb/snponly.efi": "snponly.efi",
	} {
		if got, err := Installed(target); err != nil || got != want {
			t.Errorf("%s is installed as %q, %v; want %q", target, got, err, want)
		}
	}
}
