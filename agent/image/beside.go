package image

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// listRE are the names that lists of checksums have: SHA256SUMS, sha256sum.txt, rescue.iso.md5, Fedora-42-CHECKSUM,
// .treeinfo.
var listRE = regexp.MustCompile(
	`(?i)^(.*[-_.])?((md5|sha1|sha256|sha512)(sums?)?|checksums?|digests)(\.txt|\.asc)?$|^\.treeinfo$`)

// isList: it is a list of checksums or a signature, and no part of an image.
func isList(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".sig", ".asc", ".gpg", ".sign":
		return true
	}
	return listRE.MatchString(name)
}

// beside looks for a file in the lists of checksums that lie in one folder with it, as on a USB stick, and in those
// above it up to the folder that --from names. A list that is for this file, or that the recipe says has it, and does
// not name it is ErrUnverified.
func beside(f offered, words vocabulary, w wanted) (expected, error) {
	var declared, as []string
	for _, l := range w.Sums {
		declared = append(declared, listName(withFile(words, f.name).expand(l.URL)))
		if l.As != "" {
			as = append(as, words.expand(l.As))
		}
	}
	top := f.root
	if top == "" {
		top = filepath.Dir(f.path)
	}
	var none expected
	for dir := filepath.Dir(f.path); ; dir = filepath.Dir(dir) {
		rel, err := filepath.Rel(dir, f.path)
		if err != nil {
			return expected{}, fmt.Errorf("looking for checksums: %w", err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return expected{}, fmt.Errorf("looking for checksums: %w", err)
		}
		var best expected
		for _, e := range entries {
			name := e.Name()
			if !e.Type().IsRegular() || name == f.name || !isList(name) && !slices.Contains(declared, name) {
				continue
			}
			at := filepath.Join(dir, name)
			text, err := readSmall(at, maxList)
			if err != nil {
				return expected{}, fmt.Errorf("reading a list of checksums: %w", err)
			}
			own := dir == filepath.Dir(f.path) && strings.HasPrefix(name, f.name+".") && listRE.MatchString(name)
			sums := lookUp(parseSums(text), filepath.ToSlash(rel), as, own)
			switch {
			case len(sums) == 0:
				none.lacking = at
				none.must = none.must || own || slices.Contains(declared, name)
			case len(best.sums) == 0 || sums[0].stronger(best.sums[0]):
				best = expected{sums: sums, where: at, name: f.name}
			}
		}
		if len(best.sums) > 0 {
			return best, nil
		}
		if dir == top || dir == filepath.Dir(dir) {
			break
		}
	}
	if none.must {
		return expected{}, fmt.Errorf("%w: %s does not name it", ErrUnverified, none.lacking)
	}
	return none, nil
}

// lookUp are the checksums of a file in a list that lies in a folder above it, all of the best kind: rel is its path
// from there, as are other names for it. A list of one checksum that is the file's own is about it, whatever it says.
// Where the list tells files of that name apart by folders that are not here, it may be each of them.
func lookUp(list []listed, rel string, as []string, own bool) []checksum {
	if own && len(list) == 1 {
		return []checksum{list[0].sum}
	}
	var out []checksum
	for _, is := range []func(string) bool{
		func(name string) bool { return name == rel || slices.Contains(as, name) },
		func(name string) bool { return !strings.Contains(rel, "/") && path.Base(name) == rel },
	} {
		for _, l := range list {
			if !is(l.name) {
				continue
			}
			switch {
			case len(out) == 0 || l.sum.stronger(out[0]):
				out = []checksum{l.sum}
			case l.sum.kind() == out[0].kind():
				out = append(out, l.sum)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// stronger: its kind is to be trusted more than the other's.
func (c checksum) stronger(than checksum) bool {
	return slices.Index(algorithms, c.kind()) < slices.Index(algorithms, than.kind())
}
