package image

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"pxeagent/agent/version"
)

// algorithm is a kind of checksum, by the number of its hex digits.
type algorithm int

const (
	md5Sum    algorithm = 32
	sha1Sum   algorithm = 40
	sha256Sum algorithm = 64
	sha512Sum algorithm = 128
)

// algorithms are those that are known, the one to trust most first.
var algorithms = []algorithm{sha512Sum, sha256Sum, sha1Sum, md5Sum}

func (a algorithm) String() string {
	return map[algorithm]string{md5Sum: "MD5", sha1Sum: "SHA-1", sha256Sum: "SHA-256", sha512Sum: "SHA-512"}[a]
}

func (a algorithm) new() hash.Hash {
	switch a {
	case md5Sum:
		return md5.New()
	case sha1Sum:
		return sha1.New()
	case sha512Sum:
		return sha512.New()
	}
	return sha256.New()
}

// checksum is one in hex, in small letters.
type checksum string

// parseChecksum takes hex of a length that is known, in either case.
func parseChecksum(s string) (checksum, bool) {
	if _, err := hex.DecodeString(s); err != nil || !slices.Contains(algorithms, algorithm(len(s))) {
		return "", false
	}
	return checksum(strings.ToLower(s)), true
}

func (c checksum) kind() algorithm { return algorithm(len(c)) }

// listed is a line of a list of checksums.
type listed struct {
	name string
	sum  checksum
}

var (
	bsdRE  = regexp.MustCompile(`^(?:MD5|SHA1|SHA256|SHA512) ?\((.+)\) ?= ?([0-9A-Fa-f]+)$`)
	infoRE = regexp.MustCompile(`^(\S+) ?= ?(?:md5|sha1|sha256|sha512):([0-9A-Fa-f]+)$`)
)

// nameless is the name in a list that has none, for the one file that it is about.
const nameless = "-"

// maxList is more bytes than any list of checksums has that is of use here.
const maxList = 16 << 20

// parseSums reads a list as sha256sum and its kin write it, in BSD's form, as in Debian's InRelease (with sizes) or as
// in Fedora's .treeinfo. Other lines are skipped.
func parseSums(list []byte) []listed {
	var out []listed
	add := func(name, digits string) {
		if sum, ok := parseChecksum(digits); ok && name != "" && len(out) < 1_000_000 {
			out = append(out, listed{strings.TrimPrefix(strings.TrimPrefix(name, "*"), "./"), sum})
		}
	}
	sc := bufio.NewScanner(bytes.NewReader(list))
	sc.Buffer(nil, 64<<10)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if m := bsdRE.FindStringSubmatch(line); m != nil {
			add(m[1], m[2])
			continue
		}
		if m := infoRE.FindStringSubmatch(line); m != nil {
			add(m[1], m[2])
			continue
		}
		f := strings.Fields(line)
		switch len(f) {
		case 1: // a list for one file, without its name
			add(nameless, f[0])
		case 2:
			add(f[1], f[0])
		case 3:
			add(f[2], f[0]) // HASH SIZE PATH
		}
	}
	return out
}

// pick finds a file in a list: by one of its names in full, by its base name, or by the pattern. It returns the best
// kind of checksum and the name as it is listed.
func pick(list []listed, names []string, match *regexp.Regexp) (listed, bool) {
	best := listed{}
	rank := func(l listed) int {
		if i := slices.Index(names, l.name); i >= 0 {
			return 3
		}
		base := path.Base(l.name)
		switch {
		case slices.ContainsFunc(names, func(n string) bool { return !strings.Contains(n, "/") && n == base }):
			return 2
		case match != nil && match.MatchString(base):
			return 1
		}
		return 0
	}
	bestRank := 0
	for _, l := range list {
		r := rank(l)
		if r == 0 || r < bestRank {
			continue
		}
		if c := cmp.Or(cmp.Compare(r, bestRank), version.Compare(path.Base(l.name), path.Base(best.name)),
			cmp.Compare(slices.Index(algorithms, best.sum.kind()), slices.Index(algorithms, l.sum.kind()))); c > 0 ||
			best.name == "" {
			best, bestRank = l, r
		}
	}
	if bestRank == 0 && len(list) == 1 && list[0].name == nameless {
		return list[0], true
	}
	return best, bestRank > 0
}

// sumOf reads in to its end.
func sumOf(in io.Reader, kind algorithm) (checksum, error) {
	h := kind.new()
	if _, err := io.Copy(h, in); err != nil {
		return "", err
	}
	return checksum(hex.EncodeToString(h.Sum(nil))), nil
}

// wrongSum is the error for a file whose checksum is another.
func wrongSum(name string, want, got checksum, where string) error {
	return fmt.Errorf("%w: %s of %s is %s, and %s says %s", ErrChecksum, want.kind(), name, short(got), where, short(want))
}

func short(c checksum) string {
	if len(c) > 16 {
		return string(c[:16]) + "…"
	}
	return string(c)
}
