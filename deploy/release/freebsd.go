package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// linuxPaths are the paths in what is made for Linux that FreeBSD has elsewhere, each followed by FreeBSD's:
// SystemOf of cmd/pxeagent/config and dnsmasq.ConfDir say the same.
var linuxPaths = strings.NewReplacer(
	"/etc/pxeagent", "/usr/local/etc/pxeagent", "/var/lib/pxeagent", "/var/db/pxeagent",
	"/etc/dnsmasq.d", "/usr/local/etc/dnsmasq.d",
)

// freebsdFiles are those of the package, by their place below /usr/local, as they lie in the staged folder.
// A folder stands for the files in it.
var freebsdFiles = map[string]string{
	"etc/pxeagent/pxeagent.yaml.sample":             "pxeagent.example.yaml",
	"etc/rc.d/pxeagent":                             "rc.d/pxeagent",
	"share/man/man1":                                "man",
	"share/bash-completion/completions/pxeagent":    "completions/pxeagent.bash",
	"share/zsh/site-functions/_pxeagent":            "completions/pxeagent.zsh",
	"share/fish/vendor_completions.d/pxeagent.fish": "completions/pxeagent.fish",
	"share/pxeagent/grafana/pxeagent.json":          "grafana/pxeagent.json",
	"share/pxeagent/prometheus/pxeagent.rules.yml":  "prometheus/pxeagent.rules.yml",
	"share/doc/pxeagent/README.md":                  "README.md",
	"share/doc/pxeagent/guide":                      "guide",
	"share/licenses/pxeagent/LICENSE":               "LICENSE",
	"share/licenses/pxeagent/NOTICE":                "NOTICE",
}

// manifest is what a package of FreeBSD says of itself, pkg-create(8). +COMPACT_MANIFEST has no files and scripts.
type manifest struct {
	Name         string            `json:"name"`
	Origin       string            `json:"origin"`
	Version      string            `json:"version"`
	Comment      string            `json:"comment"`
	Maintainer   string            `json:"maintainer"`
	WWW          string            `json:"www"`
	ABI          string            `json:"abi"`
	Arch         string            `json:"arch"` // the ABI under its older name
	Prefix       string            `json:"prefix"`
	FlatSize     int64             `json:"flatsize"` // bytes of all files
	LicenseLogic string            `json:"licenselogic"`
	Licenses     []string          `json:"licenses"`
	Desc         string            `json:"desc"`
	Categories   []string          `json:"categories"`
	Users        []string          `json:"users"`
	Groups       []string          `json:"groups"`
	Files        map[string]string `json:"files,omitempty"`   // path to SHA-256, in hex
	Scripts      map[string]string `json:"scripts,omitempty"` // phase to script
}

// freebsdArch is a processor as an ABI names it, and as the older names do.
var freebsdArch = map[string][2]string{"amd64": {"amd64", "x86:64"}, "arm64": {"aarch64", "aarch64:64"}}

// freebsdPackage writes the package of a platform: a tar of the manifests, then the files by their full paths, which
// pkg(8) reads in any compression that libarchive knows. A program of Go without C needs no library of a release, so it
// is one package for all of them.
func (r *release) freebsdPackage(p platform, path, binary, shared string) error {
	files, err := freebsdTree(binary, shared)
	if err != nil {
		return err
	}
	arch := freebsdArch[p.arch]
	m := manifest{
		Name: "pxeagent", Origin: "net/pxeagent", Version: freebsdVersion(r.version),
		Comment:    "Network boot: DHCP settings, TFTP, HTTP and the iPXE menu",
		Maintainer: r.maintainer, WWW: "UNKNOWN", // pkg(8) wants one, and puts this where there is none
		ABI: "FreeBSD:*:" + arch[0], Arch: "freebsd:*:" + arch[1], Prefix: "/usr/local",
		LicenseLogic: "and", Licenses: []string{"APACHE20", "GPLv2"},
		Desc: encoded("It points the site's own DHCP server (pfSense, or Dnsmasq) at itself, proves with a DHCP probe\n" +
			"that machines are told so, and serves them: TFTP, HTTP, the iPXE menu, kernels and images.\n" +
			"Every boot is watched and measured."),
		Categories: []string{"net"}, Users: []string{"pxeagent"}, Groups: []string{"pxeagent"},
	}
	for _, f := range files {
		m.FlatSize += int64(len(f.text))
	}
	compact := m
	m.Files, m.Scripts = map[string]string{}, map[string]string{}
	for _, f := range files {
		m.Files[encoded(f.path)] = fmt.Sprintf("%x", sha256.Sum256(f.text))
	}
	for _, phase := range []string{"pre-install", "post-install", "pre-deinstall"} {
		script, err := os.ReadFile(filepath.Join(r.source, "deploy/freebsd", phase))
		if err != nil {
			return err
		}
		m.Scripts[phase] = encoded(string(script))
	}
	var special []freebsdFile
	for _, s := range []struct {
		name string
		says manifest
	}{{"+COMPACT_MANIFEST", compact}, {"+MANIFEST", m}} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(s.says); err != nil {
			return err
		}
		special = append(special, freebsdFile{s.name, b.Bytes(), 0o644})
	}
	return r.writePackage(path, append(special, files...))
}

// freebsdFile is a file of a package.
type freebsdFile struct {
	path string
	text []byte
	mode int64
}

// freebsdTree gathers the files of the package, in the order of their paths.
func freebsdTree(binary, shared string) ([]freebsdFile, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	files := []freebsdFile{{"/usr/local/bin/pxeagent", program, 0o755}}
	for to, from := range freebsdFiles {
		names, err := filepath.Glob(filepath.Join(shared, from, "*"))
		if err != nil {
			return nil, err
		}
		folder := len(names) > 0
		if !folder {
			names = []string{filepath.Join(shared, from)}
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			f := freebsdFile{"/usr/local/" + to, text, 0o644}
			if folder {
				f.path += "/" + filepath.Base(name)
			}
			switch from {
			case "rc.d/pxeagent":
				f.mode = 0o555
			case "man":
				f.path += ".gz"
				if f.text, err = compressed([]byte(linuxPaths.Replace(string(text)))); err != nil {
					return nil, err
				}
			case "pxeagent.example.yaml", "completions/pxeagent.bash", "completions/pxeagent.zsh", "completions/pxeagent.fish":
				f.text = []byte(linuxPaths.Replace(string(text)))
			}
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b freebsdFile) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// writePackage writes files to a tar, compressed by gzip.
func (r *release) writePackage(path string, files []freebsdFile) error {
	return writeTar(path, func(t *tar.Writer) error {
		for _, file := range files {
			h := &tar.Header{
				Name: file.path, Size: int64(len(file.text)), Mode: file.mode, ModTime: r.date, Uname: "root",
				Gname: "wheel", Format: tar.FormatUSTAR,
			}
			if err := t.WriteHeader(h); err != nil {
				return fmt.Errorf("%s: %w", file.path, err)
			}
			if _, err := t.Write(file.text); err != nil {
				return err
			}
		}
		return nil
	})
}

// encoded is a text as a manifest has it: what is not ASCII, and %, as in a URL.
func encoded(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == '%' || c >= 0x80 {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// freebsdVersion is a version as pkg(8) reads it: a - would begin another part of the package's name.
func freebsdVersion(version string) string { return strings.ReplaceAll(version, "-", ".") }
