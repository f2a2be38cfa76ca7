package main

import (
	"context"
	"path/filepath"
	"strings"
)

const packageTool = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// packages makes those of Debian and RPM, in the folder of the program.
func (r *release) packages(ctx context.Context, p platform, dir, dist string) error {
	env := []string{"VERSION=" + r.version, "ARCH=" + p.arch + p.arm, "MAINTAINER=" + r.maintainer}
	for _, kind := range []string{"deb", "rpm"} {
		err := r.goIn(ctx, dir, env, "run", packageTool, "package",
			"--config", filepath.Join(r.source, "deploy/packages/nfpm.yaml"), "--packager", kind, "--target", dist)
		if err != nil {
			return err
		}
	}
	return nil
}

// debianVersion is a version as nfpm gives it to Debian: what comes before a release sorts before it.
func debianVersion(version string) string { return strings.Replace(version, "-", "~", 1) }
