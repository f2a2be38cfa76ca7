package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"pxeagent/agent/image"
	"pxeagent/agent/secureboot"
	"pxeagent/cmd/pxeagent/cli"
)

// bootPrograms are what `image add` puts below serve.root/tftp, and no image: signed programs that machines load first.
var bootPrograms = []string{"ipxe", "shim-debian"}

// Where Debian's packages shim-signed and grub-efi-amd64-signed have their files.
var debianShim = []string{"/usr/lib/shim", "/usr/lib/grub/x86_64-efi-signed"}

// bootProgram is a file and the name that it is given.
type bootProgram struct{ from, name string }

// addBootProgram copies what o names to the top of TFTP's tree. Nothing is written unless all of it can be.
func (a *app) addBootProgram(l loaded, o image.Order, asJSON bool) error {
	var files []bootProgram
	var err error
	if o.Recipe == "ipxe" {
		files, err = ipxePrograms(o)
	} else {
		files, err = shimPrograms(o)
	}
	if err != nil {
		return err
	}
	sums := strings.Split(o.SHA256, ",")
	if o.SHA256 != "" && len(sums) != len(files) {
		return cli.Usagef("separate them by commas, in the order of the files", "--sha256 has %s for %s",
			cli.Count(len(sums), "checksum"), cli.Count(len(files), "file"))
	}
	programs := make([][]byte, len(files))
	for i, f := range files {
		if programs[i], err = os.ReadFile(f.from); err != nil {
			return err
		}
		sum := sha256.Sum256(programs[i])
		if got := hex.EncodeToString(sum[:]); o.SHA256 != "" && got != sums[i] {
			return fmt.Errorf("%w: %s has SHA-256 %s, want %s", image.ErrChecksum, f.from, got, sums[i])
		}
		p, err := secureboot.Inspect(programs[i])
		if err != nil {
			return fmt.Errorf("%s: %w", f.from, err)
		}
		if len(p.Signatures) == 0 {
			return cli.Failure{Code: cli.SecureBoot, Err: fmt.Errorf("%s has no signature; nothing was added", f.from),
				Hints: []string{"want a program that was signed for Secure Boot; `pxeagent secureboot sign` signs with a key " +
					"of yours"}}
		}
	}
	tree := filepath.Join(l.Config.Serve.Root, "tftp")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return err
	}
	// The second stage before the shim: a shim that is found finds it.
	for i, f := range slices.Backward(files) {
		if err := renameio.WriteFile(filepath.Join(tree, f.name), programs[i], 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Join(tree, f.name))
	}
	if asJSON {
		return cli.WriteJSON(a.stdout, map[string]any{"files": names})
	}
	_, err = fmt.Fprintf(a.stdout, "added %s\n", strings.Join(names, ", "))
	return err
}

// ipxePrograms are files of an iPXE release, under their own names: the shim looks for the second stage by its own.
func ipxePrograms(o image.Order) ([]bootProgram, error) {
	if len(o.From) == 0 {
		return nil, cli.Usagef(
			"iPXE's release has them in x86_64-sb/: --from "+secureboot.IPXEShim+" --from "+secureboot.IPXE,
			"image add ipxe takes files: --from is not set")
	}
	var files []bootProgram
	for _, from := range o.From {
		if strings.Contains(from, "://") {
			return nil, cli.Usagef("fetch it first, and name the file", "--from %s: image add ipxe takes files", from)
		}
		files = append(files, bootProgram{from, filepath.Base(from)})
	}
	return files, nil
}

// shimPrograms are Debian's shim and GRUB, from its packages or a folder with the packages' files.
func shimPrograms(o image.Order) ([]bootProgram, error) {
	folders := o.From
	hint := "install Debian's shim-signed and grub-efi-amd64-signed, or name a folder with their files: --from DIR"
	if len(folders) == 0 {
		folders = debianShim
	}
	files := []bootProgram{{"shimx64.efi.signed", secureboot.GRUBShim}, {"grubnetx64.efi.signed", secureboot.GRUB}}
	for i, f := range files {
		at := slices.IndexFunc(folders, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, f.from))
			return !errors.Is(err, fs.ErrNotExist)
		})
		if at < 0 {
			return nil, cli.Usagef(hint, "%s not found in %s", f.from, strings.Join(folders, ", "))
		}
		files[i].from = filepath.Join(folders[at], f.from)
	}
	return files, nil
}
