package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bench is a run: the servers, all up at once, each at an address of its own.
type bench struct {
	options
	stderr  io.Writer
	dir     string
	net     *serverNet
	servers []*server
	leftOut []string // servers, with why
}

func newBench(ctx context.Context, o options, stderr io.Writer) (*bench, error) {
	// A descriptor for each client; those of the servers are as many.
	limit := unix.Rlimit{Cur: 16384, Max: 16384}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("raising the number of descriptors: %w", err)
	}
	b := &bench{options: o, stderr: stderr}
	var err error
	if b.dir, err = os.MkdirTemp("", "pxeagent-bench-"); err != nil {
		return nil, err
	}
	if err = b.files(); err == nil {
		err = b.startAll(ctx)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// startAll starts the servers that the options name and that are there.
func (b *bench) startAll(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var all []kind
	for _, build := range b.builds {
		all = append(all, agentKinds(build)...)
	}
	all = append(all, kinds...)
	if b.net, err = newServerNet(len(all)); err != nil {
		return err
	}
	for n, k := range all {
		if len(b.options.servers) > 0 && !slices.Contains(b.options.servers, k.name) {
			continue
		}
		switch {
		case k.program == "":
			k.program = self
		case !k.agent:
			if k.program, err = find(k); err != nil {
				b.leftOut = append(b.leftOut, err.Error())
				continue
			}
		}
		s, err := b.start(ctx, k, n)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
	}
	if len(b.servers) == 0 {
		return errors.New("no server to measure")
	}
	return nil
}

func (b *bench) close() {
	for _, s := range b.servers {
		s.stop()
	}
	os.RemoveAll(b.dir)
}

// files makes the trees that are served.
func (b *bench) files() error {
	fill := rand.NewChaCha8([32]byte{1})
	for name, size := range map[string]int64{
		"tftp/" + nbpFile: 93955, "tftp/" + mbFile: 1 << 20, "http/" + bigFile: 64 << 20, "http/" + roomFile: 16 << 20,
		"http/" + fleetFile: b.fleetMB * 1e6, "http" + kernelPath: 256 << 10,
	} {
		if err := b.write(name, io.LimitReader(fill, size)); err != nil {
			return err
		}
	}
	for _, tree := range []string{"tftp/", "http/"} {
		if err := b.write(tree+smallFile, strings.NewReader(smallText)); err != nil {
			return err
		}
		// It is older than what pxeagent does not keep in memory, since it was written to a moment ago.
		if err := os.Chtimes(filepath.Join(b.dir, "root", tree+smallFile), time.Time{}, smallTime); err != nil {
			return err
		}
	}
	// A menu of some length.
	for n := range 10 {
		script := fmt.Sprintf("#!ipxe\n# title: Installer %d\nkernel /installer-%d/linux quiet\nboot\n", n, n)
		if err := b.write(fmt.Sprintf("http/ipxe/menu.d/installer-%d.ipxe", n), strings.NewReader(script)); err != nil {
			return err
		}
	}
	return os.Chmod(b.dir, 0o755)
}

func (b *bench) write(name string, from io.Reader) error {
	path := filepath.Join(b.dir, "root", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// measure does all tests with all servers, by turns.
func (b *bench) measure(ctx context.Context) ([]result, error) {
	var results []result
	for _, t := range tests {
		if !b.tests.MatchString(t.name) {
			continue
		}
		t = t.scaled(b.scale)
		samples := map[string][]sample{}
		for round := range b.rounds {
			for n := range b.servers {
				s := b.servers[(n+round)%len(b.servers)] // none is always the first
				if !t.on(s.kind) {
					continue
				}
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				fmt.Fprintf(b.stderr, "%s: round %d, %s\n", t.name, round+1, s.name)
				took, err := b.once(s, t)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", t.name, s.name, err)
				}
				samples[s.name] = append(samples[s.name], took)
			}
		}
		for _, s := range b.servers {
			if all := samples[s.name]; len(all) > 0 {
				results = append(results, t.result(s.name, all, samples[t.of]))
			}
		}
	}
	return results, nil
}

// once does one test with one server.
func (b *bench) once(s *server, t test) (sample, error) {
	pid := s.cmd.Process.Pid
	whole, err := b.net.lay(t.path)
	if err != nil {
		return sample{}, err
	}
	if err := forgetPeak(pid); err != nil {
		return sample{}, err
	}
	before, err := cpu(pid)
	if err != nil {
		return sample{}, err
	}
	var took sample
	if t.play != nil {
		took, err = t.play(b, s, t)
	} else {
		took = t.load(s)
	}
	if err != nil {
		return took, err
	}
	after, err := cpu(pid)
	if err != nil {
		return took, err
	}
	if took.peak, err = peak(pid); err != nil {
		return took, err
	}
	if !s.unwaited {
		took.cpu = after - before
	}
	return took, whole()
}

// scaled is the test with so many times as many transfers. There are never more at once, and with a scale below 0.1
// fewer.
func (t test) scaled(scale float64) test {
	at := t.at
	t.at = max(min(at, 2), int(float64(at)*min(10*scale, 1)))
	if t.count = int(float64(t.count) * scale); t.count < t.at {
		t.count = t.at
	}
	return t
}
