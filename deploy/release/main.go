// Command release makes a release of pxeagent from the sources in the current folder's module:
//
//	go run ./deploy/release --version 1.2.3
//
// For each platform it writes an archive with the program, its man pages, completions, units, dashboard and rules; the
// packages of Debian, of RPM and of FreeBSD; a list of what the program is made from; and for all, images of containers
// and SHA256SUMS. The same sources make the same bytes on any machine with the same Go. `licences` in place of flags
// checks licences alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "making a release: %v\n", err)
		os.Exit(1)
	}
}

// release is one release in the making.
type release struct {
	source  string    // the module's folder
	out     string    // what is released is written here
	version string    // 1.2.3, or 0.0.0-20260102.1a2b3c4d where there is no tag
	commit  string    // what the sources are of
	date    time.Time // of the commit: the only time that is in the files
	// maintainer is who packages are of: the commit's author, as "Name <address>".
	maintainer string
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	r := &release{}
	flags.StringVar(&r.version, "version", "", "version of the release; default: from the last commit's tag or date")
	flags.StringVar(&r.out, "out", "dist", "folder to write to; what a release left there is replaced")
	only := flags.String("platform", "", "make this one alone: linux/amd64")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.source, err = os.Getwd(); err != nil {
		return err
	}
	if r.out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	switch flags.Arg(0) {
	case "":
		changed, err := r.output(ctx, "git", "status", "--porcelain")
		if err == nil && changed != "" {
			err = fmt.Errorf("a release is of a commit, and the sources have changes besides:\n%s", changed)
		}
		if err != nil {
			return err
		}
		return r.make(ctx, *only)
	case "licences":
		return r.licences(ctx)
	}
	return fmt.Errorf("%q: want no argument, or licences", flags.Arg(0))
}

// semver is what nfpm makes versions of packages from.
var semver = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`)

// identify asks git what the sources are, and names the release where no flag does.
func (r *release) identify(ctx context.Context) error {
	said, err := r.output(ctx, "git", "log", "-1", "--format=%H %ct %an <%ae>")
	if err != nil {
		return err
	}
	fields := strings.SplitN(said, " ", 3)
	at, err := strconv.ParseInt(fields[min(1, len(fields)-1)], 10, 64)
	if err != nil || len(fields) < 3 {
		return fmt.Errorf("the last commit %q: want its hash, time and author", said)
	}
	r.commit, r.date, r.maintainer = fields[0], time.Unix(at, 0).UTC(), fields[2]
	if r.version == "" {
		r.version = fmt.Sprintf("0.0.0-%s.g%.8s", r.date.Format("20060102"), r.commit)
		if tag, err := r.output(ctx, "git", "describe", "--exact-match", "--tags", "--match", "v[0-9]*"); err == nil {
			r.version = strings.TrimPrefix(tag, "v")
		}
	}
	if !semver.MatchString(r.version) {
		return fmt.Errorf("the version %q: want 1.2.3 or 1.2.3-rc1", r.version)
	}
	return nil
}

// make writes all files of the release, and none where one fails: they appear in out when all are there.
func (r *release) make(ctx context.Context, only string) error {
	parent := filepath.Dir(r.out)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, ".release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	dist := filepath.Join(work, "dist")
	if err := os.Mkdir(dist, 0o755); err != nil {
		return err
	}
	shared := filepath.Join(work, "shared")
	if err := r.stage(ctx, shared); err != nil {
		return err
	}
	built := programs{}
	for _, p := range platforms {
		if only != "" && only != p.String() {
			continue
		}
		dir := filepath.Join(work, p.name())
		built[p] = filepath.Join(dir, "pxeagent")
		if err := r.platform(ctx, p, dir, shared, dist); err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
	}
	if len(built) == 0 {
		return fmt.Errorf("the platform %q: want one of %v", only, platforms)
	}
	if err := r.images(ctx, built, filepath.Join(dist, "pxeagent_"+r.version)); err != nil {
		return fmt.Errorf("images of containers: %w", err)
	}
	if err := writeSums(dist); err != nil {
		return err
	}
	if err := replaceable(r.out); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	return os.Rename(dist, r.out)
}

// replaceable reports, by an error, that dir holds something that no release put there.
func replaceable(dir string) error {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(names) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, sums)); err != nil {
		return fmt.Errorf("%s holds something other than a release, and is kept: empty it or name another folder with --out",
			dir)
	}
	return nil
}

// platform makes all files of one platform.
func (r *release) platform(ctx context.Context, p platform, dir, shared, dist string) error {
	fmt.Println("building", p)
	binary := filepath.Join(dir, "pxeagent")
	if err := r.build(ctx, p, binary); err != nil {
		return err
	}
	base := filepath.Join(dist, fmt.Sprintf("pxeagent_%s_%s", r.version, p.name()))
	if err := r.bom(ctx, binary, base+".cdx.json"); err != nil {
		return err
	}
	if err := r.archive(base+".tar.gz", binary, shared); err != nil {
		return err
	}
	if p.os == "freebsd" {
		return r.freebsdPackage(p, base+".pkg", binary, shared)
	}
	return r.packages(ctx, p, dir, dist)
}

// output is what a program prints, without the end of the line.
func (r *release) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = r.source
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
