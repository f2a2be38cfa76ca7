package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"pxeagent/cmd/pxeagent/config"
	"pxeagent/dnsmasq"
)

// readPackage reads a package of FreeBSD: its files in their order, by path.
func readPackage(t *testing.T, path string) (order []string, files map[string]*tar.Header, texts map[string][]byte) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	files, texts = map[string]*tar.Header{}, map[string][]byte{}
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return order, files, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		order, files[h.Name] = append(order, h.Name), h
		if texts[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

// A package of FreeBSD begins with its manifests, and holds the files that these list.
func TestFreeBSDPackage(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "shared")
	for name, text := range unpack(t, filepath.Join(made(t), "pxeagent_1.2.3_linux_amd64.tar.gz")) {
		if err := writeFile(filepath.Join(shared, name), text); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "pxeagent")
	if err := os.WriteFile(program, []byte("\x7fELF\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := example(root, "1.2.3-rc1")
	var paths [2]string
	for i := range paths {
		paths[i] = filepath.Join(t.TempDir(), "pxeagent.pkg")
		if err := r.freebsdPackage(platform{"freebsd", "arm64", ""}, paths[i], program, shared); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, paths[0]), read(t, paths[1])) {
		t.Error("it is not the same twice")
	}

	order, files, texts := readPackage(t, paths[0])
	if len(order) < 3 || order[0] != "+COMPACT_MANIFEST" || order[1] != "+MANIFEST" {
		t.Fatalf("it begins with %q", order[:min(3, len(order))])
	}
	if rest := order[2:]; !slices.IsSorted(rest) || !strings.HasPrefix(rest[0], "/usr/local/") {
		t.Errorf("files are %q", rest)
	}
	var m, compact manifest
	for name, into := range map[string]*manifest{"+MANIFEST": &m, "+COMPACT_MANIFEST": &compact} {
		if err := json.Unmarshal(texts[name], into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var size int64
	for _, name := range order[2:] {
		size += files[name].Size
		if got, want := m.Files[name], fmt.Sprintf("%x", sha256.Sum256(texts[name])); got != want {
			t.Errorf("%s has %s, and is listed with %q", name, want, got)
		}
	}
	if len(m.Files) != len(order)-2 || m.FlatSize != size {
		t.Errorf("%d files of %d bytes are listed, and there are %d of %d", len(m.Files), m.FlatSize, len(order)-2, size)
	}
	if got := slices.Sorted(maps.Keys(m.Scripts)); !slices.Equal(got, []string{"post-install", "pre-deinstall",
		"pre-install"}) {
		t.Errorf("scripts for %q", got)
	}
	m.Files, m.Scripts = nil, nil
	if diff := cmp.Diff(m, compact); diff != "" {
		t.Errorf("the compact manifest is not the other without files and scripts:\n%s", diff)
	}
	m.Desc, m.FlatSize = "", 0
	want := manifest{Name: "pxeagent", Origin: "net/pxeagent", Version: "1.2.3.rc1",
		Comment:    "Network boot: DHCP settings, TFTP, HTTP and the iPXE menu",
		Maintainer: "The maintainers <maintainers@example.org>", WWW: "UNKNOWN", ABI: "FreeBSD:*:aarch64",
		Arch: "freebsd:*:aarch64:64", Prefix: "/usr/local", LicenseLogic: "and", Licenses: []string{"APACHE20", "GPLv2"},
		Categories: []string{"net"}, Users: []string{"pxeagent"}, Groups: []string{"pxeagent"}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("it says of itself (-want +got):\n%s", diff)
	}
	for name, mode := range map[string]int64{
		"/usr/local/bin/pxeagent":                                  0o755,
		"/usr/local/etc/rc.d/pxeagent":                             0o555,
		"/usr/local/etc/pxeagent/pxeagent.yaml.sample":             0o644,
		"/usr/local/share/man/man1/pxeagent-configure.1.gz":        0o644,
		"/usr/local/share/bash-completion/completions/pxeagent":    0o644,
		"/usr/local/share/zsh/site-functions/_pxeagent":            0o644,
		"/usr/local/share/fish/vendor_completions.d/pxeagent.fish": 0o644,
		"/usr/local/share/pxeagent/grafana/pxeagent.json":          0o644,
		"/usr/local/share/pxeagent/prometheus/pxeagent.rules.yml":  0o644,
		"/usr/local/share/doc/pxeagent/guide/install.md":           0o644,
		"/usr/local/share/licenses/pxeagent/LICENSE":               0o644,
		"/usr/local/share/licenses/pxeagent/NOTICE":                0o644,
	} {
		if h := files[name]; h == nil || h.Mode != mode || h.Uname != "root" || h.Gname != "wheel" ||
			!h.ModTime.Equal(r.date) {
			t.Errorf("%s is %+v, want mode %o", name, h, mode)
		}
	}
	sample := texts["/usr/local/etc/pxeagent/pxeagent.yaml.sample"]
	if !bytes.Contains(sample, []byte("#root: /var/db/pxeagent\n")) || bytes.Contains(sample, []byte("/var/lib")) ||
		bytes.Contains(sample, []byte(" /etc/pxeagent")) {
		t.Errorf("the sample has Linux's paths:\n%s", sample)
	}
	if err := yaml.Unmarshal(sample, new(any)); err != nil {
		t.Errorf("the sample: %v", err)
	}
}

// FreeBSD's paths are those that the program has there.
func TestFreeBSDPaths(t *testing.T) {
	linux, want := config.SystemOf("linux"), config.SystemOf("freebsd")
	if got := (config.System{Conf: linuxPaths.Replace(linux.Conf), State: linuxPaths.Replace(linux.State),
		Root: linuxPaths.Replace(linux.Root)}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := linuxPaths.Replace(dnsmasq.ConfDir("linux")), dnsmasq.ConfDir("freebsd"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What is not ASCII, and the sign that says so, survive a manifest.
func TestEncoded(t *testing.T) {
	if got := encoded("100 % é\n\"$x\""); got != "100 %25 %c3%a9\n\"$x\"" {
		t.Errorf("%q", got)
	}
}
