package image

import (
	"fmt"
	"regexp"
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
