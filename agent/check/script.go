package check

import (
	"net/url"
	"slices"
	"strings"
)

// reference is a file that a script names.
type reference struct {
	stage string // "script", "kernel", "image"
	url   string
}

// fetchCommands are iPXE's commands whose first plain word is a file to fetch, with the stage that it belongs to.
var fetchCommands = map[string]string{
	"chain": "script", "imgexec": "script",
	"kernel": "kernel", "imgselect": "kernel", "sanboot": "image",
	"initrd": "image", "module": "image", "imgfetch": "image", "imgload": "image",
}

// maxReferences bounds what one script makes us fetch.
const maxReferences = 64

// references lists the files that a script names, each once, in order, as absolute URLs. Settings are expanded as far
// as the script itself sets them, in the order of its lines: branches are not followed. What still holds a setting that only
// the machine knows (${net0/mac}) is left out and counted in unknown. base is the script's own URL.
func references(script []byte, base *url.URL) (refs []reference, unknown int) {
	settings := map[string]string{}
	for line := range strings.Lines(string(script)) {
		for _, words := range commands(line) {
			if words[0] == "set" && len(words) >= 3 {
				settings[words[1]] = expand(strings.Join(words[2:], " "), settings)
				continue
			}
			stage, fetches := fetchCommands[words[0]]
			if !fetches {
				continue
			}
			name := firstPlain(words[1:])
			if name == "" {
				continue
			}
			name = expand(name, settings)
			u, err := url.Parse(name)
			if strings.Contains(name, "${") || err != nil {
				unknown++
				continue
			}
			abs := base.ResolveReference(u)
			ref := reference{stage, abs.String()}
			// An image that was fetched before is named again by its file name alone.
			if (abs.Scheme == "http" || abs.Scheme == "https" || abs.Scheme == "tftp") && !slices.Contains(refs, ref) && len(refs) < maxReferences {
				refs = append(refs, ref)
			}
		}
	}
	return refs, unknown
}

// commands splits a line at iPXE's separators, which stand alone as words.
func commands(line string) [][]string {
	var all [][]string
	var words []string
	for _, w := range strings.Fields(line) {
		if strings.HasPrefix(w, "#") {
			break
		}
		if w == "||" || w == "&&" || w == ";" {
			if len(words) > 0 {
				all = append(all, words)
			}
			words = nil
			continue
		}
		words = append(words, w)
	}
	if len(words) > 0 {
		all = append(all, words)
	}
	return all
}

// firstPlain is the first word that is no option. Options that take a value have it in the next word.
func firstPlain(words []string) string {
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "--":
			continue
		case w == "-n" || w == "--name" || w == "-t" || w == "--timeout" || w == "-d" || w == "--drive":
			i++
		case strings.HasPrefix(w, "-"):
		default:
			return w
		}
	}
	return ""
}

// maxExpanded is what a word may grow to: a script that doubles a setting line by line ends there.
const maxExpanded = 4096

// expand replaces the settings that are known; iPXE expands values again, as this does, a bounded number of times.
func expand(s string, settings map[string]string) string {
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
