package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// enter makes what needs the network or the source, and runs this program again in a network namespace of its own,
// which is the clients'.
func enter(ctx context.Context, o options, args []string, stdout, stderr io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, for network namespaces")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if o.fetch {
		if err := fetchPeers(stderr); err != nil {
			return err
		}
	}
	if len(o.builds) == 0 {
		dir, err := os.MkdirTemp("", "pxeagent-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		made := filepath.Join(dir, "pxeagent")
		out, err := exec.CommandContext(ctx, "go", "build", "-o", made, "pxeagent/cmd/pxeagent").CombinedOutput()
		if err != nil {
			return fmt.Errorf("building pxeagent: %w: %s", err, out)
		}
		args = append([]string{"-pxeagent", "pxeagent=" + made}, args...)
	}
	// ^C comes to both; what the other started ends with it.
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = stdout, stderr, append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return cmd.Run()
}

// peersDir is where packages are unpacked.
func peersDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "pxeagent-bench"), err
}

// fetchPeers unpacks the Debian packages of servers that are not installed, since not all can be at once.
func fetchPeers(stderr io.Writer) error {
	dir, err := peersDir()
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if k.program == "" {
			continue
		}
		if _, err := find(k); err == nil {
			continue
		}
		at := filepath.Join(dir, k.pkg)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "unpacking %s below %s\n", k.pkg, at)
		cmd := exec.Command("sh", "-c", `apt-get download -q "$0" && dpkg-deb -x "$0"_*.deb .`, k.pkg)
		cmd.Dir = at
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("unpacking %s: %w: %s", k.pkg, err, out)
		}
	}
	return nil
}

// find is the path of a kind's program, installed or unpacked. Two packages have a program of the same name.
func find(k kind) (string, error) {
	if path, err := exec.LookPath(k.program); err == nil {
		return filepath.Abs(path)
	}
	unpacked, err := peersDir()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{filepath.Join(unpacked, k.pkg, "usr/sbin"), "/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, k.program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", k.program, exec.ErrNotFound)
}
