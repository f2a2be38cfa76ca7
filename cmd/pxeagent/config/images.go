package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"pxeagent/agent/image"
)

// parseImages reads the part images: a list of what is to be on disk.
func parseImages(c *Config, n partNode) {
	for _, item := range n.items() {
		w := image.Want{}
		item.fields(map[string]func(partNode){
			"recipe":  into(&w.Recipe, parseName),
			"version": into(&w.Version, parseName),
			"arch":    into(&w.Arch, parseName),
			"keep":    into(&w.Keep, parseKeep),
			"from": func(n partNode) {
				for _, at := range n.each() {
					if from := at.text(); strings.Contains(from, "://") {
						into(new(string), ParseMirror)(at)
						w.From = append(w.From, from)
					} else if from != "" {
						w.From = append(w.From, at.path())
					}
				}
			},
			"sha256": into(&w.SHA256, ParseSHA256),
			"mirror": func(n partNode) { w.Mirrors = mirrorsIn(n) },
			"title":  into(&w.Title, parseLine),
			"args": func(n partNode) {
				for _, text := range n.texts() {
					w.Args = append(w.Args, strings.Fields(text)...)
				}
			},
		})
		switch {
		case w.Recipe == "":
			item.wrong("has no recipe; `pxeagent image recipes` lists them")
		case w.Version == "" && len(w.From) > 0:
			item.wrong("has from and no version; name the version that it is")
		case w.Version == "":
			w.Version = "latest"
		}
		c.Images = append(c.Images, w)
	}
}

// parseMirrors reads the part mirrors: where recipes fetch from, in place of their own mirrors.
func parseMirrors(c *Config, n partNode) {
	for _, e := range n.entries() {
		if c.Mirrors == nil {
			c.Mirrors = map[string][]string{}
		}
		c.Mirrors[e.key] = mirrorsIn(e.value)
	}
}

func mirrorsIn(n partNode) []string {
	var out []string
	for _, at := range n.each() {
		var m string
		if into(&m, ParseMirror)(at); m != "" {
			out = append(out, m)
		}
	}
	return out
}

// each is a value alone, or the elements of a list.
func (n partNode) each() []partNode {
	if len(n.Content) == 0 && n.Value != "" {
		return []partNode{n}
	}
	return n.items()
}

// ParseMirror takes the URL of a folder.
func ParseMirror(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("invalid URL %q: want https://host/path", s)
	case u.Scheme == "":
		return "", fmt.Errorf("%q has no scheme; want https://%s", s, strings.TrimLeft(s, "/"))
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q has the scheme %s; want https or http", s, u.Scheme)
	case u.Host == "":
		return "", fmt.Errorf("%q has no host; want https://host/path", s)
	case u.User != nil:
		return "", fmt.Errorf("%q has a user; want a mirror that asks for none", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q has a query or fragment; want https://host/path", s)
	}
	return s, nil
}

func parseKeep(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("invalid number of versions %q: want 1 to 1000", s)
	}
	return n, nil
}

// ParseSHA256 takes one checksum, or several of an image of several files, separated by commas.
func ParseSHA256(s string) (string, error) {
	var out []string
	for word := range strings.SplitSeq(s, ",") {
		sum, err := ParseFingerprint(strings.TrimSpace(word))
		if err != nil {
			return "", fmt.Errorf("invalid SHA-256 %q: want 64 hex digits", strings.TrimSpace(word))
		}
		out = append(out, fmt.Sprintf("%x", *sum))
	}
	return strings.Join(out, ","), nil
}
