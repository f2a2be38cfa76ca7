package image

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image/imagetest"
)

func TestAddSmartOS(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishSmartOS(t, stamp)
	in := b.add(Order{Recipe: "smartos", Version: "latest"})
	if in.Key != "smartos-"+stamp || in.Dir != "smartos/"+stamp || in.Version != stamp || !in.OK() || !in.Checked ||
		in.Added.IsZero() ||
		in.Installs {
		t.Errorf("%+v", in)
	}
	if got := b.items(); len(got) != 1 ||
		!strings.Contains(got[0], "bios=smartos/"+stamp+"/platform/i86pc/kernel/amd64/unix") {
		t.Errorf("items %q", got)
	}
	for _, step := range []string{
		"the latest version of smartos is " + stamp,
		"platform-release-20260101-" + stamp + ".tgz: SHA-256 agrees with " + b.mirror.URL + "/" + stamp + "/sha256sums.txt",
		"boot_archive agrees with boot_archive.hash",
		"SINGLE_USER_ROOT_PASSWORD.txt is kept in " + b.root + "/state/images/smartos-" + stamp,
	} {
		if !b.said(step) {
			t.Errorf("it was not said that %s:\n%s", step, strings.Join(b.steps, "\n"))
		}
	}
	if len(b.mirror.Asked(stamp+"/md5sums.txt")) > 0 {
		t.Error("the list of MD5 was fetched though there is a better one")
	}
	if strings.Contains(b.served(), "assword") {
		t.Errorf("a password is served:\n%s", b.served())
	}
	secret := filepath.Join(b.root, "state/images/smartos-"+stamp+"/SINGLE_USER_ROOT_PASSWORD.txt")
	if info, err := os.Stat(secret); err != nil || info.Mode() != 0o600 {
		t.Errorf("the password's file: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(b.Dir, in.Dir, "platform/i86pc/kernel/amd64/unix")); err != nil ||
		info.Mode() != 0o644 {
		t.Errorf("a file that was setuid in the archive: %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(b.own(partialDir)); len(left) > 0 {
		t.Errorf("%d downloads are left", len(left))
	}
	// Again: nothing is fetched.
	asked := len(b.mirror.Asked(""))
	again, err := b.Add(context.Background(), Order{Recipe: "smartos", Version: stamp})
	if !errors.Is(err, ErrThere) || again.Key != in.Key || len(b.mirror.Asked("")) != asked {
		t.Errorf("the second time: %v, %+v, %d requests more", err, again, len(b.mirror.Asked(""))-asked)
	}
}

// Images of 2013 are called without a branch, and have a list of MD5 alone.
func TestAddOldSmartOS(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	if in := b.add(Order{Recipe: "smartos", Version: stamp}); !in.Checked || !b.said("MD5 agrees with") {
		t.Errorf("%+v\n%s", in, strings.Join(b.steps, "\n"))
	}
}

// Where a maker publishes no list, the image is taken, and that is said and kept.
func TestNoChecksumIsPublished(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishMemtest(t, "8.10")
	b.mirror.Remove("download/v8.10/sha256sum.txt")
	in := b.add(Order{Recipe: "memtest", Version: "8.10"})
	if in.Checked || !b.said("no checksum is published; its SHA-256 is ") {
		t.Errorf("checked %v, said:\n%s", in.Checked, strings.Join(b.steps, "\n"))
	}
}

// A list that should name the file and does not, or is not there, is not a reason to go on without checking: nothing is
// fetched, and --sha256 is the way out.
func TestChecksumThatCannotBeCompared(t *testing.T) {
	page := []byte("<!DOCTYPE html><html><body>Welcome to our network. Please log in.</body></html>")
	for name, publish := range map[string]func(*imagetest.Mirror, string){
		"a page in place of each list": func(m *imagetest.Mirror, at string) {
			m.Put(at+"sha256sums.txt", page)
			m.Put(at+"md5sums.txt", page)
		},
		"a list of other files": func(m *imagetest.Mirror, at string) {
			m.Put(at+"md5sums.txt", []byte(imagetest.SumLine("md5", "other.tgz", nil)))
		},
		"no list": func(*imagetest.Mirror, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			archive := imagetest.SmartOS(t, stamp)
			path := stamp + "/platform-" + stamp + ".tgz"
			b.mirror.Put(path, archive)
			publish(b.mirror, stamp+"/")
			b.fails(Order{Recipe: "smartos", Version: stamp}, ErrUnverified, "platform-"+stamp+".tgz")
			if b.said("no checksum is published") || b.said("downloading") {
				t.Errorf("said:\n%s", strings.Join(b.steps, "\n"))
			}
			if in := b.add(Order{Recipe: "smartos", Version: stamp, SHA256: imagetest.Sum("sha256", archive)}); !in.Checked {
				t.Errorf("with --sha256: %+v", in)
			}
		})
	}
	b := newBench(t)
	b.mirror.PublishDebian("trixie", "amd64")
	b.mirror.Put("dists/trixie/InRelease", page)
	b.fails(Order{Recipe: "debian", Version: "trixie"}, ErrUnverified, "InRelease does not name SHA256SUMS")
	linux, initrd := imagetest.Sum("sha256", []byte("linux amd64")), imagetest.Sum("sha256", []byte("initrd amd64"))
	b.fails(
		Order{Recipe: "debian", Version: "trixie", SHA256: linux + "," + initrd + "," + strings.Repeat("0", 64)},
		ErrOrder,
		"0000000000000000…",
	)
	if in := b.add(Order{Recipe: "debian", Version: "trixie", SHA256: linux + "," + initrd}); !in.Checked {
		t.Errorf("with the checksums of both files: %+v", in)
	}
	// Of a file that has no list a page is known by how it begins.
	b.mirror.Put("latest/download/wimboot", page)
	media := t.TempDir()
	put(t, media, "boot/bcd", "efi/microsoft/boot/bcd", "boot/boot.sdi", "sources/boot.wim")
	b.fails(Order{Recipe: "wimboot", Version: "pe", From: []string{media}}, ErrDownload, "is a page for people")
}

// A list may have a file that is not there; another that it names is taken.
func TestListNamesWhatIsNotThere(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	archive := imagetest.SmartOS(t, stamp)
	b.mirror.Put(
		stamp+"/sha256sums.txt",
		[]byte(imagetest.SumLine("sha256", "platform-release-20260430-"+stamp+".tgz", []byte("gone"))+
			imagetest.SumLine("sha256", "platform-joyent_"+stamp[:8]+"-"+stamp+".tgz", archive)),
	)
	b.mirror.Put(stamp+"/platform-joyent_"+stamp[:8]+"-"+stamp+".tgz", archive)
	if in := b.add(Order{Recipe: "smartos", Version: stamp}); !in.Checked ||
		!b.said("platform-joyent_"+stamp[:8]+"-"+stamp+".tgz: SHA-256 agrees") {
		t.Errorf("%+v\n%s", in, strings.Join(b.steps, "\n"))
	}
}

func TestGivenChecksum(t *testing.T) {
	b := newBench(t)
	archive := imagetest.SmartOS(t, stamp)
	b.mirror.Put(stamp+"/platform-"+stamp+".tgz", archive)
	o := Order{Recipe: "smartos", Version: stamp, SHA256: strings.Repeat("0", 64)}
	b.fails(o, ErrChecksum, "--sha256 says 0000000000000000…")
	o.SHA256 = strings.ToUpper(imagetest.Sum("sha256", archive))
	if in := b.add(o); !in.Checked {
		t.Errorf("%+v", in)
	}
	b.fails(Order{Recipe: "smartos", Version: stamp, SHA256: "abc", Replace: true}, ErrOrder, "64 hex digits")
	b.mirror.PublishDebian("trixie", "amd64")
	b.fails(
		Order{Recipe: "debian", Version: "trixie", SHA256: imagetest.Sum("sha256", []byte("linux amd64"))},
		ErrChecksum,
		"initrd.gz",
	)
}

func TestWrongChecksum(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishSmartOS(t, stamp)
	name := stamp + "/platform-release-20260101-" + stamp + ".tgz"
	b.mirror.Put(name, imagetest.SmartOS(t, "20990101T000000Z"))
	b.fails(Order{Recipe: "smartos", Version: stamp}, ErrChecksum, "sha256sums.txt says")
	if n := len(b.mirror.Asked(name)); n != 1 {
		t.Errorf("the file was fetched %d times", n)
	}
	if left, _ := os.ReadDir(b.own(partialDir)); len(left) > 0 {
		t.Errorf("%d downloads are left that are known to be wrong", len(left))
	}
	// boot_archive, where the archive is right and what it holds is not.
	bad := imagetest.TGZ(
		t,
		imagetest.Entry{Name: "p/i86pc/kernel/amd64/unix"},
		imagetest.Entry{Name: "p/i86pc/amd64/boot_archive", Body: "x"},
		imagetest.Entry{Name: "p/i86pc/amd64/boot_archive.hash", Body: strings.Repeat("a", 40)},
	)
	b.mirror.Put(stamp+"/platform-"+stamp+".tgz", bad)
	b.fails(
		Order{Recipe: "smartos", Version: stamp, SHA256: imagetest.Sum("sha256", bad)},
		ErrChecksum,
		"boot_archive.hash says aaaa",
	)
}

// The list itself has a checksum in a signed file: one that was changed on the way is noticed.
func TestListOfChecksumsIsChecked(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishDebian("trixie", "amd64")
	at := "dists/trixie/main/installer-amd64/current/images/"
	evil := []byte("evil")
	b.mirror.Put(at+"netboot/debian-installer/amd64/linux", evil)
	b.mirror.Put(at+"SHA256SUMS", []byte(imagetest.SumLine("sha256", "./netboot/debian-installer/amd64/linux", evil)))
	b.fails(Order{Recipe: "debian", Version: "trixie"}, ErrChecksum, "SHA256SUMS is")
}

func TestUnbootable(t *testing.T) {
	b := newBench(t)
	for lacks, name := range map[string]string{"boot_archive": "kernel/amd64/unix", "unix": "amd64/boot_archive"} {
		archive := imagetest.TGZ(t, imagetest.Entry{Name: "platform/i86pc/" + name})
		b.mirror.Put(stamp+"/platform-"+stamp+".tgz", archive)
		b.fails(Order{Recipe: "smartos", Version: stamp, SHA256: imagetest.Sum("sha256", archive)}, ErrUnbootable, lacks)
	}
	b.mirror.Put("download/v7.20/mt86plus_7.20.binaries.zip", imagetest.Zip(t, imagetest.Entry{Name: "README"}))
	b.fails(Order{Recipe: "memtest86+", Version: "7.20"}, ErrUnbootable, "it has no")
}

func TestOrdersThatCannotBe(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		o     Order
		cause error
		text  string
	}{
		{Order{Recipe: "windows", Version: "1"}, ErrNoRecipe, `"windows"`},
		{Order{Recipe: "smartos", Version: "2013"}, ErrNoVersion, "one is 20260430T145637Z"},
		{Order{Recipe: "generic", Version: "../x"}, ErrNoVersion, `"../x"`},
		{Order{Recipe: "smartos", Version: stamp, Arch: "arm64"}, ErrOrder, "not made for"},
		{Order{Recipe: "smartos", Version: stamp}, ErrNoVersion, "404"},
		{Order{Recipe: "smartos", Version: "latest"}, ErrNotFound, "asking for the latest version"},
		{Order{Recipe: "iso", Version: "latest"}, ErrOrder, "has no latest version"},
		{Order{Recipe: "iso", Version: "x"}, ErrOrder, "published nowhere"},
		{Order{Recipe: "smartos", Version: "latest", From: []string{"."}}, ErrOrder, "name the version"},
		{Order{Recipe: "iso", Version: "x", From: []string{"/nowhere/x.iso"}}, fs.ErrNotExist, "x.iso"},
		{Order{Recipe: "iso", Version: "x", From: []string{"ftp://host/x.iso"}}, ErrOrder, "scheme"},
		{Order{Recipe: "iso", Version: "x", From: []string{t.TempDir()}}, ErrOrder, "has no file for it"},
	} {
		b.fails(c.o, c.cause, c.text)
	}
	b.mirror.Put("latest", []byte("come back later\n"))
	b.fails(Order{Recipe: "smartos", Version: "latest"}, ErrNoVersion, "names none")
}

// An image that is fetched again replaces the old one in one step; where that fails, the old one stays as it is.
func TestReplace(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	first := b.add(Order{Recipe: "smartos", Version: stamp})
	extra := filepath.Join(b.Dir, first.Dir, "platform/extra")
	if err := os.WriteFile(extra, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	again := Order{Recipe: "smartos", Version: stamp, Replace: true, Title: "ours", Args: []string{"-kd"}}
	good := b.mirror.Asked("")
	b.mirror.PutFile(stamp+"/platform-"+stamp+".tgz", &imagetest.File{Body: []byte("broken")})
	b.fails(again, ErrChecksum, "MD5")
	b.mirror.PutFile(stamp+"/platform-"+stamp+".tgz", &imagetest.File{Fails: []int{500, 500, 500, 500, 500, 500}})
	b.fails(again, ErrDownload, "500")
	if len(good) == 0 {
		t.Fatal("nothing was asked")
	}
	b.mirror.PublishOldSmartOS(t, stamp)
	in := b.add(again)
	if _, err := os.Stat(extra); err == nil {
		t.Error("a file of the old image is in the new one")
	}
	if got := b.items(); in.Title != "ours" || len(got) != 1 || !strings.Contains(got[0], "| ours |") ||
		!strings.Contains(got[0], "-kd") {
		t.Errorf("%+v\n%s", in, got)
	}
	for _, d := range []string{newDir, oldDir} {
		if left, _ := os.ReadDir(b.own(d)); len(left) > 0 {
			t.Errorf("%s holds %d", d, len(left))
		}
	}
}

// A tree that somebody put there by hand is not overwritten, and an unknown folder neither.
func TestByHandIsKept(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	top := "smartos/" + stamp + "/platform/i86pc/"
	put(t, b.Dir, top+"kernel/amd64/unix", top+"amd64/boot_archive")
	in, err := b.Add(context.Background(), Order{Recipe: "smartos", Version: stamp})
	if !errors.Is(err, ErrThere) || in.Recipe != "" || in.Key != "smartos-"+stamp {
		t.Errorf("%v, %+v", err, in)
	}
	if _, err := b.Remove("smartos-" + stamp); !errors.Is(err, ErrByHand) {
		t.Errorf("removing it: %v", err)
	}
	put(t, b.Dir, "talos/v1.2.3/amd64/README")
	b.mirror.PublishTalos("v1.2.3")
	b.fails(Order{Recipe: "talos", Version: "v1.2.3"}, ErrThere, "the folder talos/v1.2.3/amd64")
}

func TestTwoAtOnce(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	under, goOn := make(chan bool), make(chan bool)
	b.mirror.PutFile(stamp+"/platform-"+stamp+".tgz", &imagetest.File{Body: imagetest.SmartOS(t, stamp), Sent: func(int) {
		select {
		case under <- true:
			<-goOn
		case <-goOn:
		}
	}})
	done := make(chan error, 1)
	go func() { _, err := b.Add(context.Background(), Order{Recipe: "smartos", Version: stamp}); done <- err }()
	<-under
	other := &bench{t: t, root: b.root, mirror: b.mirror}
	other.open()
	_, err := other.Add(context.Background(), Order{Recipe: "smartos", Version: stamp})
	close(goOn)
	if !errors.Is(err, ErrBusy) {
		t.Errorf("the second: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the first: %v", err)
	}
}

// A folder, such as a USB stick's, needs no network; lists of checksums in it are used.
func TestFromFolder(t *testing.T) {
	b := newBench(t)
	stick := t.TempDir()
	save := func(name string, body []byte) {
		t.Helper()
		p := filepath.Join(stick, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, body, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	archive := imagetest.SmartOS(t, stamp)
	save("images/platform-"+stamp+".tgz", archive)
	save("images/sha256sums.txt", []byte(imagetest.SumLine("sha256", "platform-"+stamp+".tgz", []byte("another"))))
	o := Order{Recipe: "smartos", Version: stamp, From: []string{stick}}
	b.fails(o, ErrChecksum, "sha256sums.txt says")
	save("images/sha256sums.txt", []byte(imagetest.SumLine("sha256", "platform-"+stamp+".tgz", archive)))
	if in := b.add(o); !in.Checked {
		t.Errorf("%+v", in)
	}
	// One file for one: it may be called as it likes.
	save("download", []byte("an iso"))
	b.add(Order{Recipe: "iso", Version: "x", From: []string{filepath.Join(stick, "download")}})
	save("debian/linux", []byte("linux amd64"))
	save("debian/initrd.gz", []byte("initrd amd64"))
	b.add(Order{Recipe: "debian", Version: "trixie", From: []string{filepath.Join(stick, "debian")}})
	save("mt/memtest86+x64.bin", []byte("bios"))
	save("mt/memtest86+x64.efi", []byte("efi"))
	b.add(Order{Recipe: "memtest", Version: "7.20", From: []string{filepath.Join(stick, "mt")}})
	if n := len(b.mirror.Asked("")); n > 0 {
		t.Errorf("%d requests over the network", n)
	}
	if got := len(b.items()); got != 4 {
		t.Errorf("%d items: %q", got, b.items())
	}
	if string(archive) != b.readFrom(stick, "images/platform-"+stamp+".tgz") {
		t.Error("the stick was changed")
	}
}

func (b *bench) readFrom(dir, name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// A URL may be named in place of the mirrors; lists beside it are used.
func TestFromURL(t *testing.T) {
	b := newBench(t)
	other := imagetest.New(t)
	archive := imagetest.SmartOS(t, stamp)
	other.Put("my/platform-"+stamp+".tgz", archive)
	other.Put("my/sha256sums.txt", []byte(imagetest.SumLine("sha256", "platform-"+stamp+".tgz", archive)))
	in := b.add(Order{Recipe: "smartos", Version: stamp, From: []string{other.URL + "/my/platform-" + stamp + ".tgz"}})
	if !in.Checked || len(b.mirror.Asked("")) > 0 {
		t.Errorf("%+v; the mirror was asked %d times", in, len(b.mirror.Asked("")))
	}
	other.Put("vmlinuz-6.12", []byte("k"))
	other.Put("initramfs-6.12.img", []byte("i"))
	other.Put("initrd-extra.img", []byte("e"))
	b.add(
		Order{
			Recipe:  "generic",
			Version: "rescue",
			From:    []string{other.URL + "/vmlinuz-6.12", other.URL + "/initramfs-6.12.img", other.URL + "/initrd-extra.img"},
			Args:    []string{"quiet"},
		},
	)
	want := "generic-rescue | rescue | x86 bios=generic/rescue/amd64/kernel efi=generic/rescue/amd64/kernel | " +
		"initrd=initramfs-6.12.img initrd=initrd-extra.img quiet" +
		" | generic/rescue/amd64/initrds/initramfs-6.12.img  | generic/rescue/amd64/initrds/initrd-extra.img"
	if got := b.items(); !slices.Contains(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestMirrorsAreTriedInTurn(t *testing.T) {
	b := newBench(t)
	bad, wrong, good := imagetest.New(t), imagetest.New(t), b.mirror
	good.PublishOldSmartOS(t, stamp)
	wrong.PublishOldSmartOS(t, stamp)
	wrong.Put(stamp+"/platform-"+stamp+".tgz", []byte("x"))
	b.add(Order{Recipe: "smartos", Version: "latest", Mirrors: []string{bad.URL, wrong.URL, good.URL}})
	if !b.said("trying the next mirror") || len(bad.Asked("")) == 0 || len(wrong.Asked("")) == 0 {
		t.Errorf("said:\n%s", strings.Join(b.steps, "\n"))
	}
	b.fails(
		Order{Recipe: "smartos", Version: stamp, Replace: true, Mirrors: []string{wrong.URL, bad.URL}},
		ErrChecksum,
		wrong.URL,
	)
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishSmartOS(t, stamp)
	in := b.add(Order{Recipe: "smartos", Version: stamp})
	if _, err := b.Remove("smartos-2"); !errors.Is(err, ErrNoImage) {
		t.Errorf("one that is not there: %v", err)
	}
	if _, err := b.Remove(in.Items[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("", b.served()); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(b.Dir, "smartos")); err == nil {
		t.Error("the empty folder above it is still there")
	}
	if _, err := os.Stat(filepath.Join(b.PrivateDir, in.Key)); err == nil {
		t.Error("its password is still there")
	}
}
