package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"pxeagent/agent/guard"
)

// Want is a line of what is to be on disk.
type Want struct {
	Order
	// Keep is how many of the recipe's images for that processor stay, the newest; 0: all.
	Keep int
}

// Action is what Sync does, or would do, about one image.
type Action struct {
	Do  Do     `json:"do"`
	Key string `json:"key"`
	Why string `json:"why,omitempty"`
}

// Do is a kind of action.
type Do string

const (
	DoAdd    Do = "add"
	DoUpdate Do = "update" // title or arguments, or all of it where Verify found it damaged
	DoNone   Do = "none"   // it is as it should be
	DoRemove Do = "remove"
	DoSpare  Do = "spare" // it would be removed if it were not needed
	DoFail   Do = "fail"
)

// Sync brings the disk to what is wanted: it adds what is missing, and removes images of the same recipes beyond Keep.
// What was put there by hand, what is of other recipes, what is wanted, and what protected gives a reason for stays.
// One that fails does not keep the others from being added, and nothing of its recipe is removed then. did is called
// for each action before it is taken; the error joins all that failed.
func (s *Store) Sync(
	ctx context.Context,
	wants []Want,
	protected func(key string) string,
	dryRun bool,
	did func(Action),
) error {
	wants = slices.Clone(wants)
	var errs []error
	wanted, failed := map[string]bool{}, map[string]bool{}
	for i, w := range wants {
		o, key := w.Order, ""
		err := s.Guard.Do(guard.Images, func() (err error) {
			if o, key, err = s.Resolve(ctx, w.Order); err != nil {
				return err
			}
			wanted[key] = true
			return s.syncOne(ctx, o, key, dryRun, did)
		})
		wants[i].Order = o
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed[o.Recipe] = true
			did(Action{DoFail, named(key, w.Order), err.Error()})
			errs = append(errs, err)
		}
	}
	if err := s.prune(wants, wanted, failed, protected, dryRun, did); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// named is the key of an order, or what comes near it where it could not be found out.
func named(key string, o Order) string {
	if key != "" {
		return key
	}
	return o.Recipe + "-" + o.Version
}

func (s *Store) syncOne(ctx context.Context, o Order, key string, dryRun bool, did func(Action)) error {
	in, err := s.Find(key)
	if errors.Is(err, ErrNoImage) {
		did(Action{Do: DoAdd, Key: key})
		if dryRun {
			return nil
		}
		_, err := s.Add(ctx, o)
		return err
	}
	if err != nil {
		return err
	}
	if in.Recipe == "" {
		did(Action{DoNone, key, "it was put there by hand"})
		return nil
	}
	if in.Fault != "" {
		did(Action{DoUpdate, key, in.Fault})
		if dryRun {
			return nil
		}
		o.Replace = true
		_, err := s.Add(ctx, o)
		return err
	}
	return s.restyle(o, in, dryRun, did)
}

// restyle gives an image the title and the arguments that are wanted now.
func (s *Store) restyle(o Order, in Installed, dryRun bool, did func(Action)) error {
	dir := filepath.Join(s.Dir, filepath.FromSlash(in.Dir))
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("reading %s: %w", in.Key, err)
	}
	defer root.Close()
	m, err := readManifest(root, ".")
	if err != nil {
		return err
	}
	if m.Title == o.Title && slices.Equal(m.Args, o.Args) {
		did(Action{Do: DoNone, Key: in.Key})
		return nil
	}
	did(Action{DoUpdate, in.Key, "title or arguments"})
	if dryRun {
		return nil
	}
	r, err := s.recipe(o.Recipe)
	if err != nil {
		return err
	}
	words, err := r.words(o.Version, o.Arch)
	if err != nil {
		return err
	}
	unlock, err := s.begin(in.Key)
	if err != nil {
		return err
	}
	defer unlock()
	m.Title, m.Args = o.Title, o.Args
	if m.Boot, err = entries(r, words, o, m.Key, m.Files); err != nil {
		return err
	}
	return m.write(dir)
}

// prune removes what is beyond Keep.
func (s *Store) prune(
	wants []Want,
	wanted, failed map[string]bool,
	protected func(string) string,
	dryRun bool,
	did func(Action),
) error {
	type group struct{ recipe, arch string }
	keep := map[group]int{}
	var groups []group
	for _, w := range wants {
		g := group{w.Recipe, w.Arch}
		if w.Keep > 0 && !failed[w.Recipe] {
			if keep[g] == 0 {
				groups = append(groups, g)
			}
			keep[g] = max(keep[g], w.Keep)
		}
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, g := range groups {
		var of []Installed
		for _, in := range all {
			if in.Recipe == g.recipe && in.Arch == g.arch {
				of = append(of, in)
			}
		}
		if dryRun {
			of = append(of, wouldBe(wants, all, g.recipe, g.arch)...)
		}
		slices.SortStableFunc(of, newestFirst)
		for i, in := range of {
			if i < keep[g] || wanted[in.Key] {
				continue
			}
			if why := reason(in, protected); why != "" {
				did(Action{DoSpare, in.Key, why})
				continue
			}
			did(Action{DoRemove, in.Key, fmt.Sprintf("%d are kept", keep[g])})
			if dryRun {
				continue
			}
			if _, err := s.Remove(in.Key); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// wouldBe are the images of a group that a dry run did not add.
func wouldBe(wants []Want, all []Installed, recipe, arch string) []Installed {
	var out []Installed
	for _, w := range wants {
		key := Recipe{Name: w.Recipe}.key(w.Version, w.Arch)
		if w.Recipe == recipe && w.Arch == arch &&
			!slices.ContainsFunc(all, func(in Installed) bool { return in.Key == key }) {
			out = append(out, Installed{Key: key, Recipe: recipe, Version: w.Version, Arch: arch})
		}
	}
	return out
}

// reason is why an image must stay, by its own key or that of one of its items.
func reason(in Installed, protected func(string) string) string {
	for _, k := range append([]string{in.Key}, in.Items...) {
		if why := protected(k); why != "" {
			return why
		}
	}
	return ""
}
