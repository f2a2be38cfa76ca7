package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/ipxe"
	"pxeagent/agent/script"
	"pxeagent/cmd/pxeagent/cli"
)

func newIPXEBuildCmd(a *app) *cobra.Command {
	var source, script string
	var targets []string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build iPXE from a source tree of yours with the script in it, and install it",
		Long: `Run the make of a source tree of iPXE with EMBED, and put the result into the TFTP tree, where
it wins over what is built in. What it was made from is recorded beside it. Needs make,
gcc, ld, perl, and the headers of liblzma for BIOS. Nothing is downloaded.

A target is bios (undionly.kpxe), efi64 (ipxe.efi), arm64 (snp-arm64.efi), or one of iPXE's own
make, such as bin-x86_64-efi/snponly.efi.`,
		Example: "  pxeagent ipxe build --source ~/ipxe --interface eth1\n  pxeagent ipxe build --source ~/ipxe --script " +
			"menu.ipxe --target bios --target efi64",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			if source == "" {
				return cli.Usagef("name the folder of a clone or an unpacked archive of iPXE: --source DIR", "--source is not set")
			}
			text, named, err := l.embed(script)
			if err != nil {
				return err
			}
			for _, target := range targets {
				b := ipxe.Build{Source: source, Target: target, Script: text, Named: named,
					Dir: filepath.Join(l.Config.Serve.Root, "tftp")}
				if err := a.build(cmd.Context(), b); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "folder of iPXE's source")
	cmd.Flags().StringVar(&script, "script", "", "script to embed; default: what `pxeagent ipxe script` prints")
	cmd.Flags().StringArrayVar(&targets, "target", []string{"bios"}, "what to build (repeatable)")
	a.addFlags(cmd, networkKeys, []string{"serve.root", "serve.http"})
	return cmd
}

// embed is the script to be compiled in, and what the record calls it.
func (l loaded) embed(file string) ([]byte, string, error) {
	if file == "" {
		to, err := l.destination()
		if err != nil {
			return nil, "", err
		}
		return to.EmbedScript(), "pxeagent's script to " + to.Script, nil
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, "", err
	}
	text, err := os.ReadFile(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", cli.Usagef("--script takes an iPXE script; without it pxeagent's own is embedded", "--script: %w",
			err)
	}
	return text, abs, err
}

// build builds one target and shows how far it is, a line in a second.
func (a *app) build(ctx context.Context, b ipxe.Build) error {
	if _, err := fmt.Fprintf(a.stdout, "%s: make in %s\n", b.Target, b.Source); err != nil {
		return err
	}
	n, shown := 0, time.Now()
	b.Progress = func(line string) {
		if n++; time.Since(shown) >= time.Second {
			fmt.Fprintf(a.stdout, "%5d  %s\n", n, cli.Plain(line))
			shown = time.Now()
		}
	}
	built, err := b.Run(ctx)
	if err != nil {
		return buildFailure(err)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: installed %s, %d bytes, with %s\n", b.Target, built.File, built.Size, built.Script)
	return err
}

func buildFailure(err error) error {
	var failed *ipxe.MakeError
	switch {
	case errors.Is(err, ipxe.ErrNoTools):
		return cli.Failure{Code: cli.NoProgram, Err: err,
			Hints: []string{"on Debian: apt install make gcc binutils perl liblzma-dev; for ARM64 on x64 also " +
				"gcc-aarch64-linux-gnu"}}
	case errors.Is(err, ipxe.ErrNoSource):
		return cli.Failure{Code: cli.Usage, Err: err,
			Hints: []string{"--source takes the folder of a clone or an unpacked archive of iPXE"}}
	case errors.Is(err, ipxe.ErrTarget), errors.Is(err, script.ErrNotScript):
		return cli.Failure{Code: cli.Usage, Err: err}
	case errors.As(err, &failed):
		f := cli.Failure{Code: cli.Unexpected, Err: err, Hints: []string{"what was installed before is still there"}}
		if failed.NoLZMA {
			f.Hints = append(f.Hints, "gcc does not find lzma.h, which BIOS targets need; on Debian: apt install liblzma-dev")
		}
		return f
	}
	return err
}
