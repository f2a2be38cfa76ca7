package files

import (
	"slices"
	"strings"

	"pxeagent/agent/boot"
)

// Limits of a name that is looked up at all.
const (
	maxName  = 1024 // bytes
	maxDepth = 32   // folders
)

// Clean puts right what firmware does to file names. The result has no leading, trailing or doubled
// slash and no "." in it; ".." stays, for os.Root to judge. It is "" where nothing is left.
func Clean(name string, proto boot.Proto) (string, []boot.Quirk) {
	if rest := strings.TrimPrefix(name, "/"); proto == boot.HTTP && right(rest) {
		return rest, nil
	}
	return putRight(name, proto)
}

// putRight is Clean for names of all kinds.
func putRight(name string, proto boot.Proto) (string, []boot.Quirk) {
	var quirks []boot.Quirk
	seen := func(q boot.Quirk) {
		if !slices.Contains(quirks, q) {
			quirks = append(quirks, q)
		}
	}
	for {
		before := name
		// The byte after an option 67 without a terminator is option 255, or the NUL of padding.
		for n := len(name); n > 0 && (name[n-1] == 0 || name[n-1] == 0xff); n-- {
			name = name[:n-1]
		}
		if name != before {
			seen(boot.TrailingByte)
		}
		trailing := name
		if name = strings.Trim(name, " \t\r\n"); name != trailing {
			seen(boot.Blank)
		}
		if name == before {
			break
		}
	}
	if strings.Contains(name, `\`) {
		name = strings.ReplaceAll(name, `\`, "/")
		seen(boot.Backslash)
	}
	if rest, ok := cutURL(name); ok && proto == boot.TFTP {
		name = rest
		seen(boot.URLPrefix)
	} else if proto == boot.HTTP {
		name = strings.TrimPrefix(name, "/") // every path of HTTP has one
	}
	parts := strings.Split(name, "/")
	kept := slices.DeleteFunc(slices.Clone(parts), func(p string) bool {
		switch p {
		case "":
			if name != "" {
				seen(boot.ExtraSlash)
			}
			return true
		case ".":
			seen(boot.DotSegment)
			return true
		case "..":
			seen(boot.DotSegment)
		}
		return false
	})
	return strings.Join(kept, "/"), quirks
}

// right reports whether a name is certain to have nothing that is to be put right.
func right(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c <= ' ', c > '~', c == '\\':
			return false
		case c == '/' && (i == 0 || i+1 == len(name)), (c == '/' || c == '.') && i > 0 && name[i-1] == '/',
			c == '.' && i == 0:
			return false
		}
	}
	return name != ""
}

// cutURL takes scheme and host from a name that is a URL.
func cutURL(name string) (string, bool) {
	for _, scheme := range []string{"tftp:/", "http:/"} {
		if len(name) >= len(scheme) && strings.EqualFold(name[:len(scheme)], scheme) {
			_, rest, _ := strings.Cut(strings.TrimLeft(name[len(scheme):], "/"), "/")
			return rest, true
		}
	}
	return name, false
}

func caseQuirk(differs bool) boot.Quirk {
	if differs {
		return boot.LetterCase
	}
	return ""
}

func foldName(files map[string]*content, name string) (string, bool) {
	if _, ok := files[name]; ok {
		return name, true
	}
	for known := range files {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}
