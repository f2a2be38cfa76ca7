package script

import (
	"net/url"
	"slices"
)

// Boot is a kernel that a script boots, with all that it has loaded by then.
type Boot struct {
	Kernel string   // URL
	Files  []string // URLs of the other images, in the order in which they were fetched
	Item   string   // menu items that were chosen on the way
}

// Boots are the files of each way in a script on which the kernel with this URL path is booted, as URL paths,
// unescaped, the kernel first. base is the script's own URL; what comes from another host is left out.
func Boots(script []byte, base *url.URL, kernel string) [][]string {
	var all [][]string
	for _, b := range Run(script, base, Machine{Open: true}, nil).Boots {
		var files []string
		for _, file := range slices.Concat([]string{b.Kernel}, b.Files) {
			if u, err := url.Parse(file); err == nil && u.Host == base.Host {
				files = append(files, u.Path)
			}
		}
		same := func(other []string) bool { return slices.Equal(other, files) }
		if len(files) > 0 && files[0] == kernel && !slices.ContainsFunc(all, same) {
			all = append(all, files)
		}
	}
	return all
}

// booted records what is booted on this way.
func (r *runner) booted(s *state, kernel picture) {
	b := Boot{Kernel: kernel.url, Item: s.item()}
	need, modules := CommandLine(kernel.word, kernel.args), 0
	for _, p := range s.images {
		if p.url == kernel.url || p.url == "" {
			continue
		}
		b.Files = append(b.Files, p.url)
		if p.module {
			need += CommandLine(p.word, p.args)
			modules++
		}
	}
	// Only multiboot has modules; UEFI does not boot it.
	if modules > 0 && need > MaxCommandLine {
		r.findHere(
			s,
			kernel.line,
			Error,
			LongMultiboot,
			"kernel and modules need %d bytes for URLs and arguments; BIOS iPXE keeps %d and cuts off the rest",
			need,
			MaxCommandLine,
		)
	}
	same := func(o Boot) bool { return o.Kernel == b.Kernel && o.Item == b.Item && slices.Equal(o.Files, b.Files) }
	if b.Kernel != "" && !slices.ContainsFunc(r.Boots, same) {
		r.Boots = append(r.Boots, b)
	}
}
