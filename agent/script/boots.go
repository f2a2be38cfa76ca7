package script

import (
	"net/url"
	"strings"
)

// Boots are the files of each place in a script that loads the kernel with this URL path and boots it, as URL paths,
// unescaped, the kernel first. base is the script's own URL; what comes from another host is left out.
func Boots(script []byte, base *url.URL, kernel string) [][]string {
	var all [][]string
	var files []string // since the last kernel
	end := func() {
		if len(files) > 0 && files[0] == kernel {
			all = append(all, files)
		}
		files = nil
	}
	settings := map[string]string{}
	for _, c := range commands(string(script)) {
		switch c.words[0] {
		case "set":
			if len(c.words) >= 3 {
				settings[c.words[1]] = expandKnown(strings.Join(c.words[2:], " "), settings)
			}
		case "kernel", "initrd", "module":
			if c.words[0] == "kernel" {
				end()
			}
			args, _, _ := options(c.words[1:], map[string]bool{"-n": true, "--name": true, "-t": true, "--timeout": true})
			if len(args) == 0 {
				continue
			}
			u, err := url.Parse(expandKnown(args[0], settings))
			if err == nil && base.ResolveReference(u).Host == base.Host && (c.words[0] == "kernel" || files != nil) {
				files = append(files, base.ResolveReference(u).Path)
			}
		case "boot":
			end()
		default:
			if strings.HasPrefix(c.words[0], ":") {
				end()
			}
		}
	}
	end()
	return all
}
