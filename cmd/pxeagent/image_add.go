package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pxeagent/agent/image"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"

	"github.com/dustin/go-humanize"
)

func newImageAddCmd(a *app) *cobra.Command {
	var o image.Order
	var args string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "add RECIPE VERSION|latest | add ipxe|shim-debian",
		Short: "Fetch an image, check it, and put it where machines find it",
		Long: `Fetch an image by a recipe, check it against the checksums that its maker publishes, unpack it and
switch it over in one step: half an image is never served, and what goes wrong leaves what
was there. A download that was cut off is gone on with by the next run. The menu lists the
image at once; what the menu chooses by itself stays as it was.

With --from nothing else is asked for: files and folders, such as a USB stick, or URLs. Files that
are named one by one are taken whatever they are called; of a folder's files the names decide, and
where several fit none is guessed at. Lists of checksums that lie beside the files (SHA256SUMS,
FILE.sha256, md5sums.txt) are compared. A file that a list should name and does not is not
added: --sha256 says what it should be. Proxies are taken from HTTPS_PROXY,
HTTP_PROXY and NO_PROXY.

ipxe and shim-debian are no images: they put signed boot programs below serve.root/tftp, for
secure_boot: shim-ipxe and shim-grub.`,
		Example: `  pxeagent image add smartos latest
  pxeagent image add smartos 20130808T195337Z --from /mnt/usb
  pxeagent image add debian trixie --arch arm64 --args "console=ttyAMA0"
  pxeagent image add iso mfsbsd-14.1 --from https://mirror.lan/mfsbsd-14.1.iso --sha256 HEX
  pxeagent image add generic rescue --from ./vmlinuz --from ./initrd.img
  pxeagent image add shim-debian
  pxeagent image add ipxe --from x86_64-sb/snponly-shimx64.efi --from x86_64-sb/snponly.efi --sha256 HEX,HEX`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(bootPrograms, args[0]) {
				return nil
			}
			if len(args) != 2 {
				return cli.Usagef("`pxeagent image recipes` lists recipes with a version of each; latest is the newest",
					"image add takes a recipe and a version, and was given %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			o.Recipe, o.Version, o.Args = names[0], names[len(names)-1], strings.Fields(args)
			if err := checkOrder(&o); err != nil {
				return err
			}
			if len(names) == 1 {
				return a.addBootProgram(l, o, asJSON)
			}
			s, err := l.store(a.newProgress(asJSON).event)
			if err != nil {
				return err
			}
			if !asJSON {
				warnRecipes(a, s)
			}
			in, err := s.Add(cmd.Context(), o)
			there := errors.Is(err, image.ErrThere)
			if there && in.Key == "" {
				return cli.Failure{Code: cli.Refused, Err: err,
					Hints: []string{"look what lies there; --replace puts the image in its place"}}
			}
			if err != nil && !there {
				return imageFailure(l, err)
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"image": in, "added": !there})
			}
			return a.added(l, in, there)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.From, "from", nil, "file, folder or URL in place of the mirrors (repeatable)")
	f.StringVar(&o.SHA256, "sha256", "",
		"SHA-256 that the file must have, in hex, in place of the published ones; of several files, separated by commas")
	f.StringArrayVar(&o.Mirrors, "mirror", nil,
		"URL in place of the recipe's mirrors (repeatable: the next one is tried where one fails)")
	f.StringVar(&o.Arch, "arch", "", "amd64 or arm64; default: amd64")
	f.StringVar(&o.Title, "title", "", "title in the menu; default: the recipe's")
	f.StringVar(&args, "args", "", "more arguments for the kernel, separated by blanks")
	f.BoolVar(&o.Replace, "replace", false, "fetch it even where it is there, and put it in its place")
	f.BoolVar(&asJSON, "json", false, "as JSON, without progress")
	a.addFlags(cmd, imageKeys)
	return cmd
}

// checkOrder looks at the flags before anything is asked of a mirror, and makes paths absolute.
func checkOrder(o *image.Order) (err error) {
	const hint = "`pxeagent image add --help` shows how each kind is added"
	for _, m := range o.Mirrors {
		if _, err := config.ParseMirror(m); err != nil {
			return cli.Usagef("files and folders are named with --from", "--mirror: %w", err)
		}
	}
	for i, f := range o.From {
		if strings.Contains(f, "://") {
			if _, err := config.ParseMirror(f); err != nil {
				return cli.Usagef(hint, "--from: %w", err)
			}
		} else if o.From[i], err = filepath.Abs(f); err != nil {
			return fmt.Errorf("--from %s: %w", f, err)
		} else if _, err := os.Stat(f); errors.Is(err, fs.ErrNotExist) {
			return cli.Usagef(hint, "--from: %s does not exist", f)
		}
	}
	if o.SHA256 != "" {
		if o.SHA256, err = config.ParseSHA256(o.SHA256); err != nil {
			return cli.Usagef(hint, "--sha256: %w", err)
		}
	}
	return nil
}

// added is the last word on an image.
func (a *app) added(l loaded, in image.Installed, there bool) error {
	if there {
		fmt.Fprintf(a.stdout, "%s is there already; nothing was fetched (--replace fetches it again)\n", in.Key)
	} else {
		fmt.Fprintf(a.stdout, "added %s, %s, in the menu as %s\n", in.Key, humanize.IBytes(uint64(in.Bytes)),
			strings.Join(in.Items, ", "))
	}
	if in.Installs {
		fmt.Fprintln(a.stdout, "note: it installs: a machine that it is chosen on may lose what is on its disk")
	}
	_, err := fmt.Fprintf(a.stdout, "the menu's default is still %s\n", l.Config.Menu.Default)
	return err
}
