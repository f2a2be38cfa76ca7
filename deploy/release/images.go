package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// imagesModule is the folder of the module that makes images of containers.
const imagesModule = "deploy/container"

// programs are those that were built, by platform.
type programs map[platform]string

// images makes those of containers, from the programs for Linux. Their names in dist begin with base.
func (r *release) images(ctx context.Context, built programs, base string) error {
	args := []string{
		"run", ".", "--version", r.version, "--commit", r.commit, "--date", fmt.Sprint(r.date.Unix()),
		"--source", r.source, "--out", base,
	}
	linux := false
	for _, p := range platforms {
		if program := built[p]; program != "" && p.os == "linux" {
			linux = true
			args = append(args, p.container()+"="+program)
		}
	}
	if !linux {
		return nil
	}
	return r.goIn(ctx, filepath.Join(r.source, imagesModule), nil, args...)
}

// container is the platform as images name it: "linux/arm/v7".
func (p platform) container() string {
	name := p.os + "/" + p.arch
	if p.arm != "" {
		name += "/v" + p.arm
	}
	return name
}
