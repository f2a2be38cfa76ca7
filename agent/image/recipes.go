package image

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed recipes/*.yaml
var builtin embed.FS

// maxRecipe is more bytes than any recipe needs.
const maxRecipe = 1 << 16

// Recipes are all recipes by name: the built-in ones, and those of the folder dir, which replace built-in ones of the
// same name. The folder may be missing, or "". The error names each file and key that is wrong; the others are returned
// all the same.
func Recipes(dir string) ([]Recipe, error) {
	built, err := readRecipes(builtin, "recipes", "built in: ")
	if err != nil {
		return nil, err
	}
	var own []Recipe
	if dir != "" {
		own, err = readRecipes(os.DirFS(dir), ".", dir+"/")
	}
	all := map[string]Recipe{}
	for _, r := range append(built, own...) {
		all[r.Name] = r
	}
	var out []Recipe
	for _, r := range all {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Recipe) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// BuiltIn: the recipe is one of this program's own.
func (r Recipe) BuiltIn() bool { return strings.HasPrefix(r.from, "built in: ") }

// File is where the recipe was read from.
func (r Recipe) File() string { return r.from }

func readRecipes(fsys fs.FS, dir, shown string) ([]Recipe, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the recipes in %s: %w", shown, err)
	}
	var out []Recipe
	var errs []error
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
			continue
		}
		f, err := fsys.Open(path.Join(dir, name))
		if err != nil {
			errs = append(errs, fmt.Errorf("reading a recipe: %w", err))
			continue
		}
		text, err := io.ReadAll(io.LimitReader(f, maxRecipe+1))
		f.Close()
		if err == nil && len(text) > maxRecipe {
			err = fmt.Errorf("it is larger than %d bytes, which no recipe is", maxRecipe)
		}
		var r Recipe
		if err == nil {
			r, err = ParseRecipe(text)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %s%s: %w", ErrRecipe, shown, name, err))
			continue
		}
		r.from = shown + name
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

var unknownKeyRE = regexp.MustCompile(`field (\S+) not found in type \S+`)

// ParseRecipe reads one recipe. Its error names all keys that are wrong.
func ParseRecipe(text []byte) (Recipe, error) {
	var r Recipe
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&r); err != nil {
		msg := unknownKeyRE.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "unknown key $1")
		return r, errors.New(strings.Join(strings.Fields(strings.Replace(msg, "unmarshal errors:", "", 1)), " "))
	}
	return r, r.check()
}

// findRecipe is the recipe of that name.
func findRecipe(all []Recipe, name string) (Recipe, bool) {
	i := slices.IndexFunc(all, func(r Recipe) bool { return r.Name == name || slices.Contains(r.Aliases, name) })
	if i < 0 {
		return Recipe{}, false
	}
	return all[i], true
}
