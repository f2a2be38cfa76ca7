// Command bench does the same work with pxeagent and with the servers that others use for it, one after another in
// turns, and prints what it took and what it cost.
//
// It needs root on Linux: servers and clients run in two network namespaces of their own, with a cable between, which
// end with it. Servers that are not installed are left out; -fetch unpacks them from their Debian packages.
//
//	go run ./deploy/lab/bench
//	go run ./deploy/lab/bench -tests 'tftp' -pxeagent before=/tmp/before -pxeagent after=/tmp/after
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// inside marks the process that runs in a namespace of its own.
const inside = "BENCH_INSIDE"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	var child *exec.ExitError // which has said why
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	} else if !errors.As(err, &child) {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(1)
}

// options are what a run does.
type options struct {
	rounds  int
	tests   *regexp.Regexp
	servers []string // names; none: all that there are
	builds  []build
	scale   float64
	fleetMB int64
	fetch   bool
	json    bool
	bare    string // address at which this process is a bare handler; "": it is not
	folder  string // that the bare handler serves; "": it sends the small file from memory
}

// build is a pxeagent that is measured, under a name of its own.
type build struct{ name, path string }

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 3, "how often all of it is done; medians are shown")
	tests := f.String("tests", ".", "which tests: a regular expression on their names")
	servers := f.String("servers", "", "which servers, by name; default: all that are installed")
	f.Func("pxeagent", "NAME=PATH of a build of pxeagent; more than once compares them (default: built from this source)",
		func(s string) error {
			name, path, ok := strings.Cut(s, "=")
			if !ok || name == "" || path == "" {
				return errors.New("want NAME=PATH")
			}
			o.builds = append(o.builds, build{name, path})
			return nil
		})
	f.Float64Var(&o.scale, "scale", 1, "how many transfers, as a multiple of what is usual")
	f.Int64Var(&o.fleetMB, "fleet-mb", 30, "size of the fleet's image")
	f.BoolVar(&o.fetch, "fetch", false, "download and unpack the Debian packages of servers that are not installed")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.bare, "bare", "", "be the bare net/http handler at this address (used by bench itself)")
	f.StringVar(&o.folder, "folder", "", "with -bare: serve this folder by http.FileServer")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.scale <= 0 || o.fleetMB < 1 {
		return o, errors.New("want flags only; rounds, scale and fleet-mb above 0")
	}
	if *servers != "" {
		o.servers = strings.Split(*servers, ",")
	}
	var err error
	o.tests, err = regexp.Compile(*tests)
	return o, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	switch {
	case err != nil:
		return err
	case o.bare != "":
		return serveBare(ctx, o.bare, o.folder)
	case os.Getenv(inside) == "":
		return enter(ctx, o, args, stdout, stderr)
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	results, err := b.measure(ctx)
	if err != nil {
		return err
	}
	r := report{
		Machine: machine(), Rounds: o.rounds, Scale: o.scale, Servers: b.versions(), LeftOut: b.leftOut, Results: results,
	}
	if o.json {
		return r.json(stdout)
	}
	return r.table(stdout)
}
