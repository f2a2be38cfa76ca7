package image

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image/imagetest"
	"pxeagent/deploy/lab"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Every built-in recipe, against a mirror that is laid out as its maker's: what the menu has then.
func TestBuiltInRecipes(t *testing.T) {
	b := newBench(t)
	mirror := func(publish func(m *imagetest.Mirror)) []string {
		m := imagetest.New(t)
		publish(m)
		return []string{m.URL}
	}
	media := t.TempDir()
	for name, text := range map[string]string{
		"win/Boot/BCD": "bcd", "win/Boot/boot.sdi": "sdi", "win/sources/boot.wim": "wim", "win/bootmgr": "mgr",
		"win/bootmgr.efi": "efi",
		"mfsbsd.iso":      "iso", "disk/mfsbsd.iso": "iso", "disk/memdisk": "memdisk", "linux/vmlinuz-6.12": "kernel",
		"linux/initrd.img-6.12": "initrd",
	} {
		p := filepath.Join(media, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	done := map[string]bool{}
	schematic := strings.Repeat("5a", 32)
	for _, o := range []Order{
		{Recipe: "smartos", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishSmartOS(t, "20250101T000000Z")
		})},
		{Recipe: "smartos", Version: stamp, Mirrors: mirror(func(m *imagetest.Mirror) { m.PublishOldSmartOS(t, stamp) })},
		{Recipe: "memtest86+", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) { m.PublishMemtest(t, "7.20") })},
		{Recipe: "debian", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishDebian("trixie", "amd64")
		})},
		{Recipe: "debian", Version: "bookworm", Arch: "arm64", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishDebian("bookworm", "arm64")
		})},
		{Recipe: "memtest86+", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishMemtest8(t, "8.10")
		})},
		{Recipe: "smartos-netboot", Version: "20260430T145637Z", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishUnpackedSmartOS("20260430T145637Z")
		})},
		{Recipe: "talos-factory", Version: "v1.14.0-" + schematic, Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishTalosFactory(schematic, "v1.14.0")
		})},
		{Recipe: "ubuntu", Version: "latest", Arch: "arm64", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishUbuntuARM(t, "noble", "24.04", "24.04.3")
		})},
		{Recipe: "ubuntu", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishUbuntu(t, "24.04", "24.04.1")
		})},
		{Recipe: "fedora", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) { m.PublishFedora("42", "x86_64") })},
		{Recipe: "alpine", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishAlpine(t, "3.22.1", "x86_64")
		})},
		{Recipe: "flatcar", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishFlatcar("4230.2.0", "amd64-usr")
		})},
		{Recipe: "talos", Version: "latest", Mirrors: mirror(func(m *imagetest.Mirror) { m.PublishTalos("v1.10.4") })},
		{Recipe: "talos", Version: "v1.9.0", Arch: "arm64", Mirrors: mirror(func(m *imagetest.Mirror) {
			m.PublishTalos("v1.9.0")
		})},
		{Recipe: "generic", Version: "rescue", From: []string{filepath.Join(media, "linux")}, Title: "Our rescue system",
			Args: []string{"console=ttyS0", "quiet"}},
		{Recipe: "iso", Version: "mfsbsd-14.1", From: []string{filepath.Join(media, "mfsbsd.iso")}},
		{Recipe: "iso", Version: "mfsbsd-in-memory", From: []string{filepath.Join(media, "disk")}},
		{Recipe: "wimboot", Version: "windows-pe", From: []string{filepath.Join(media, "win")},
			Mirrors: mirror(func(m *imagetest.Mirror) { m.Put("latest/download/wimboot", []byte("wimboot")) })},
	} {
		in := b.add(o)
		done[in.Recipe] = true
		unlisted := len(o.From) > 0 ||
			slices.Contains(
				[]string{"memtest-8.10", "smartos-netboot-20260430T145637Z", "talos-factory-v1.14.0-" + schematic},
				in.Key,
			)
		if in.Checked == unlisted || !in.OK() || len(in.Items) == 0 {
			t.Errorf("%s: %+v", in.Key, in)
		}
		if _, err := b.Verify(t.Context(), in.Key); err != nil {
			t.Error(err)
		}
	}
	all, err := Recipes("")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if !done[r.Name] {
			t.Errorf("recipe %s was not tried", r.Name)
		}
		if _, err := r.words(r.Example, ""); err != nil {
			t.Errorf("its own example: %v", err)
		}
	}
	var got strings.Builder
	for _, img := range find(t, b.finder).Images {
		got.WriteString(golden(img))
	}
	const file = "testdata/recipes.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// A stable release of Flatcar's may have no files for PXE: the one before is taken, and that is said.
func TestLatestWithoutItsFiles(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishFlatcar("4593.2.1", "amd64-usr")
	b.mirror.Put("amd64-usr/current/version.txt", []byte("FLATCAR_VERSION=4593.2.2\nFLATCAR_VERSION_ID=4593.2.2\n"))
	b.fails(
		Order{Recipe: "flatcar", Version: "latest"},
		ErrNoVersion,
		"4593.2.2/flatcar_production_pxe.vmlinuz answers 404",
	)
	b.mirror.Put("amd64-usr/", []byte(`<a href="4459.1.0/">x</a> <a href="./4593.2.1/">x</a> <a href="./4593.2.2/">x</a>`))
	in := b.add(Order{Recipe: "flatcar", Version: "latest"})
	if in.Version != "4593.2.1" ||
		!b.said("flatcar 4593.2.2 has no flatcar_production_pxe.vmlinuz; looking for an older one") {
		t.Errorf("%+v\n%s", in, strings.Join(b.steps, "\n"))
	}
	b.fails(Order{Recipe: "flatcar", Version: "4593.2.2"}, ErrNoVersion, "404")
}

// golden is all that a menu needs of an image, over some lines.
func golden(i Image) string {
	var b strings.Builder
	b.WriteString(i.Key + " (" + i.System + ", " + string(i.Kind) + ", " + string(i.CPU) + ")\n  " + i.Title + "\n")
	for _, l := range []struct{ name, text string }{
		{"recipe", i.Recipe + " " + i.Version + " in " + i.Dir}, {"bios", i.BIOS}, {"efi", i.EFI},
		{"shim", i.Shim},
	} {
		if l.text != "" {
			b.WriteString("  " + l.name + " " + l.text + "\n")
		}
	}
	for _, a := range i.Args {
		b.WriteString("  arg " + a.Text)
		if a.Path != "" {
			b.WriteString("[" + a.Path + "]")
		}
		b.WriteByte('\n')
	}
	for _, m := range i.Modules {
		b.WriteString(strings.TrimRight("  module "+m.Path+" "+m.Name+" "+m.Args, " ") + "\n")
	}
	if i.Installs {
		b.WriteString("  installs\n")
	}
	if i.NoImport {
		b.WriteString("  takes noimport\n")
	}
	return b.String()
}

// All that is wrong with a recipe is said at once, with the file and the key.
func TestRecipesThatAreWrong(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "name: A b\nversion: '('\nfiles: []\n",
		"b.yaml": "name: b\ntitle: B {release}\nversion: '\\d+'\nfolder: b\nmirrors: [ftp://x]\narch: {mips: " +
			"mips}\nlatest: {find: '('}\n" +
			"files:\n  - {to: ../x, sums: [{as: x}], strip: 1}\nneed: [/etc/passwd]\ndrop: ['[']\nboot:\n  - {kind: magic, " +
			"args: ['{url:../x}'], modules: [{}]}\n",
		"c.yaml": "name: c\ntitel: C\n",
		"w.yaml": "name: w\ntitle: W\nversion: x\nfolder: w/{version}\nfiles: [{name: k, prefer: '('}]\nwords: {arch: {of: " +
			"release, is: {a: ../b}}}\n" +
			"per_arch: {arm64: {mirrors: [ftp://x]}}\n",
		"d.yml":  ":\n-",
		"e.yaml": "name: e\ntitle: E\nversion: x\nfolder: e/{version}\nfiles: [{name: k}]\nboot: [{bios: k}]\n",
		"f.txt":  "not a recipe",
		".g.yml": "not a recipe",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Recipes(dir)
	if !errors.Is(err, ErrRecipe) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		dir + `/a.yaml: name: invalid "A b"`, "title: is not set", "files: has none",
		`version: "(" is not a regular expression`,
		dir + "/b.yaml: arch: unknown \"mips\"", "mirrors[0]: ", "folder: \"b\" is not one for each version",
		`title: "B {release}" has no word {release}`, "latest.find: ",
		"files[0]: has neither name nor match", `files[0].to: "../x" is not a path below`, "files[0].strip: ",
		"files[0].sums[0].url: is not set", "need[0]: ", "drop[0]: ",
		`boot[0].kind: unknown "magic"`, "boot[0]: has neither bios nor efi", `boot[0].args[0]: "../x" is not a path`,
		"boot[0].modules[0].path: is not set",
		dir + "/w.yaml: words: {arch} cannot be one", "words.arch.of: {release} is not a word",
		`words.arch.is: "../b" cannot stand`, "files[0].prefer: ",
		`per_arch: "arm64" is not in arch`, "per_arch.arm64.mirrors[0]: ", "per_arch.arm64.files: has none",
		dir + "/c.yaml: line 2: unknown key titel", dir + "/d.yml: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it is not said that %s", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	if r, ok := findRecipe(all, "e"); !ok || r.File() != filepath.Join(dir, "e.yaml") || r.BuiltIn() {
		t.Errorf("the one that is right: %+v", r)
	}
	if _, ok := findRecipe(all, "smartos"); !ok {
		t.Error("the built-in ones are gone")
	}
}

// A recipe of the user's takes the place of a built-in one of its name.
func TestOwnRecipe(t *testing.T) {
	b := newBench(t)
	put(t, b.root, "recipes/talos.yaml")
	text := "name: talos\ntitle: Our Talos {version}\nversion: 'ours-\\d+'\nmirrors: [" + b.mirror.URL +
		"]\nfolder: ours/{version}\nfiles: [{name: kernel, url: 'k/{version}/{file}'}]\nboot: [{efi: kernel, args: " +
		"['at={url:.}']}]\n"
	if err := os.WriteFile(filepath.Join(b.root, "recipes/talos.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	b.mirror.Put("k/ours-7/kernel", []byte("k"))
	b.open()
	b.add(Order{Recipe: "talos", Version: "ours-7"})
	if diff := cmp.Diff([]string{"talos-ours-7 | Our Talos ours-7 | x86 bios= efi=ours/ours-7/kernel | at=/ours/ours-7"},
		b.items()); diff != "" {
		t.Error(diff)
	}
}

// The seeds are short, so that the fuzzer has made one smaller before its time is over; the built-in recipes are
// tested by TestBuiltInRecipes.
func FuzzParseRecipe(f *testing.F) {
	const start = "name: e\ntitle: E\nversion: '(?P<b>\\d)x*'\nexample: 1x\nfolder: e/{version}\n"
	for _, rest := range []string{
		"files: [{name: k}]\nboot: [{bios: k}]\n",
		"files: [{match: '{b}.*', to: k}]\n",
		"files: [{name: k, url: '{file}', sums: [{url: s, as: k, in: [{url: t}]}]}]\n",
		"files: [{name: k, unpack: true, strip: 1}]\narch: {arm64: a}\nneed: [k]\ndrop: [x*]\n",
		"latest: {url: l, find: '(\\d)'}\nmirrors: [http://m]\nfiles: [{name: k}]\n",
		"files: [{name: k}]\nboot: [{efi: k, args: ['a={url:.}'], modules: [{path: k}]}]\n",
	} {
		f.Add(start + rest)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRecipe([]byte(text))
		if err != nil {
			return
		}
		// What passed the check can be used without a further one, and lies below the folder that it says.
		words, err := r.words(r.Example, "")
		if err != nil {
			return
		}
		if _, err := r.wanted(words); err != nil {
			t.Errorf("%v of\n%s", err, text)
		}
		if folder := words.expand(r.Folder); !filepath.IsLocal(folder) {
			t.Errorf("the folder is %q of\n%s", folder, text)
		}
	})
}

// A shim that no list names is taken for what Microsoft has signed, and only so.
func TestSignatureInPlaceOfAChecksum(t *testing.T) {
	const shim, at = "/usr/lib/shim/shimx64.efi.signed", "releases/42/Everything/x86_64/os/EFI/BOOT/BOOTX64.EFI"
	lab.NeedFile(t, shim)
	program, err := os.ReadFile(shim)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		program []byte
		checked bool
	}{"signed": {program, true}, "changed": {append(bytes.Clone(program[:5000]), program[5001:]...), false}} {
		m := imagetest.New(t)
		m.PublishFedora("42", "x86_64")
		m.Put(at, c.program)
		b := newBench(t)
		in := b.add(Order{Recipe: "fedora", Version: "42", Mirrors: []string{m.URL}})
		if in.Checked != c.checked {
			t.Errorf("%s: %+v", name, in)
		}
	}
}
