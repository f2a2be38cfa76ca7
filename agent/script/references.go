package script

import (
	"net/url"
	"slices"
	"strings"
)

// Kind is what a script does with a file.
type Kind string

const (
	Script Kind = "script" // runs it as a script
	Kernel Kind = "kernel" // boots it
	Image  Kind = "image"  // loads it, for the kernel or as a disk
)

// Reference is a file that a script names.
type Reference struct {
	Kind Kind
	URL  string // absolute
}

// fetchers are the commands whose first plain word is a file to fetch, with what that is.
var fetchers = map[string]Kind{
	"chain": Script, "imgexec": Script,
	"kernel": Kernel, "imgselect": Kernel, "sanboot": Image,
	"initrd": Image, "module": Image, "imgfetch": Image, "imgload": Image,
}

// maxReferences bounds what a script makes us do.
const maxReferences = 64

// References lists the files that a script names, each once, in order. Settings are expanded as far as the script itself
// makes them, in the order of its lines: branches are not followed. What still holds a setting that only the machine knows
// (${net0/mac}) is left out and counted in unknown. base is the script's own URL.
func References(script []byte, base *url.URL) (refs []Reference, unknown int) {
	settings := map[string]string{}
	for _, c := range commands(string(script)) {
		if c.words[0] == "set" && len(c.words) >= 3 {
			settings[c.words[1]] = expandKnown(strings.Join(c.words[2:], " "), settings)
			continue
		}
		kind, fetches := fetchers[c.words[0]]
		if !fetches {
			continue
		}
		args, _, _ := options(c.words[1:], map[string]bool{"-n": true, "--name": true, "-t": true, "--timeout": true, "-d": true, "--drive": true})
		if len(args) == 0 {
			continue
		}
		name := expandKnown(args[0], settings)
		u, err := url.Parse(name)
		if strings.Contains(name, "${") || err != nil {
			unknown++
			continue
		}
		abs := base.ResolveReference(u)
		ref := Reference{kind, abs.String()}
		if slices.Contains([]string{"http", "https", "tftp"}, abs.Scheme) && !slices.Contains(refs, ref) && len(refs) < maxReferences {
			refs = append(refs, ref)
		}
	}
	return refs, unknown
}
