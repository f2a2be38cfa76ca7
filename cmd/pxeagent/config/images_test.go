package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/image"
)

const imagesSample = `images:
  - {recipe: smartos, keep: 3, mirror: https://mirror.lan/smartos}
  - recipe: iso
    version: mfsbsd-14.1
    from: /mnt/usb/mfsbsd.iso
    sha256: AB` + "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB" + `
    title: Rescue, FreeBSD
  - {recipe: debian, version: trixie, arch: arm64, args: [console=ttyS0, 'auto priority=critical']}
`

var sampleImages = []image.Want{
	{Order: image.Order{Recipe: "smartos", Version: "latest", Mirrors: []string{"https://mirror.lan/smartos"}}, Keep: 3},
	{Order: image.Order{Recipe: "iso", Version: "mfsbsd-14.1", From: []string{"/mnt/usb/mfsbsd.iso"},
		SHA256: strings.Repeat("ab", 32), Title: "Rescue, FreeBSD"}},
	{Order: image.Order{Recipe: "debian", Version: "trixie", Arch: "arm64",
		Args: []string{"console=ttyS0", "auto", "priority=critical"}}},
}

const mirrorsSample = "mirrors:\n  smartos: https://mirror.lan/smartos\n  debian: [https://a.lan/debian, " +
	"https://b.lan/debian]\n"

var sampleMirrors = map[string][]string{"smartos": {"https://mirror.lan/smartos"},
	"debian": {"https://a.lan/debian", "https://b.lan/debian"}}

// Each mistake is named with its place and its line, all at once.
func TestMistakesInImages(t *testing.T) {
	dir := isolate(t)
	write(t, "pxeagent.yaml", `images:
  - {version: latest}
  - {recipe: smartos, keep: 0}
  - {recipe: smartos, keeps: 2}
  - {recipe: iso, from: disk.iso}
  - {recipe: iso, version: x, from: ftp://host/disk.iso, sha256: abc}
mirrors:
  smartos: mirror.lan/smartos
  debian: [https://a.lan/debian, "https://u:secret@b.lan/debian"]
`)
	_, err := schema.Load(nil)
	var ms Mistakes
	if !errors.As(err, &ms) {
		t.Fatalf("no mistakes: %v", err)
	}
	file := filepath.Join(dir, "pxeagent.yaml")
	want := []string{
		"images[0]: has no recipe; `pxeagent image recipes` lists them (" + file + ":2)",
		`images[1].keep: invalid number of versions "0": want 1 to 1000 (` + file + ":3)",
		"images[2].keeps: unknown key; did you mean keep? (" + file + ":4)",
		"images[3]: has from and no version; name the version that it is (" + file + ":5)",
		`images[4].from: "ftp://host/disk.iso" has the scheme ftp; want https or http (` + file + ":6)",
		`images[4].sha256: invalid SHA-256 "abc": want 64 hex digits (` + file + ":6)",
		`mirrors.smartos: "mirror.lan/smartos" has no scheme; want https://mirror.lan/smartos (` + file + ":8)",
		`mirrors.debian[1]: "https://u:xxxxx@b.lan/debian" has a user; want a mirror that asks for none (` + file + ":9)",
	}
	for i, m := range ms {
		if i >= len(want) || m.String() != want[i] {
			t.Errorf("mistake %d: %s", i, m)
		}
	}
	if len(ms) != len(want) {
		t.Errorf("%d Mistakes, want %v", len(ms), len(want))
	}
}

// A path counts from the file's folder, as every path in it does.
func TestImagesFromRelativePath(t *testing.T) {
	dir := isolate(t)
	write(t, "etc/pxeagent.yaml", "images: [{recipe: iso, version: x, from: [usb/x.iso, https://host/memdisk]}]\n")
	l, err := schema.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Config.Images[0].From; len(got) != 2 || got[0] != filepath.Join(dir, "etc/usb/x.iso") ||
		got[1] != "https://host/memdisk" {
		t.Errorf("from %q", got)
	}
}

// An image of several files has a checksum for each.
func TestChecksumsOfSeveralFiles(t *testing.T) {
	a, b := strings.Repeat("ab", 32), strings.Repeat("CD", 32)
	if got, err := ParseSHA256(a + ", " + b); err != nil || got != a+","+strings.ToLower(b) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := ParseSHA256(a + ","); err == nil {
		t.Error("nothing is taken for a checksum")
	}
}
