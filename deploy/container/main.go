// Command container makes images of pxeagent from its programs, without a daemon:
//
//	go run . --version 1.2.3 --out DIR/pxeagent_1.2.3 linux/amd64=PATH linux/arm64=PATH linux/arm/v7=PATH
//
// It writes OUT_oci.tar, an OCI layout for all platforms, and for each of them an archive for `docker load`. The same
// programs make the same bytes. It is a module of its own, so that what it needs is not needed by pxeagent;
// deploy/release runs it.
package main

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "making images: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("container", flag.ContinueOnError)
	var r release
	flags.StringVar(&r.version, "version", "", "version of the release")
	flags.StringVar(&r.commit, "commit", "", "commit that the programs are of")
	flags.StringVar(&r.source, "source", "../..", "folder with LICENSE and NOTICE")
	seconds := flags.Int64("date", 0, "time of the commit, Unix time in seconds")
	out := flags.String("out", "", "what names of files begin with")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if r.version == "" || *out == "" || flags.NArg() == 0 {
		return errors.New("want --version, --out and PLATFORM=PROGRAM at least once")
	}
	r.date = time.Unix(*seconds, 0).UTC()
	tag, err := name.NewTag("pxeagent:" + r.version)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range flags.Args() {
		text, program, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q: want PLATFORM=PROGRAM", arg)
		}
		p, err := v1.ParsePlatform(text)
		if err != nil {
			return err
		}
		img, err := r.image(*p, program)
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
		to := *out + "_" + p.OS + "_" + p.Architecture + p.Variant + ".docker.tar"
		if err := tarball.WriteToFile(to, tag, img); err != nil {
			return err
		}
	}
	return writeLayout(*out+"_oci.tar", tag.String(), index)
}

// writeLayout writes an OCI layout with the index under a tag, as a tar.
func writeLayout(path, tag string, index v1.ImageIndex) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})
	if err := l.AppendIndex(index, named); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := archive(f, os.DirFS(dir)); err != nil {
		return err
	}
	return f.Close()
}

// archive writes all files of dir as a tar, in the order of names, without owner and time.
func archive(w io.Writer, dir fs.FS) error {
	t := tar.NewWriter(w)
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err = t.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return t.Close()
}
