package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pxeagent/deploy/lab"
)

// folder holds what the tests make for one another.
var folder string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pxeagent-release-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	folder = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// example is a release of sources, which are made to be of a commit.
func example(source, version string) *release {
	return &release{
		source: source, out: source + "-dist", version: version, commit: "0123456789abcdef0123456789abcdef01234567",
		date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), maintainer: "The maintainers <maintainers@example.org>",
	}
}

// copySources copies the module's files, but for hidden folders, to a folder of that name.
func copySources(name string) (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	to := filepath.Join(folder, name)
	return to, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		return copyFile(filepath.Join(to, strings.TrimPrefix(path, root)), path)
	})
}

// twice is one release for linux/amd64, made in two folders.
var twice = sync.OnceValues(func() (dirs [2]string, err error) {
	for i, name := range []string{"one", "the-other/folder"} {
		source, err := copySources(name)
		if err != nil {
			return dirs, err
		}
		r := example(source, "1.2.3")
		dirs[i] = r.out
		if err := r.make(context.Background(), "linux/amd64"); err != nil {
			return dirs, err
		}
	}
	return dirs, nil
})

// made is the folder of a release for linux/amd64.
func made(t *testing.T) string {
	t.Helper()
	lab.NoShort(t)
	needModules(t)
	dirs, err := twice()
	if err != nil {
		t.Fatal(err)
	}
	return dirs[0]
}

// needModules skips t where the tools' modules are neither here nor to be had.
func needModules(t *testing.T) {
	t.Helper()
	for _, tool := range []string{bomTool, packageTool} {
		path, version, _ := strings.Cut(tool, "@")
		module, _, _ := strings.Cut(path, "/cmd/")
		if err := exec.Command("go", "mod", "download", module+"@"+version).Run(); err != nil {
			lab.Missing(t, "the Go module "+module)
		}
	}
	images := exec.Command("go", "mod", "download")
	images.Dir = filepath.Join("../..", imagesModule)
	if err := images.Run(); err != nil {
		lab.Missing(t, "the Go modules of "+imagesModule)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same sources make the same files, byte for byte, wherever they lie.
func TestReleaseIsReproducible(t *testing.T) {
	one := made(t)
	dirs, _ := twice()
	want := []string{
		"SHA256SUMS", "pxeagent-1.2.3-1.x86_64.rpm", "pxeagent_1.2.3_amd64.deb", "pxeagent_1.2.3_linux_amd64.cdx.json",
		"pxeagent_1.2.3_linux_amd64.docker.tar", "pxeagent_1.2.3_linux_amd64.tar.gz", "pxeagent_1.2.3_oci.tar",
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if !slices.Equal(names, want) {
			t.Fatalf("%s has %q, want %q", dir, names, want)
		}
	}
	for _, name := range want {
		if a, b := read(t, filepath.Join(one, name)), read(t, filepath.Join(dirs[1], name)); !bytes.Equal(a, b) {
			t.Errorf("%s differs between two folders: %d and %d bytes", name, len(a), len(b))
		}
	}
	program := unpack(t, filepath.Join(one, "pxeagent_1.2.3_linux_amd64.tar.gz"))["pxeagent"]
	if bytes.Contains(program, []byte(folder)) {
		t.Errorf("the program names the folder that it was built in")
	}
}

// unpack reads an archive, by names below its one folder.
func unpack(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		name, below := strings.CutPrefix(h.Name, strings.TrimSuffix(filepath.Base(path), ".tar.gz")+"/")
		if mode := map[bool]int64{true: 0o755, false: 0o644}[name == "pxeagent"]; !below || h.Mode != mode || h.Uid != 0 {
			t.Errorf("%s has mode %o and owner %d", h.Name, h.Mode, h.Uid)
		}
		if found[name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

// An archive has the program, which knows what it was made from, and what belongs to it.
func TestArchive(t *testing.T) {
	files := unpack(t, filepath.Join(made(t), "pxeagent_1.2.3_linux_amd64.tar.gz"))
	for name, want := range map[string]string{
		"LICENSE":                       "Apache License",
		"NOTICE":                        "GPL-2.0-only",
		"pxeagent.example.yaml":         "#next_server: auto",
		"systemd/pxeagent.service":      "ExecStart=/usr/local/bin/pxeagent serve",
		"systemd/pxeagent.socket":       "ListenDatagram=0.0.0.0:69",
		"systemd/pxeagent.sysusers":     "u pxeagent",
		"grafana/pxeagent.json":         `"uid": "pxeagent"`,
		"prometheus/pxeagent.rules.yml": "groups:",
		"guide/README.md":               "install.md",
		"man/pxeagent.1":                `.TH "PXEAGENT" "1" "Jan 2026" "pxeagent" "Network boot"`,
		"man/pxeagent-image-add.1":      "pxeagent-image-add - ",
		"completions/pxeagent.bash":     "__start_pxeagent",
		"completions/pxeagent.zsh":      "#compdef pxeagent",
		"completions/pxeagent.fish":     "complete -c pxeagent",
	} {
		if !bytes.Contains(files[name], []byte(want)) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	program := filepath.Join(t.TempDir(), "pxeagent")
	if err := os.WriteFile(program, files["pxeagent"], 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "version", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var says struct{ Version, Revision, Time, Platform string }
	if err := json.Unmarshal(out, &says); err != nil {
		t.Fatal(err)
	}
	r := example("", "1.2.3")
	want := struct{ Version, Revision, Time, Platform string }{r.version, r.commit, "2026-01-02T03:04:05Z", "linux/amd64"}
	if says != want {
		t.Errorf("the program says it is %+v", says)
	}
}

// The checksums are those of the files, as sha256sum reads them.
func TestSums(t *testing.T) {
	dir := made(t)
	lines := strings.Split(strings.TrimSpace(string(read(t, filepath.Join(dir, sums)))), "\n")
	if len(lines) != 6 {
		t.Errorf("%d checksums, want 6: %q", len(lines), lines)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if got := fmt.Sprintf("%x", sha256.Sum256(read(t, filepath.Join(dir, name)))); got != sum {
			t.Errorf("%s has %s, and is listed with %s", name, got, sum)
		}
	}
}

// The list of modules names those of the program with version and licence, and neither a time nor a number of its own.
func TestBillOfMaterials(t *testing.T) {
	b := read(t, filepath.Join(made(t), "pxeagent_1.2.3_linux_amd64.cdx.json"))
	var list struct {
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if list.SerialNumber != "" || list.Metadata.Timestamp != "" {
		t.Errorf("serial number %q, time %q", list.SerialNumber, list.Metadata.Timestamp)
	}
	if c := list.Metadata.Component; c.Name != "pxeagent" || c.Version != "1.2.3" {
		t.Errorf("it is of %+v", c)
	}
	if len(list.Components) < 20 || !strings.Contains(string(b), "pkg:golang/github.com/tinkerbell/ipxedust@v0.0.0-") {
		t.Errorf("%d modules, or no ipxedust", len(list.Components))
	}
	if err := checkLicences(b); err != nil {
		t.Error(err)
	}
}

func TestLicences(t *testing.T) {
	list := func(components string) string { return `{"components": [` + components + `]}` }
	module := func(name, licences string) string {
		return `{"name": "` + name + `", "evidence": {"licenses": [` + licences + `]}}`
	}
	const mit, agpl = `{"license": {"id": "MIT"}}`, `{"license": {"id": "AGPL-3.0"}}`
	for _, c := range []struct{ list, want string }{
		{list(module("a", mit)), ""},
		{list(module("a", mit) + "," + module("b", agpl)), `b: licence "AGPL-3.0" is not allowed`},
		{list(module("a", mit+","+agpl)), `a: licence "AGPL-3.0" is not allowed`},
		{list(module("a", "")), "a: no licence was found"},
		{list(`{"name": "a"}`), "a: no licence was found"},
		{list(module("a", `{"license": {"name": "Mine"}}`)), `a: licence "Mine" is not allowed`},
		{list(""), "the list of modules is empty"},
	} {
		got := ""
		if err := checkLicences([]byte(c.list)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.list, got, c.want)
		}
	}
}

// A folder that holds something else is kept as it is.
func TestOutIsNoRelease(t *testing.T) {
	dir := t.TempDir()
	if err := replaceable(filepath.Join(dir, "missing")); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
	if err := replaceable(dir); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceable(dir); err == nil || !strings.Contains(err.Error(), "name another folder with --out") {
		t.Errorf("another's folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, sums), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceable(dir); err != nil {
		t.Errorf("an older release: %v", err)
	}
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3": "1.2.3", "1.2.3-rc1": "1.2.3~rc1", "0.0.0-20260102.g0123abcd": "0.0.0~20260102.g0123abcd",
	} {
		if got := debianVersion(version); got != want || !semver.MatchString(version) {
			t.Errorf("%s is %s to Debian, want %s", version, got, want)
		}
	}
	for _, version := range []string{"", "1.2", "v1.2.3", "1.2.3-", "1.2.3 -X main.x", "latest"} {
		if semver.MatchString(version) {
			t.Errorf("%q is taken for a version", version)
		}
	}
	var names []string
	for _, p := range platforms {
		names = append(names, p.String())
	}
	if got := strings.Join(names, " "); got != "linux/amd64 linux/arm64 linux/armv7 freebsd/amd64 freebsd/arm64" {
		t.Errorf("released for %s", got)
	}
}
