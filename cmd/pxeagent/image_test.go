package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image"
	"pxeagent/agent/image/imagetest"
	"pxeagent/cmd/pxeagent/cli"
)

const stamp = "20130808T195337Z"

// imageSite is a working directory with a configuration, an empty tree to serve, and a mirror.
func imageSite(t *testing.T) (*imagetest.Mirror, string) {
	t.Helper()
	dir := isolate(t)
	write(t, "root/tftp/.keep", "")
	write(t, "pxeagent.yaml", "# ours\nserve:\n  root: root # here\nstate_dir: state\n")
	return imagetest.New(t), dir
}

func imageCmd(args ...string) result { return pxeagent(append([]string{"image"}, args...)...) }

// The help names every layout that is recognised.
func TestImageListNamesLayouts(t *testing.T) {
	isolate(t)
	help := imageCmd("list", "--help").stdout
	for _, layout := range image.ByHand() {
		if !strings.Contains(help, "\n  "+layout+"\n") {
			t.Errorf("image list --help lacks %q", layout)
		}
	}
}

// Each cause has its own exit code, one line, and a hint.
func TestImageExitCodes(t *testing.T) {
	m, _ := imageSite(t)
	m.PublishOldSmartOS(t, stamp)
	archive := imagetest.SmartOS(t, "20990101T000000Z")
	m.PutFile("20250101T000000Z/platform-20250101T000000Z.tgz", &imagetest.File{Fails: []int{403, 403}})
	m.Put("20250102T000000Z/platform-20250102T000000Z.tgz", archive)
	m.Put("20250102T000000Z/sha256sums.txt", []byte(imagetest.SumLine("sha256", "platform-20250102T000000Z.tgz",
		[]byte("x"))))
	evil := imagetest.TGZ(t, imagetest.Entry{Name: "../evil", Body: "x"})
	m.Put("20250103T000000Z/platform-20250103T000000Z.tgz", evil)
	m.Put("20250103T000000Z/md5sums.txt", []byte(imagetest.SumLine("md5", "platform-20250103T000000Z.tgz", evil)))
	m.Put("20250104T000000Z/platform-20250104T000000Z.tgz", archive)
	m.Put("20250104T000000Z/md5sums.txt", []byte("<html>please log in</html>"))
	write(t, "two/a.iso", "a")
	write(t, "two/b.iso", "b")
	write(t, "root/http/talos/v1.0.0/amd64/README", "mine")
	write(t, "root/http/memtest86/memtest86-5.01", "mine")
	for _, c := range []struct {
		args string
		code cli.Code
		text string
	}{
		{"add smartos", cli.Usage, "takes a recipe and a version"},
		{"add windows 11", cli.NoVersion, `unknown recipe: "windows"`},
		{"add smartos 2013", cli.NoVersion, "version not found: smartos"},
		{"add smartos 20250109T000000Z", cli.NoVersion, "404"},
		{"add smartos 20250101T000000Z", cli.Download, "403"},
		{"add smartos 20250102T000000Z", cli.Checksum, "sha256sums.txt says"},
		{"add smartos 20250103T000000Z", cli.BadImage, "leads out of the folder"},
		{"add smartos 20250104T000000Z", cli.Checksum, "md5sums.txt does not name platform-20250104T000000Z.tgz"},
		{"add iso x --from two", cli.Usage, "/two/a.iso, "},
		{"add iso x", cli.Usage, "published nowhere"},
		{"add talos v1.0.0", cli.Refused, "the folder talos/v1.0.0/amd64"},
		{"verify smartos-1", cli.NoImage, `"smartos-1"`},
		{"remove smartos-1", cli.NoImage, `"smartos-1"`},
		{"remove memtest-memtest86-5.01", cli.Refused, "put there by hand"},
		{"default smartos-1", cli.NoImage, `no item "smartos-1"`},
		{"sync", cli.Usage, "lists none"},
		{"add smartos latest --mirror file:///mnt", cli.Usage,
			`--mirror: "file:///mnt" has the scheme file; want https or http`},
		{"add iso x --from ftp://mirror.lan/x.iso", cli.Usage, `--from: "ftp://mirror.lan/x.iso" has the scheme ftp`},
		{"add iso x --from nowhere.iso", cli.Usage, "--from: nowhere.iso does not exist"},
		{"add iso x --from pxeagent.yaml --sha256 12", cli.Usage, `--sha256: invalid SHA-256 "12"`},
	} {
		args := strings.Fields(c.args)
		if args[0] == "add" {
			args = append(args, "--mirror", m.URL)
		}
		if args[1:] != nil && c.args == "add iso x" {
			args = args[:3]
		}
		r := imageCmd(args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.text) || !strings.Contains(r.stderr, "\nhint: ") {
			t.Errorf("image %s: exit %v, want %v with %q\n%s", c.args, r.code, c.code, c.text, r.stderr)
		}
	}
	write(t, "sync.yaml", "images: [{recipe: smartos, version: "+stamp+"}]\nmirrors: {smartos: \""+m.URL+"\"}\n")
	for _, args := range []string{"add smartos " + stamp, "list", "verify", "sync --config sync.yaml", "default local"} {
		if r := imageCmd(append(strings.Fields(args), "--root", "nowhere")...); r.code != cli.Root {
			t.Errorf("%s where the folder is not there: %+v", args, r)
		}
	}
}

// What machines are on stays while a canary tries what is later, whatever keep says; so does the image of a default
// that is its second item.
func TestImageSyncKeepsWhatMachinesBoot(t *testing.T) {
	m, _ := imageSite(t)
	versions := []string{"20110101T000000Z", "20120101T000000Z", "20130101T000000Z", stamp}
	for _, s := range versions {
		m.PublishOldSmartOS(t, s)
		if r := imageCmd("add", "smartos", s, "--mirror", m.URL); r.code != cli.Done {
			t.Fatalf("%+v", r)
		}
	}
	write(t, "pxeagent.yaml",
		"serve: {root: root}\nstate_dir: state\nmirrors: {smartos: \""+m.URL+"\"}\nimages:\n  - {recipe: smartos, keep: 1}\n"+
			"menu: {default: smartos-20120101T000000Z-rescue}\nprofiles: {p: {image: smartos}}\nhosts:\n  - {name: a, mac: "+
			"52:54:00:00:00:01, profile: p}\n"+
			"  - {name: b, mac: 52:54:00:00:00:02, profile: p, labels: {canary: \"true\"}}\n")
	r := imageCmd("sync")
	for _, want := range []string{"spare   smartos-20110101T000000Z: profile p boots it",
		"spare   smartos-20120101T000000Z: it is the menu's default", "remove  smartos-20130101T000000Z"} {
		if r.code != cli.Done || !strings.Contains(r.stdout, want) {
			t.Errorf("want %s: %+v", want, r)
		}
	}
	if r := imageCmd("remove", "smartos-20110101T000000Z"); r.code != cli.Refused ||
		!strings.Contains(r.stderr, "profile p boots it") {
		t.Errorf("%+v", r)
	}
}

// A recipe of the user's that is wrong is named, and keeps no other from being used.
func TestOwnRecipeThatIsWrong(t *testing.T) {
	m, _ := imageSite(t)
	write(t, "root/recipes/mine.yaml", "name: mine\ntitel: Mine\n")
	r := imageCmd("recipes")
	if r.code != cli.Usage || !strings.Contains(r.stdout, "\nsmartos ") ||
		!strings.Contains(r.stderr, "recipes/mine.yaml: line 2: unknown key titel") {
		t.Errorf("%+v", r)
	}
	m.PublishOldSmartOS(t, stamp)
	if r := imageCmd("add", "smartos", stamp, "--mirror", m.URL); r.code != cli.Done ||
		!strings.Contains(r.stderr, "mine.yaml") {
		t.Errorf("%+v", r)
	}
}

func TestWithDefault(t *testing.T) {
	for _, c := range []struct{ before, after string }{
		{"", "menu:\n  default: x\n"},
		{"# a\ninterface: eth1", "# a\ninterface: eth1\nmenu:\n  default: x\n"},
		{"menu:\n  title: T # t\n\nlog:\n  level: info\n", "menu:\n  default: x\n  title: T # t\n\nlog:\n  level: info\n"},
		{"menu:\n    # c\n    timeout: 5s\n    default: local # d\nlog: {}\n",
			"menu:\n    # c\n    timeout: 5s\n    default: x # d\nlog: {}\n"},
		{"menu: {title: 'ä', default: \"local\"} # e\n", "menu: {title: 'ä', default: x} # e\n"},
		{"menu:\n  default: 'old one'\n", "menu:\n  default: x\n"},
		{"menu:\nlog:\n  level: info\n", "menu:\n  default: x\nlog:\n  level: info\n"},
		{"menu: {title: T}\n", ""},
		{"menu:\n  default: >\n    local\n", ""},
		{"a: &m {default: local}\nmenu: *m\n", ""},
		{"{interface: eth1}\n", ""},
	} {
		got, err := withDefault([]byte(c.before), "x")
		if (err != nil) != (c.after == "") {
			t.Errorf("%q: %q, %v", c.before, got, err)
		} else if diff := cmp.Diff(c.after, string(got)); diff != "" {
			t.Errorf("%q: %s", c.before, diff)
		}
	}
}

// Where there is no file yet, nor its folder, both are made.
func TestImageDefaultMakesTheFile(t *testing.T) {
	dir := isolate(t)
	write(t, "root/tftp/.keep", "")
	if r := imageCmd("default", "shell", "--root", filepath.Join(dir, "root")); r.code != cli.Done {
		t.Fatalf("%+v", r)
	}
	got, err := os.ReadFile(filepath.Join(dir, "etc/pxeagent.yaml"))
	if err != nil || string(got) != "menu:\n  default: shell\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// What wins over the file is named, and the file is left alone; a link is not replaced.
func TestImageDefaultRefuses(t *testing.T) {
	_, dir := imageSite(t)
	t.Setenv("PXEAGENT_MENU_DEFAULT", "local")
	if r := imageCmd("default", "shell"); r.code != cli.Refused ||
		!strings.Contains(r.stderr, "PXEAGENT_MENU_DEFAULT, which wins") {
		t.Errorf("%+v", r)
	}
	os.Unsetenv("PXEAGENT_MENU_DEFAULT")
	if err := os.Rename("pxeagent.yaml", "real.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "real.yaml"), "pxeagent.yaml"); err != nil {
		t.Fatal(err)
	}
	if r := imageCmd("default", "shell"); r.code != cli.Refused || !strings.Contains(r.stderr, "is a link to") {
		t.Errorf("%+v", r)
	}
}
