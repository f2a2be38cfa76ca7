package ipxe

import (
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// Reference is a file that a script names.
type Reference struct {
	Kind boot.Artifact // Script, Kernel or Image
	URL  string        // absolute
}

// fetchers are the commands whose first plain word is a file to fetch, with what that is.
var fetchers = map[string]boot.Artifact{
	"chain": boot.Script, "imgexec": boot.Script,
	"kernel": boot.Kernel, "imgselect": boot.Kernel, "sanboot": boot.Image,
	"initrd": boot.Image, "module": boot.Image, "imgfetch": boot.Image, "imgload": boot.Image,
}

// Bounds on what a script makes us do.
const (
	maxReferences = 64
	maxExpanded   = 4096 // what a word may grow to: a script that doubles a setting line by line ends there
)

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

// expandKnown puts in the settings that are known, the innermost first, as iPXE does again and again; a setting may name
// itself. The others stay.
func expandKnown(s string, settings map[string]string) string {
	for range 8 {
		start := strings.LastIndex(s, "${")
		if start < 0 {
			return s
		}
		end := strings.IndexByte(s[start:], '}')
		if end < 0 {
			return s
		}
		value, known := settings[s[start+2:start+end]]
		if !known || len(s)+len(value) > maxExpanded {
			return s
		}
		s = s[:start] + value + s[start+end+1:]
	}
	return s
}
