package main

import (
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"pxeagent/agent/ipxe"
	"pxeagent/agent/menu"
	"pxeagent/agent/secureboot"
	"pxeagent/cmd/pxeagent/cli"
)

func newSecureBootCmd(a *app) *cobra.Command {
	return cli.Group("secureboot", "Keys for Secure Boot, and boot files signed with them",
		newSecureBootKeysCmd(a), newSecureBootSignCmd(a))
}

// secureBootDir is where the keys and what was signed with them are kept.
func (l loaded) secureBootDir() string { return filepath.Join(l.Config.StateDir, "secureboot") }

// signed is the folder from which the signed forms of what is built in are served; "": they are not.
func (l loaded) signed() string {
	if l.Config.Boot.SecureBoot != secureboot.Own {
		return ""
	}
	return l.secureBootDir()
}

func newSecureBootKeysCmd(a *app) *cobra.Command {
	var platform, asJSON bool
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Make a key and certificate to sign boot files with",
		Long: `Make a key and its certificate in the folder secureboot of state_dir: db.key, which signs and
stays there, and db.crt (PEM), db.der and db.esl, of which a machine's setup takes one into its
signature database (db), besides what it has. With --own-platform make PK and KEK as well, for
machines whose platform is to be the site's own. Every file has mode 0600. What is there is
never replaced. Keys of your own may be put there under these names.`,
		Example: "  pxeagent secureboot keys\n  pxeagent secureboot keys --own-platform",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			names := []string{secureboot.DB}
			if platform {
				names = append(names, secureboot.KEK, secureboot.PK)
			}
			site, err := os.Hostname()
			if err != nil {
				site = "pxeagent"
			}
			made, err := secureboot.MakeKeys(l.secureBootDir(), site, time.Now(), names...)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"files": made})
			}
			for _, f := range made {
				fmt.Fprintln(a.stdout, f)
			}
			_, err = fmt.Fprintf(a.stdout, "take db.der or db.esl into db of each machine, and keep db.key to yourself; next: "+
				"secure_boot: own, `pxeagent secureboot sign`\n")
			return err
		},
	}
	cmd.Flags().BoolVar(&platform, "own-platform", false, "make PK and KEK as well")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, []string{"state_dir"})
	return cmd
}

// signedFile is a line of secureboot sign.
type signedFile struct {
	File  string `json:"file"`
	State string `json:"state"` // "signed", "was signed"
}

func newSecureBootSignCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sign [FILE...]",
		Short: "Sign EFI programs with the key of secureboot keys",
		Long: `Sign each FILE in its place, besides the signatures that it has. Without one, sign the built-in
iPXE for UEFI with the script that leads to this agent, and keep that in state_dir, where
serve finds it; pxeagent configure does so too. serve itself never reads the key.`,
		Example: "  pxeagent secureboot sign --interface eth1\n  pxeagent secureboot sign vmlinuz grubx64.efi",
		RunE: func(cmd *cobra.Command, files []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			keys, err := secureboot.ReadKeys(l.secureBootDir(), secureboot.DB, time.Now())
			if err != nil {
				return err
			}
			var done []signedFile
			if len(files) == 0 {
				done, err = l.signBuiltIn(keys)
			} else {
				done, err = signFiles(keys, files)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout, map[string]any{"files": done})
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for _, f := range done {
				fmt.Fprintf(tw, "%s\t%s\n", f.State, cli.Plain(f.File))
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, networkKeys, []string{"serve.http"})
	return cmd
}

// signFiles signs all or, where one cannot be, none.
func signFiles(keys secureboot.Keys, files []string) ([]signedFile, error) {
	signed := make([][]byte, len(files))
	done := make([]signedFile, len(files))
	for i, file := range files {
		program, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if signed[i], err = keys.Sign(program); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		done[i] = signedFile{file, "signed"}
		if len(signed[i]) == len(program) {
			done[i].State = "was signed"
		}
	}
	for i, file := range files {
		if done[i].State == "was signed" {
			continue
		}
		if err := renameio.WriteFile(file, signed[i], 0o644, renameio.WithExistingPermissions()); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return done, nil
}

// signBuiltIn signs what is built in, for each of the daemon's places.
func (l loaded) signBuiltIn(keys secureboot.Keys) ([]signedFile, error) {
	places, err := l.serving()
	if err != nil {
		return nil, err
	}
	var done []signedFile
	for _, p := range places {
		b, err := menu.New(menu.Config{Base: p.Base})
		if err != nil {
			return nil, err
		}
		to, err := ipxe.NewDestination(b.ScriptURL(), p.NextServer)
		if err != nil {
			return nil, err
		}
		more, err := l.signFor(keys, to)
		if err != nil {
			return nil, err
		}
		done = append(done, more...)
	}
	return done, nil
}

// signFor signs what is built in, as it leads to one destination.
func (l loaded) signFor(keys secureboot.Keys, to ipxe.Destination) ([]signedFile, error) {
	nbps, err := ipxe.Binaries(l.Config.Chain, to)
	if err != nil {
		return nil, err
	}
	var done []signedFile
	for _, name := range []string{ipxe.EFI64, ipxe.EFIARM64} {
		path := secureboot.SignedPath(l.secureBootDir(), nbps[name])
		state := "was signed"
		if before, err := os.ReadFile(path); err != nil || !signedBy(before, keys) {
			signed, err := keys.Sign(nbps[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return nil, err
			}
			if err := renameio.WriteFile(path, signed, 0o644); err != nil {
				return nil, fmt.Errorf("keeping %s as it was signed: %w", name, err)
			}
			state = "signed"
		}
		done = append(done, signedFile{fmt.Sprintf("%s for %s", name, to.Script), state})
	}
	return done, nil
}

func signedBy(program []byte, keys secureboot.Keys) bool {
	p, err := secureboot.Inspect(program)
	return err == nil && p.SignedBy(keys.Cert)
}
