package image

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// check says all that is wrong with a recipe, with the key of each.
func (r Recipe) check() error {
	var errs []error
	wrong := func(key, format string, args ...any) { errs = append(errs, fmt.Errorf(key+": "+format, args...)) }
	if !nameRE.MatchString(r.Name) {
		wrong("name", "invalid %q: use lowercase letters, digits, -", r.Name)
	}
	if r.Title == "" {
		wrong("title", "is not set")
	}
	version, err := regexp.Compile(r.Version)
	if err != nil || r.Version == "" {
		wrong("version", "%q is not a regular expression that a version can match", r.Version)
		return errors.Join(errs...)
	}
	words := vocabulary{"version": "1", "arch": "amd64", "cpu": "amd64"}
	for _, g := range version.SubexpNames() {
		if g != "" {
			words[g] = "1"
		}
	}
	for w, as := range r.Words {
		if !wordRE.MatchString("{"+w+"}") || words[w] != "" {
			wrong("words", "{%s} cannot be one", w)
		}
		if words[as.Of] == "" {
			wrong("words."+w+".of", "{%s} is not a word of the version's pattern", as.Of)
		}
		for _, v := range as.Is {
			if !versionRE.MatchString(v) {
				wrong("words."+w+".is", "%q cannot stand in a path", v)
			}
		}
	}
	for w := range r.Words {
		words[w] = "1"
	}
	template := func(key, s string) {
		if err := words.checkTemplate(s); err != nil {
			wrong(key, "%v", err)
		}
	}
	inFolder := func(key, s string) {
		template(key, s)
		if p := words.expand(s); p != "" && (!filepath.IsLocal(p) || path.Clean(p) != p) {
			wrong(key, "%q is not a path below the image's folder", s)
		}
	}
	for a := range r.Arch {
		if a != "amd64" && a != "arm64" {
			wrong("arch", "unknown %q: use amd64 or arm64", a)
		}
	}
	r.checkOrigin("", Elsewhere{r.Mirrors, r.Latest, r.Files}, words, wrong, template, inFolder)
	for a, e := range r.PerArch {
		if r.Arch[a] == "" {
			wrong("per_arch", "%q is not in arch", a)
		}
		r.checkOrigin("per_arch."+a+".", e, words, wrong, template, inFolder)
	}
	inFolder("folder", r.Folder)
	if r.Folder == "" || r.Folder == "." || !strings.Contains(r.Folder, "{version}") {
		wrong("folder", "%q is not one for each version; want {version} in it", r.Folder)
	}
	template("title", r.Title)
	for i, p := range r.Private {
		template(fmt.Sprintf("private[%d]", i), p)
	}
	for i, p := range r.Drop {
		if _, err := path.Match(p, ""); err != nil {
			wrong(fmt.Sprintf("drop[%d]", i), "invalid pattern %q", p)
		}
	}
	for i, p := range r.Need {
		inFolder(fmt.Sprintf("need[%d]", i), p)
	}
	for i, h := range r.Hashed {
		inFolder(fmt.Sprintf("hashed[%d].file", i), h.File)
		inFolder(fmt.Sprintf("hashed[%d].by", i), h.By)
	}
	for i, b := range r.Boot {
		checkBoot(fmt.Sprintf("boot[%d]", i), b, wrong, template, inFolder)
	}
	return errors.Join(errs...)
}

// checkOrigin looks at what says where files come from; at is the key that it stands under.
func (r Recipe) checkOrigin(
	at string, e Elsewhere, words vocabulary, wrong func(string, string, ...any), template, inFolder func(string, string),
) {
	for i, m := range e.Mirrors {
		if err := checkURL(m); err != nil {
			wrong(fmt.Sprintf("%smirrors[%d]", at, i), "%v", err)
		}
	}
	if l := e.Latest; l != nil {
		template(at+"latest.url", l.URL)
		template(at+"latest.needs", l.Needs)
		template(at+"latest.older", l.Older)
		if _, err := words.pattern(l.Find); err != nil || l.Find == "" {
			wrong(at+"latest.find", "invalid regular expression %q", l.Find)
		}
	}
	if len(e.Files) == 0 {
		wrong(at+"files", "has none")
	}
	for i, f := range e.Files {
		r.checkFile(fmt.Sprintf("%sfiles[%d]", at, i), f, words, wrong, template, inFolder)
	}
}

func (r Recipe) checkFile(
	key string,
	f File,
	words vocabulary,
	wrong func(string, string, ...any),
	template, inFolder func(string, string),
) {
	if f.Name == "" && f.Match == "" {
		wrong(key, "has neither name nor match")
	}
	template(key+".name", f.Name)
	if _, err := words.pattern(f.Match); err != nil {
		wrong(key+".match", "invalid regular expression %q", f.Match)
	}
	if _, err := words.pattern(f.Prefer); err != nil {
		wrong(key+".prefer", "invalid regular expression %q", f.Prefer)
	}
	withFile := vocabulary{"file": "f"}
	for w, text := range words {
		withFile[w] = text
	}
	if err := withFile.checkTemplate(f.URL); err != nil {
		wrong(key+".url", "%v", err)
	}
	inFolder(key+".to", f.To)
	if f.Strip < 0 || f.Strip > 0 && !f.Unpack {
		wrong(key+".strip", "%d counts folders of an archive, and is for files with unpack", f.Strip)
	}
	var lists func(key string, all []Sums)
	lists = func(key string, all []Sums) {
		for i, s := range all {
			at := fmt.Sprintf("%s[%d]", key, i)
			if s.URL == "" {
				wrong(at+".url", "is not set")
			}
			if err := withFile.checkTemplate(s.URL); err != nil {
				wrong(at+".url", "%v", err)
			}
			template(at+".as", s.As)
			lists(at+".in", s.In)
		}
	}
	lists(key+".sums", f.Sums)
}

func checkBoot(key string, b Boot, wrong func(string, string, ...any), template, inFolder func(string, string)) {
	if b.Kind != "" && !slices.Contains([]Kind{KindLinux, KindMultiboot, KindISO, KindWimboot}, b.Kind) {
		wrong(key+".kind", "unknown %q: use linux, multiboot, iso or wimboot", b.Kind)
	}
	if b.BIOS == "" && b.EFI == "" {
		wrong(key, "has neither bios nor efi")
	}
	if b.Key != "" && !nameRE.MatchString(b.Key) {
		wrong(key+".key", "invalid %q: use lowercase letters, digits, -", b.Key)
	}
	inFolder(key+".bios", b.BIOS)
	inFolder(key+".efi", b.EFI)
	inFolder(key+".shim", b.Shim)
	template(key+".title", b.Title)
	for i, a := range b.Args {
		at := fmt.Sprintf("%s.args[%d]", key, i)
		text, p := cutURL(a)
		template(at, text)
		inFolder(at, p)
	}
	for i, m := range b.Modules {
		at := fmt.Sprintf("%s.modules[%d]", key, i)
		if m.Path == "" {
			wrong(at+".path", "is not set")
		}
		inFolder(at+".path", m.Path)
		if b.Kind == KindWimboot && m.Name == "" {
			wrong(at+".name", "is not set, and wimboot finds files by it")
		}
	}
}

// cutURL splits "repo={url:PATH}" into "repo=" and PATH; "" where there is none.
func cutURL(arg string) (text, p string) {
	before, rest, found := strings.Cut(arg, "{url:")
	if !found || !strings.HasSuffix(rest, "}") {
		return arg, ""
	}
	return before, strings.TrimSuffix(rest, "}")
}

// checkURL is the rule for mirrors and --from.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("invalid URL %q", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q has no scheme that is known; want https://… or http://…", u.Redacted())
	case u.Host == "":
		return fmt.Errorf("%q has no host", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has a query or fragment; want a path", u.Redacted())
	}
	return nil
}
