package image

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// choose says which of the files that --from names are which of a recipe's, by their place in all. A file that is
// named itself is taken whatever it is called; of a folder's files the name decides, and where several fit nobody is
// guessed at.
func choose(all []wanted, have []offered) ([][]offered, error) {
	c := choice{all: all, files: make([][]offered, len(all))}
	var named, found []offered
	for _, f := range have {
		switch {
		case f.root != "":
			found = append(found, f)
		case !isList(f.name) || isNamedIn(all, f.name):
			named = append(named, f)
		}
	}
	for _, w := range all {
		c.instead = c.instead || w.Instead && slices.ContainsFunc(have, w.fits)
	}
	if err := c.takeNamed(named); err != nil {
		return nil, err
	}
	return c.files, c.takeFound(found)
}

// isNamedIn: one of the recipe's files is called so.
func isNamedIn(all []wanted, name string) bool {
	return slices.ContainsFunc(all, func(w wanted) bool { return slices.Contains(w.names, name) })
}

// without leaves out the files of which drop is true, in a list of its own.
func without(files []offered, drop func(offered) bool) []offered {
	return slices.DeleteFunc(slices.Clone(files), drop)
}

// choice is what was chosen so far.
type choice struct {
	all     []wanted
	files   [][]offered
	instead bool // the recipe's ordinary files are not needed
}

// takes: there is room for one file more.
func (c *choice) takes(i int) bool { return c.all[i].Many || len(c.files[i]) == 0 }

// needed: without it the image is not complete.
func (c *choice) needed(i int) bool {
	w := c.all[i]
	return !w.Optional && !w.Instead && !c.instead && len(c.files[i]) == 0
}

// takeNamed gives each file that was named itself its place: first where its name leaves no choice, then where it
// fits, and what is called as no other is takes the places that are left, in the order of the recipe.
func (c *choice) takeNamed(named []offered) error {
	var others []offered
	for _, sure := range []bool{true, false} {
		for _, f := range named {
			fits := c.fitting(f)
			if len(fits) == 0 || sure != (len(fits) == 1) {
				continue
			}
			i := slices.IndexFunc(fits, c.takes)
			if i < 0 {
				return c.ambiguous(fits[0], append(c.files[fits[0]], f))
			}
			c.files[fits[i]] = append(c.files[fits[i]], f)
		}
	}
	for _, f := range named {
		if len(c.fitting(f)) == 0 {
			others = append(others, f)
		}
	}
	for _, f := range others {
		i := -1
		for _, wants := range []func(int) bool{
			func(i int) bool { return c.needed(i) && !c.all[i].Fill },
			func(i int) bool { return c.all[i].Many && !c.all[i].Instead },
			c.needed,
		} {
			for n := range c.all {
				if i < 0 && wants(n) {
					i = n
				}
			}
		}
		if i < 0 {
			return fmt.Errorf("%w: the recipe has no place for %s", ErrOrder, f.shown())
		}
		c.files[i] = append(c.files[i], f)
	}
	return nil
}

// fitting are the recipe's files that one may be by its name.
func (c *choice) fitting(f offered) []int {
	var out []int
	for i, w := range c.all {
		if w.fits(f) {
			out = append(out, i)
		}
	}
	return out
}

// takeFound looks for what is missing among the files of folders.
func (c *choice) takeFound(found []offered) error {
	lacking := 0
	for i := range c.all {
		if c.needed(i) {
			lacking++
		}
	}
	used := map[string]bool{}
	for i, w := range c.all {
		if !c.takes(i) {
			continue
		}
		fits := without(w.among(found), func(f offered) bool { return used[f.path] })
		if len(fits) > 1 && !w.Many {
			// "linux-initrd.img" may be either; where another is the kernel, it is not.
			if alone := without(fits, func(f offered) bool { return len(c.fitting(f)) > 1 }); len(alone) > 0 {
				fits = alone
			}
		}
		if len(fits) == 0 && lacking == 1 && len(found) == 1 && c.needed(i) {
			fits = found // one file for one: it may be called as it likes
		}
		names := map[string]bool{}
		for _, f := range fits {
			if names[f.name] || len(fits) > 1 && !w.Many {
				return c.ambiguous(i, fits)
			}
			names[f.name], used[f.path] = true, true
		}
		c.files[i] = append(c.files[i], fits...)
	}
	return nil
}

// ambiguous is the error where several files could be one of the recipe's.
func (c *choice) ambiguous(i int, files []offered) error {
	var names []string
	for _, f := range files[:min(len(files), 20)] {
		names = append(names, f.shown())
	}
	if len(files) > len(names) {
		names = append(names, fmt.Sprintf("and %d more", len(files)-len(names)))
	}
	what := "the same of the recipe's files"
	if len(c.all[i].names) > 0 {
		what = c.all[i].names[0]
	} else if to := path.Base(c.all[i].To); to != "." {
		what = to
	}
	return fmt.Errorf("%w: several files may be %s: %s; name one of them with --from FILE",
		ErrAmbiguous, what, strings.Join(names, ", "))
}

// shown is the file for people.
func (f offered) shown() string {
	if f.url != "" {
		return shownURL(f.url)
	}
	return f.path
}

// fits: by its name a file may be w.
func (w wanted) fits(f offered) bool {
	return slices.Contains(w.names, f.name) || w.match != nil && !isList(f.name) && w.match.MatchString(f.name)
}

// among are the files of folders that may be w: those that are called as the recipe says before others, then those
// whose path is as it prefers.
func (w wanted) among(found []offered) []offered {
	fits := without(found, func(f offered) bool { return !w.fits(f) })
	better := []func(offered) bool{
		func(f offered) bool { return slices.Contains(w.names, f.name) },
		func(f offered) bool { return w.prefer != nil && w.prefer.MatchString(f.rel) },
	}
	for _, is := range better {
		if best := without(fits, func(f offered) bool { return !is(f) }); len(best) > 0 && !w.Many {
			fits = best
		}
	}
	return fits
}
