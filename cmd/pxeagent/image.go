package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/image"
	"pxeagent/cmd/pxeagent/cli"

	"github.com/dustin/go-humanize"
)

func newImageCmd(a *app) *cobra.Command {
	return cli.Group("image", "Fetch, check and keep the images that machines boot",
		newImageAddCmd(a), newImageListCmd(a), newImageVerifyCmd(a), newImageRemoveCmd(a), newImageDefaultCmd(a),
		newImageSyncCmd(a), newImageRecipesCmd(a))
}

// imageKeys are the keys that the commands take as flags.
var imageKeys = []string{"serve.root", "state_dir"}

// imageConfig is where images are, for the commands.
func (l loaded) imageConfig(report func(image.Event)) image.Config {
	c := l.Config
	return image.Config{
		Dir: filepath.Join(c.Serve.Root, "http"), RecipeDir: filepath.Join(c.Serve.Root, "recipes"),
		PrivateDir: filepath.Join(c.StateDir, "images"), Mirrors: c.Mirrors, Report: report, Guard: l.guard,
	}
}

// store is where the configuration has images. report may be nil.
func (l loaded) store(report func(image.Event)) (*image.Store, error) {
	return image.NewStore(l.imageConfig(report))
}

// onDisk are the images of a Store. That there are none is said of a folder that is there only.
func (l loaded) onDisk(s *image.Store) ([]image.Installed, error) {
	all, err := s.List()
	if err == nil && len(all) == 0 {
		err = l.checkRoot()
	}
	return all, err
}

// checkRoot fails where there is no folder to serve from, or this user may not look into it.
func (l loaded) checkRoot() error {
	_, err := os.ReadDir(l.Config.Serve.Root)
	return rootFailure(l.Config.Serve.Root, err)
}

// imageFailure says more about an error of a Store where the folder that it works in is missing.
func imageFailure(l loaded, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) && path.Path == l.imageConfig(nil).Dir {
		return rootFailure(l.Config.Serve.Root, err)
	}
	return err
}

// warnRecipes tells of the user's recipes that cannot be used, which is no reason not to use others.
func warnRecipes(a *app, s *image.Store) {
	if _, err := s.Recipes(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(a.stderr, "pxeagent: %s\n", line)
		}
	}
}

func newImageListCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the images on disk",
		Long: `List what machines can boot from below http/ in serve.root: images that recipes added, and
trees that were put there by hand and are known by the names of their files:

  ` + strings.Join(image.ByHand(), "\n  "),
		Example: "  pxeagent image list\n  pxeagent image list --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			s, err := l.store(nil)
			if err != nil {
				return err
			}
			all, err := l.onDisk(s)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(a.stdout,
					map[string]any{"images": append([]image.Installed{}, all...), "default": l.Config.Menu.Default})
			}
			return printImages(a.stdout, all, l.Config.Menu.Default)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}

func printImages(w io.Writer, all []image.Installed, byDefault string) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no images; `pxeagent image recipes` lists what can be added, "+
			"`pxeagent image list --help` which trees of your own are recognised")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "KEY\tRECIPE\tSIZE\tADDED\tVERIFIED\tITEMS OF THE MENU")
	for _, in := range all {
		var items []string
		for _, k := range in.Items {
			if k == byDefault {
				k += " (default)"
			}
			items = append(items, k)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", in.Key, cmp.Or(in.Recipe, "(by hand)"), humanize.IBytes(uint64(in.Bytes)),
			dayText(in.Added), verifiedText(in), cmp.Or(strings.Join(items, ", "), "none"))
	}
	return tw.Flush()
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func verifiedText(in image.Installed) string {
	switch {
	case in.Verified.IsZero():
		return "never"
	case in.Fault != "":
		return "WRONG: " + cli.Plain(in.Fault)
	case in.Recipe != "" && !in.Checked:
		return dayText(in.Verified) + " (no checksum published)"
	}
	return dayText(in.Verified)
}

func newImageRecipesCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "recipes",
		Short: "List the recipes by which images are added",
		Long: `List the built-in recipes and those in recipes/ in serve.root, one YAML file each; one of the same
name replaces the built-in one. Exits 3 if one of them is wrong, and says what.`,
		Example: "  pxeagent image recipes\n  pxeagent image recipes --json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, _, err := a.load(cmd)
			if err != nil {
				return err
			}
			s, err := l.store(nil)
			if err != nil {
				return err
			}
			all, wrong := s.Recipes()
			if asJSON {
				type row struct {
					Name    string   `json:"name"`
					About   string   `json:"about"`
					Example string   `json:"example"`
					Mirrors []string `json:"mirrors"`
					Latest  bool     `json:"latest"`
					From    string   `json:"from"`
				}
				rows := []row{}
				for _, r := range all {
					rows = append(rows, row{r.Name, r.About, r.Example, append([]string{}, r.Mirrors...), r.Latest != nil, r.File()})
				}
				if err := cli.WriteJSON(a.stdout, map[string]any{"recipes": rows}); err != nil {
					return err
				}
				return wrong
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "RECIPE\tA VERSION\tLATEST\tWHAT")
			for _, r := range all {
				latest := "no"
				if r.Latest != nil {
					latest = "yes"
				}
				about := r.About
				if !r.BuiltIn() {
					about = strings.TrimSpace(about + " (" + r.File() + ")")
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.Name, r.Example, latest, about)
			}
			if err := tw.Flush(); err != nil {
				return err
			}
			return wrong
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	a.addFlags(cmd, imageKeys)
	return cmd
}
