package main

import (
	"bytes"
	"io"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// uid is the user and group that the program runs as, where nothing else is asked for. It is nobody's on usual hosts.
const uid = 65532

// release is what all images of a release have in common.
type release struct {
	version, commit string
	date            time.Time // of the commit: the only time that is in the image
	source          string    // folder with LICENSE and NOTICE
}

// image is that of one platform: one layer with the program, and how it is run.
func (r release) image(p v1.Platform, program string) (v1.Image, error) {
	files, err := r.layer(program)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: r.date}, CreatedBy: "pxeagent/deploy/container"},
	})
	if err != nil {
		return nil, err
	}
	made, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	made = made.DeepCopy()
	made.Created = v1.Time{Time: r.date}
	made.OS, made.Architecture, made.Variant = p.OS, p.Architecture, p.Variant
	made.Config = v1.Config{
		User:       strconv.Itoa(uid) + ":" + strconv.Itoa(uid),
		Entrypoint: []string{"/usr/bin/pxeagent"},
		Cmd:        []string{"serve"},
		WorkingDir: "/",
		StopSignal: "SIGTERM",
		Env: []string{
			"PATH=/usr/bin",
			// Programs in a container know by it where they are: what pxeagent says to do is then for a container.
			"container=oci",
			// Secrets that are mounted there need no key of the configuration, and no mode of their own.
			"CREDENTIALS_DIRECTORY=/run/secrets",
		},
		ExposedPorts: map[string]struct{}{"69/udp": {}, "80/tcp": {}},
		Volumes:      map[string]struct{}{"/var/lib/pxeagent": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "pxeagent",
			"org.opencontainers.image.version":  r.version,
			"org.opencontainers.image.revision": r.commit,
			"org.opencontainers.image.created":  r.date.Format(time.RFC3339),
			"org.opencontainers.image.licenses": "Apache-2.0 AND GPL-2.0-only AND MPL-2.0",
		},
	}
	return mutate.ConfigFile(img, made)
}
