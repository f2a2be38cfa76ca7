package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// make3 runs the command for three platforms, whose programs are texts, and returns what it wrote, by names.
func make3(t *testing.T) (dir string, files map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"--version", "1.2.3", "--commit", "0123456789abcdef", "--date", "1767323045"}
	args = append(args, "--out", filepath.Join(dir, "pxeagent_1.2.3"))
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7"} {
		program := filepath.Join(t.TempDir(), "pxeagent")
		if err := os.WriteFile(program, []byte("a program for "+p), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, p+"="+program)
	}
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return dir, files
}

// The same programs make the same bytes.
func TestReproducible(t *testing.T) {
	_, one := make3(t)
	_, two := make3(t)
	var names []string
	for name, content := range one {
		names = append(names, name)
		if !bytes.Equal(content, two[name]) {
			t.Errorf("%s differs", name)
		}
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "pxeagent_1.2.3_linux_amd64.docker.tar "+
		"pxeagent_1.2.3_linux_arm64.docker.tar pxeagent_1.2.3_linux_armv7.docker.tar pxeagent_1.2.3_oci.tar" {
		t.Errorf("it wrote %s", got)
	}
}

// The layout is as the OCI has it, names each platform, and its images are those of the archives for Docker.
func TestLayout(t *testing.T) {
	dir, files := make3(t)
	unpacked := filepath.Join(t.TempDir(), "layout")
	for tr := tar.NewReader(bytes.NewReader(files["pxeagent_1.2.3_oci.tar"])); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(unpacked, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, fs.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	outer, err := layout.ImageIndexFromPath(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Fatal(err)
	}
	top, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "pxeagent:1.2.3" {
		t.Fatalf("the layout has %+v", top.Manifests)
	}
	inner, err := outer.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range list.Manifests {
		platforms = append(platforms, m.Platform.String())
		img, err := inner.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		name := m.Platform.OS + "_" + m.Platform.Architecture + m.Platform.Variant
		archived, err := tarball.ImageFromPath(filepath.Join(dir, "pxeagent_1.2.3_"+name+".docker.tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, got := configName(t, img), configName(t, archived)
		if want != got {
			t.Errorf("%s: image %s in the layout, %s in the archive for Docker", m.Platform, want, got)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Platform().String() != m.Platform.String() || config.Config.User != "65532:65532" ||
			!config.Created.Equal(time.Unix(1767323045, 0)) {
			t.Errorf("%s: the image is for %v, user %q, of %v", m.Platform, config.Platform(), config.Config.User,
				config.Created)
		}
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64 linux/arm/v7" {
		t.Errorf("images for %s", got)
	}
}

func configName(t *testing.T, img v1.Image) string {
	t.Helper()
	name, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return name.String()
}

// The layer has the program with its capabilities, root certificates, and folders that the program's user may write.
func TestLayer(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pxeagent")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := release{source: "../.."}.layer(program)
	if err != nil {
		t.Fatal(err)
	}
	headers, content := map[string]*tar.Header{}, map[string]string{}
	for tr := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		headers[h.Name], content[h.Name] = h, string(text)
		if parent := strings.TrimSuffix(h.Name, filepath.Base(h.Name)+"/"); h.Typeflag == tar.TypeDir && parent != "" &&
			headers[parent] == nil {
			t.Errorf("%s comes before the folder that it is in", h.Name)
		}
		own := strings.HasPrefix(h.Name, "var/lib/pxeagent/")
		if own != (h.Uid == uid) || own != (h.Gid == uid) {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
	}
	// CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13; the bytes are what setcap(8) writes.
	const setcap = "0100000200240000000000000000000000000000"
	h := headers["usr/bin/pxeagent"]
	if got := hex.EncodeToString([]byte(h.PAXRecords["SCHILY.xattr.security.capability"])); got != setcap {
		t.Errorf("the program's capabilities are %s, want %s", got, setcap)
	}
	if content["usr/bin/pxeagent"] != "a program" || h.Mode != 0o755 {
		t.Errorf("the program is %q, mode %o", content["usr/bin/pxeagent"], h.Mode)
	}
	if !strings.Contains(content["usr/share/doc/pxeagent/NOTICE"], "GPL-2.0-only") {
		t.Error("the image has no NOTICE")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(content["etc/ssl/certs/ca-certificates.crt"])) {
		t.Fatal("no certificate in the image")
	}
	if n := strings.Count(content["etc/ssl/certs/ca-certificates.crt"], "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("%d root certificates, want some 140", n)
	}
}

func TestArguments(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "want --version, --out and PLATFORM=PROGRAM at least once"},
		{[]string{"--version", "1", "--out", out, "linux/amd64"}, `"linux/amd64": want PLATFORM=PROGRAM`},
		{[]string{"--version", "1", "--out", out, "linux/amd64=/missing"}, "linux/amd64: open /missing"},
		{[]string{"--version", "a b", "--out", out, "linux/amd64=/missing"}, "tag can only contain"},
	} {
		if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
	}
}
