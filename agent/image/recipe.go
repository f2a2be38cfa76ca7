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

// Recipe says where a system's images are published, how they are checked, and how they boot. It is data: built-in
// ones are the YAML files in recipes/, and a user's own replace those of the same name.
//
// Texts are templates where that is said. In them stand {version}, {arch} (as the maker calls the processor), and each
// named group of Version's pattern: "(?P<branch>\d+\.\d+)\.\d+" gives {branch}.
type Recipe struct {
	Name    string   `yaml:"name"`    // of small letters, digits, '-'; keys of images begin with it
	Aliases []string `yaml:"aliases"` // other names that people may use
	Title   string   `yaml:"title"`   // template; for the menu
	About   string   `yaml:"about"`   // one line on what it brings and from where
	Version string   `yaml:"version"` // regular expression for the whole of a version
	Example string   `yaml:"example"` // a version, for people who gave a wrong one
	// Arch has the maker's name for each processor, amd64 and arm64. None: the images are for amd64.
	Arch map[string]string `yaml:"arch"`
	// URLs, the best first. None: the files are the user's own, and --from names them
	Mirrors []string `yaml:"mirrors"`
	Latest  *Latest  `yaml:"latest"` // how the newest version is found; nil: it cannot be
	// Words are more words for templates, each of which another one decides.
	Words map[string]Word `yaml:"words"`
	// PerArch has, by amd64 or arm64, what its maker publishes elsewhere for that processor.
	PerArch map[string]Elsewhere `yaml:"per_arch"`
	Folder  string               `yaml:"folder"` // template; below the tree of HTTP
	// Installs: left alone it overwrites the machine's disk.
	Installs bool   `yaml:"installs"`
	Files    []File `yaml:"files"`
	// templates of URLs below a mirror; kept where they are not served, if they are there
	Private []string `yaml:"private"`
	Drop    []string `yaml:"drop"` // patterns of path.Match; what an archive has under these paths is left out
	Need    []string `yaml:"need"` // templates of paths without which nothing boots
	Hashed  []Hashed `yaml:"hashed"`
	Boot    []Boot   `yaml:"boot"` // none: the layout of the files says how it boots

	from string // the file that it was read from
}

// Word is a word for templates that another one decides: {codename} is noble where {release} is 24.04.
type Word struct {
	Of string            `yaml:"of"` // the other word
	Is map[string]string `yaml:"is"` // by its value; one that is missing is the other word itself
}

// Elsewhere takes the place of a recipe's own keys for one processor.
type Elsewhere struct {
	Mirrors []string `yaml:"mirrors"`
	Latest  *Latest  `yaml:"latest"`
	Files   []File   `yaml:"files"`
}

// forArch is the recipe for one processor.
func (r Recipe) forArch(arch string) Recipe {
	e, ok := r.PerArch[arch]
	if !ok {
		return r
	}
	r.Mirrors, r.Latest, r.Files = e.Mirrors, e.Latest, e.Files
	return r
}

// Latest is a page or file that names versions.
type Latest struct {
	URL string `yaml:"url"` // template, below a mirror
	// regular expression; its first group, or all of it, is a version. The newest that is found counts
	Find string `yaml:"find"`
	// Needs is the template of the URL of a file, below a mirror. Versions without it are passed over. "": each will
	// do.
	Needs string `yaml:"needs"`
	// Older is a template as URL is, of a page that names more versions, for where the newest is passed over; "":
	// there is none.
	Older string `yaml:"older"`
}

// File is one file that is fetched.
type File struct {
	Name string `yaml:"name"` // template
	// regular expression, and template, for other names that it may have in lists and in --from
	Match string `yaml:"match"`
	// Prefer is a regular expression, and template, for the path below --from of the one to take where several fit.
	Prefer string `yaml:"prefer"`
	URL    string `yaml:"url"`  // template, below a mirror; {file} is the name that was found. "": {file}
	Sums   []Sums `yaml:"sums"` // lists of checksums, the best first
	// template of its path in the image's folder; for an archive a folder. "": its own name
	To       string `yaml:"to"`
	Unpack   bool   `yaml:"unpack"`   // it is an archive: tar, tar.gz, tar.bz2 or zip
	Strip    int    `yaml:"strip"`    // how many folders are cut off the front of its paths
	Optional bool   `yaml:"optional"` // nothing is amiss where it is not there
	Signed   bool   `yaml:"signed"`   // without a checksum, Microsoft's signature of it will do
	Many     bool   `yaml:"many"`     // every file in --from that fits is taken, and To is a folder
	// Instead: it is on no mirror; where --from has it, the other files are not needed.
	Instead bool `yaml:"instead"`
	// Fill: where --from does not have it, it comes from a mirror.
	Fill bool `yaml:"fill"`
}

// Sums is a list of checksums. A file that has lists and is named by none of them is not added.
type Sums struct {
	URL      string `yaml:"url"`      // template, below a mirror
	As       string `yaml:"as"`       // template; what the file is called in it. "": its own name
	In       []Sums `yaml:"in"`       // lists that have the checksum of this list
	Optional bool   `yaml:"optional"` // nothing is amiss where the list is not there
}

// Hashed is a file in the image that another one has the checksum of, in hex; its length says which kind.
type Hashed struct {
	File string `yaml:"file"`
	By   string `yaml:"by"`
}

// Boot is one item of the menu.
type Boot struct {
	Key   string `yaml:"key"`   // what follows the image's key; "" for one
	Title string `yaml:"title"` // template; "": the recipe's
	Kind  Kind   `yaml:"kind"`  // "": linux
	BIOS  string `yaml:"bios"`  // template of a path or pattern in the folder; "": not for BIOS
	EFI   string `yaml:"efi"`   // the same for EFI
	Shim  string `yaml:"shim"`  // the same of a shim that vouches for efi under Secure Boot; "": there is none
	// templates; {url:PATH} is the URL of a path in the folder, at the end of its argument
	Args    []string     `yaml:"args"`
	Modules []BootModule `yaml:"modules"` // those that are not there are left out
}

// BootModule is one or more modules.
type BootModule struct {
	Path string `yaml:"path"` // template of a path or pattern in the folder
	Args string `yaml:"args"`
	Name string `yaml:"name"`
	// Need: without it the item is left out.
	Need bool `yaml:"need"`
}

var (
	nameRE = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,30}\z`)
	// versionRE is what any version must fit, since it becomes a folder.
	versionRE = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._+~-]{0,95}\z`)
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
		return fmt.Errorf("%q is no URL", s)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q has no scheme that is known; want https://… or http://…", u.Redacted())
	case u.Host == "":
		return fmt.Errorf("%q has no host", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q has a query or fragment; want a path", u.Redacted())
	}
	return nil
}

// words is the vocabulary of one version for one processor.
func (r Recipe) words(version, arch string) (vocabulary, error) {
	re, err := regexp.Compile(`\A(?:` + r.Version + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("%s: version: %w", r.Name, err)
	}
	m := re.FindStringSubmatch(version)
	if m == nil || !versionRE.MatchString(version) {
		return nil, fmt.Errorf("%w: %s %q; one is %s", ErrNoVersion, r.Name, version, r.Example)
	}
	v := vocabulary{"version": version}
	for i, g := range re.SubexpNames() {
		if g != "" {
			v[g] = m[i]
		}
	}
	if v["cpu"], v["arch"], err = r.arch(arch); err != nil {
		return nil, err
	}
	for w, as := range r.Words {
		if v[w] = as.Is[v[as.Of]]; v[w] == "" {
			v[w] = v[as.Of]
		}
	}
	return v, nil
}

// arch is a processor's name, ours and the maker's; "" is amd64, or the only one that there is.
func (r Recipe) arch(asked string) (ours, theirs string, err error) {
	all := r.Arch
	if len(all) == 0 {
		all = map[string]string{"amd64": "amd64"}
	}
	if asked == "" {
		if asked = "amd64"; all[asked] == "" {
			asked = "arm64"
		}
	}
	for a, name := range all {
		if a == asked || name == asked {
			return a, name, nil
		}
	}
	return "", "", fmt.Errorf("%w: %s is not made for %q", ErrOrder, r.Name, asked)
}

// key names the image of a version.
func (r Recipe) key(version, arch string) string {
	if arch == "" || arch == "amd64" {
		return key(r.Name, version)
	}
	return key(r.Name, version, arch)
}
