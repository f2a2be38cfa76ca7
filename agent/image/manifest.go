package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// ourPrefix begins the names that pxeagent keeps for itself in the tree of HTTP. They are not served.
const ourPrefix = ".pxeagent"

// Private reports whether a path in the tree of HTTP, with slashes, is pxeagent's own and not served.
func Private(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(strings.ToLower(part), ourPrefix) {
			return true
		}
	}
	return false
}

// manifestName is the file in an image's folder that says what the image is.
const manifestName = ourPrefix + ".json"

// maxManifest is more bytes than the files of an image at its limits need.
const maxManifest = 16 << 20

// Manifest is what is known of an image that a recipe put there. A tree that was put there by hand has one once it was
// verified, without Recipe.
type Manifest struct {
	Key      string      `json:"key"`
	Recipe   string      `json:"recipe,omitempty"`
	Version  string      `json:"version,omitempty"`
	Arch     string      `json:"arch,omitempty"` // amd64, arm64
	Title    string      `json:"title,omitempty"`
	Args     []string    `json:"args,omitempty"` // more arguments of the kernel, as the user gave them
	Installs bool        `json:"installs,omitempty"`
	Added    time.Time   `json:"added,omitzero"`
	Verified time.Time   `json:"verified,omitzero"`
	Fault    string      `json:"fault,omitempty"` // what the last verification found wrong
	Sources  []Source    `json:"sources,omitempty"`
	Files    []FileSum   `json:"files,omitempty"`
	Boot     []bootEntry `json:"boot,omitempty"`
}

// Source is where a file came from, and what it was checked against.
type Source struct {
	From   string `json:"from"`   // a URL without its password, or a path
	SHA256 string `json:"sha256"` // of the file as it came
	Bytes  int64  `json:"bytes"`
	// "SHA-256 in https://…/sha256sums.txt", or that it is such a list; "": nothing was published to check it against
	Checked string `json:"checked,omitempty"`
}

// FileSum is a file of the image as it was added.
type FileSum struct {
	Path   string `json:"path"` // in the image's folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// bootEntry is one item of the menu; its paths are in the image's folder.
type bootEntry struct {
	Key     string       `json:"key"`
	Title   string       `json:"title"`
	Kind    Kind         `json:"kind"`
	CPU     CPU          `json:"cpu"`
	BIOS    string       `json:"bios,omitempty"`
	EFI     string       `json:"efi,omitempty"`
	Shim    string       `json:"shim,omitempty"`
	Args    []bootArg    `json:"args,omitempty"`
	Modules []bootModule `json:"modules,omitempty"`
}

type bootArg struct {
	Text string `json:"text"`
	Path string `json:"path,omitempty"` // "." is the folder itself
}

type bootModule struct {
	Path string `json:"path"`
	Args string `json:"args,omitempty"`
	Name string `json:"name,omitempty"`
}

// readManifest reads the one in a folder. Somebody may have written it by hand: paths that lead elsewhere are an error.
func readManifest(root *os.Root, dir string) (Manifest, error) {
	var m Manifest
	f, err := root.Open(path.Join(dir, manifestName))
	if err != nil {
		return m, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return m, fmt.Errorf("reading %s: %w", path.Join(dir, manifestName), err)
	}
	return m, nil
}

func (m Manifest) check() error {
	if m.Key == "" || key(m.Key) != m.Key {
		return fmt.Errorf("invalid key %q", m.Key)
	}
	local := func(p string) error {
		if p != "" && p != "." && (!filepath.IsLocal(p) || path.Clean(p) != p) {
			return fmt.Errorf("%q is not a path below the image's folder", p)
		}
		return nil
	}
	var errs []error
	for _, f := range m.Files {
		errs = append(errs, local(f.Path))
	}
	for _, b := range m.Boot {
		if key(b.Key) != b.Key || b.Key == "" ||
			!slices.Contains([]Kind{KindLinux, KindMultiboot, KindISO, KindWimboot}, b.Kind) {
			errs = append(errs, fmt.Errorf("%q is not an item of kind %q", b.Key, b.Kind))
		}
		errs = append(errs, local(b.BIOS), local(b.EFI), local(b.Shim))
		for _, a := range b.Args {
			errs = append(errs, local(a.Path))
		}
		for _, x := range b.Modules {
			errs = append(errs, local(x.Path))
		}
	}
	return errors.Join(errs...)
}

// write puts the manifest into a folder, whole or not at all.
func (m Manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, manifestName), append(b, '\n'), 0o644)
}

// bytes is how much the files have.
func (m Manifest) bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// images are the items of a manifest whose folder is dir, as far as their files are there.
func (m Manifest) images(dir string, has func(string) bool) []Image {
	var out []Image
	for _, b := range m.Boot {
		img := Image{
			Key: b.Key, System: m.Recipe, Title: b.Title, CPU: b.CPU, Kind: b.Kind, Multiboot: b.Kind == KindMultiboot,
			BIOS: within(dir, b.BIOS), EFI: within(dir, b.EFI), Shim: within(dir, b.Shim),
		}
		for _, p := range []*string{&img.BIOS, &img.EFI, &img.Shim} {
			if *p != "" && !has(*p) {
				*p = ""
			}
		}
		if img.BIOS == "" && img.EFI == "" {
			continue
		}
		for _, a := range b.Args {
			img.Args = append(img.Args, Arg{a.Text, within(dir, a.Path)})
		}
		for _, x := range b.Modules {
			img.Modules = append(img.Modules, Module{within(dir, x.Path), x.Args, x.Name})
		}
		m.mark(&img, dir)
		out = append(out, img)
	}
	return out
}

// within is p below dir; "" stays "".
func within(dir, p string) string {
	if p == "" {
		return ""
	}
	return path.Join(dir, p)
}

// mark notes on an image where it came from.
func (m Manifest) mark(img *Image, dir string) {
	img.Dir, img.Added, img.Verified = dir, m.Added, m.Verified
	if m.Recipe == "" {
		return
	}
	img.Recipe, img.Version, img.Installs = m.Recipe, m.Version, m.Installs
	if m.Fault != "" {
		img.Verified = time.Time{}
	}
}

// noManifest: the folder has no manifest, which is not an error.
func noManifest(err error) bool { return errors.Is(err, fs.ErrNotExist) }
