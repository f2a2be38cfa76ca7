package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// platform is an operating system and a kind of processor, by Go's names. arm is GOARM, for arm alone.
type platform struct{ os, arch, arm string }

// platforms are those that a release is made for.
var platforms = []platform{
	{"linux", "amd64", ""}, {"linux", "arm64", ""}, {"linux", "arm", "7"},
	{"freebsd", "amd64", ""}, {"freebsd", "arm64", ""},
}

// String is "linux/amd64", "linux/armv7".
func (p platform) String() string { return p.os + "/" + p.machine() }

func (p platform) name() string { return p.os + "_" + p.machine() }

func (p platform) machine() string {
	if p.arm != "" {
		return p.arch + "v" + p.arm
	}
	return p.arch
}

// build compiles the program. Nothing of the machine or the folder it is compiled in gets into it.
func (r *release) build(ctx context.Context, p platform, to string) error {
	set := fmt.Sprintf("-s -w -buildid= -X main.version=%s -X main.revision=%s -X main.committed=%s",
		r.version, r.commit, r.date.Format("2006-01-02T15:04:05Z07:00"))
	return r.goTool(ctx, []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "GOARM=" + p.arm, "CGO_ENABLED=0"},
		"build", "-trimpath", "-buildvcs=false", "-ldflags", set, "-o", to, "./cmd/pxeagent")
}

// goTool runs the go command on the sources.
func (r *release) goTool(ctx context.Context, env []string, args ...string) error {
	return r.goIn(ctx, r.source, env, args...)
}

// goIn runs the go command in a folder. The machine's own settings that change what is compiled do not count.
func (r *release) goIn(ctx context.Context, dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOAMD64=", "GOARM64=", "GOEXPERIMENT=", "GOWORK=off",
		fmt.Sprint("SOURCE_DATE_EPOCH=", r.date.Unix()))
	cmd.Env = append(cmd.Env, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
