package image

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image/imagetest"
)

func TestLists(t *testing.T) {
	md5, sha1, sha256, sha512 := imagetest.Sum(
		"md5",
		nil,
	), imagetest.Sum(
		"sha1",
		nil,
	), imagetest.Sum(
		"sha256",
		nil,
	), imagetest.Sum(
		"sha512",
		nil,
	)
	for _, c := range []struct {
		name, list string
		want       []listed
	}{
		{"sha256sum", sha256 + "  a\n" + sha256 + " *b/c\n", []listed{{"a", checksum(sha256)}, {"b/c", checksum(sha256)}}},
		{"capitals and ./", strings.ToUpper(md5) + "  ./a\r\n", []listed{{"a", checksum(md5)}}},
		{"BSD", "SHA512 (a b) = " + sha512 + "\nSHA1(c)=" + sha1, []listed{{"a b", checksum(sha512)}, {"c", checksum(sha1)}}},
		{"InRelease", "SHA256:\n " + sha256 + "     1234 main/x/SHA256SUMS\n",
			[]listed{{"main/x/SHA256SUMS", checksum(sha256)}}},
		{".treeinfo", "[checksums]\nimages/a = sha256:" + sha256 + "\n", []listed{{"images/a", checksum(sha256)}}},
		{"one alone", sha256 + "\n", []listed{{nameless, checksum(sha256)}}},
		{"no list", "<html>404 not found</html>\n# SHA1 HASH\nabc  a\n" + sha256[1:] + "  a\n", nil},
	} {
		if diff := cmp.Diff(c.want, parseSums([]byte(c.list)), cmp.AllowUnexported(listed{})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestPick(t *testing.T) {
	sum := func(kind, s string) checksum { return checksum(imagetest.Sum(kind, []byte(s))) }
	list := []listed{
		{
			"p-1.tgz",
			sum("md5", "1"),
		}, {"p-1.tgz", sum("sha256", "1")}, {"p-1.tgz", sum("sha1", "1")}, {"p-release-1.tgz", sum("sha256", "r")},
		{
			"deep/linux",
			sum("sha256", "deep"),
		}, {"gtk/linux", sum("sha256", "gtk")}, {"u-24.04.1.gz", sum("sha256", "u1")},
		{"u-24.04.10.gz", sum("sha256", "u10")}, {"u-24.04.2.gz", sum("sha256", "u2")},
	}
	for _, c := range []struct {
		names []string
		match string
		want  checksum
	}{
		{[]string{"p-1.tgz"}, "", sum("sha256", "1")},                          // the best kind
		{[]string{"p-1.tgz"}, `p-(\w+-)*1\.tgz`, sum("sha256", "1")},           // its own name before others
		{[]string{"p-2.tgz"}, `p-(\w+-)+1\.tgz`, sum("sha256", "r")},           // another name
		{[]string{"deep/linux"}, "", sum("sha256", "deep")},                    // the path, where it is known
		{[]string{"u-24.04.gz"}, `u-24\.04(\.\d+)?\.gz`, sum("sha256", "u10")}, // the newest
		{[]string{"x/linux"}, "", ""},
		{[]string{"nowhere"}, "nowhere", ""},
	} {
		var match *regexp.Regexp
		if c.match != "" {
			match = regexp.MustCompile(`\A(?:` + c.match + `)\z`)
		}
		if got, _ := pick(list, c.names, match); got.sum != c.want {
			t.Errorf("%q, %s: %s", c.names, c.match, got.name)
		}
		back := slices.Clone(list)
		slices.Reverse(back)
		if got, _ := pick(back, c.names, match); got.sum != c.want {
			t.Errorf("backwards: %q, %s: %s", c.names, c.match, got.name)
		}
	}
	if got, ok := pick([]listed{{nameless, "x"}}, []string{"a"}, nil); !ok || got.sum != "x" {
		t.Error("the one checksum of a list without names was not taken")
	}
}

func FuzzParseSums(f *testing.F) {
	sum := imagetest.Sum("sha256", nil)
	for _, s := range []string{sum + "  a\n", "SHA256 (a) = " + sum, "a = sha256:" + sum, " " + sum + " 12 a/b", sum,
		"# x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		for _, l := range parseSums(list) {
			if l.name == "" || l.sum.kind().String() == "" || string(l.sum) != strings.ToLower(string(l.sum)) {
				t.Errorf("%q", l)
			}
			if got, ok := pick(parseSums(list), []string{l.name}, nil); !ok ||
				got.name != l.name && !strings.HasSuffix(got.name, "/"+l.name) {
				t.Errorf("%q is listed, and was found as %q", l.name, got.name)
			}
		}
	})
}
