package dnsmasq

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layout writes files into a new folder, with DIR in their text for its path.
func layout(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTree(t *testing.T) {
	dir := layout(t, map[string]string{
		"main.conf":               "conf-file=DIR/nested.conf\nconf-dir=DIR/d,*.conf\nlast\n",
		"nested.conf":             "nested\nconf-file=DIR/main.conf\nconf-script=DIR/script\n",
		"d/a.conf":                "a\nconf-file=DIR/nested.conf\n",
		"d/pxeagent-eth1.conf":    "stale\n",
		"d/z.conf":                "z\n",
		"d/.hidden.conf":          "hidden\n",
		"d/other.txt":             "other\n",
		"d/.pxeagent-eth1.conf.x": "temp\n",
		"extra.conf":              "extra\n",
	})
	drop := filepath.Join(dir, "d", "pxeagent-eth1.conf")
	args := []string{"--conf-file=" + dir + "/main.conf", "--no-ping", "-C", dir + "/extra.conf"}
	names := func(raw []byte) (names []string, own int, unread []string) {
		tr, err := readTree(args, "/none", drop, raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tr.lines {
			if !strings.HasPrefix(d.name, "conf-") {
				names = append(names, d.name)
			}
		}
		return names, tr.own, tr.unread
	}
	got, own, unread := names([]byte("mine\n"))
	if want := []string{"no-ping", "extra", "nested", "a", "mine", "z", "last"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if own < 0 || len(unread) != 1 || !strings.HasSuffix(unread[0], "nested.conf:3)") {
		t.Errorf("drop-in at %d, unread %q", own, unread)
	}
	if got, own, _ := names(nil); slices.Contains(got, "stale") || own != -1 {
		t.Errorf("without the drop-in: %q, at %d", got, own)
	}
	if _, err := readTree([]string{"-C", dir + "/no.conf"}, "/none", drop, nil); !os.IsNotExist(err) &&
		!strings.Contains(fmt.Sprint(err), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
	tr, err := readTree(nil, dir+"/no.conf", drop, []byte{})
	if err != nil || tr.own != -1 {
		t.Errorf("without any file: %v, drop-in at %d", err, tr.own)
	}
}

// TestNamesThatDnsmasqReads has dnsmasq itself as the judge: each file has a line that it refuses.
func TestNamesThatDnsmasqReads(t *testing.T) {
	program := needDnsmasq(t)
	for _, name := range []string{"a.conf", "a.conf.tmp", ".a.conf", "a.conf~", "#a.conf#", "#a.conf", "a", ".conf",
		"conf", "a.dpkg-old"} {
		for _, suffixes := range []string{"", ",.tmp", ",*.conf", ",*", ",*.conf,.conf", ",.dpkg-old,*.conf,*.tmp", ",,",
			",*conf", ",conf"} {
			dir := layout(t, map[string]string{name: "no-such-option\n"})
			err := exec.Command(program, "--test", "--conf-file=/dev/null", "--conf-dir="+dir+suffixes).Run()
			read := err != nil
			if got := accepts(name, strings.Split(suffixes, ",")); got != read {
				t.Errorf("%s in conf-dir=DIR%s: dnsmasq reads it: %v, we say %v", name, suffixes, read, got)
			}
		}
	}
}
