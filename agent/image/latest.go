package image

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"pxeagent/agent/version"
)

// latest asks the mirrors which version is the newest.
func (s *Store) latest(ctx context.Context, r Recipe, o Order, words vocabulary) (string, error) {
	if r.Latest == nil {
		return "", fmt.Errorf("%w: %s has no latest version; name one, such as %s", ErrOrder, r.Name, r.Example)
	}
	if len(o.From) > 0 {
		return "", fmt.Errorf("%w: with --from, name the version", ErrOrder)
	}
	find, err := regexp.Compile(r.Latest.Find)
	if err != nil {
		return "", fmt.Errorf("%w: %s: latest.find: %w", ErrRecipe, r.Name, err)
	}
	fits, err := regexp.Compile(`\A(?:` + r.Version + `)\z`)
	if err != nil {
		return "", fmt.Errorf("%w: %s: version: %w", ErrRecipe, r.Name, err)
	}
	return s.onMirrors(r, o, func(mirror string) (string, error) {
		versions, at, err := s.versions(ctx, join(mirror, words.expand(r.Latest.URL)), find, fits)
		if err != nil {
			return "", fmt.Errorf("asking for the latest version of %s: %w", r.Name, err)
		}
		if len(versions) == 0 {
			return "", fmt.Errorf("%w: %s names none of %s", ErrNoVersion, shownURL(at), r.Name)
		}
		v, err := s.newest(ctx, mirror, r, words, versions)
		if errors.Is(err, ErrNotFound) && r.Latest.Older != "" {
			older, _, olderErr := s.versions(ctx, join(mirror, words.expand(r.Latest.Older)), find, fits)
			older = slices.DeleteFunc(older, func(v string) bool { return slices.Contains(versions, v) })
			if olderErr == nil && len(older) > 0 {
				v, err = s.newest(ctx, mirror, r, words, older)
			}
		}
		if err == nil {
			s.report.step(fmt.Sprintf("the latest version of %s is %s", r.Name, v))
		}
		return v, err
	})
}

// versions are those that a page names, the newest first, or the URL that it is sent on to; and that URL.
func (s *Store) versions(
	ctx context.Context, page string, find, fits *regexp.Regexp,
) (out []string, at string, err error) {
	text, at, err := s.fetch.text(ctx, page, maxList)
	if err != nil {
		return nil, page, err
	}
	for _, text := range []string{at, string(text)} {
		for _, m := range find.FindAllStringSubmatch(text, 10_000) {
			if v := m[len(m)-1]; fits.MatchString(v) && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	slices.SortFunc(out, func(a, b string) int { return version.Compare(b, a) })
	return out, at, nil
}

// maxPassedOver bounds for how many versions a mirror is asked whether it has their files.
const maxPassedOver = 10

// newest is the first of versions that has the file that the recipe needs. ErrNotFound: none has.
func (s *Store) newest(
	ctx context.Context, mirror string, r Recipe, words vocabulary, versions []string,
) (string, error) {
	if r.Latest.Needs == "" {
		return versions[0], nil
	}
	var err error
	for _, v := range versions[:min(len(versions), maxPassedOver)] {
		w := vocabulary{"version": v}
		for k, text := range words {
			w[k] = text
		}
		if err = s.fetch.there(ctx, join(mirror, w.expand(r.Latest.Needs))); !errors.Is(err, ErrNotFound) {
			return v, nil // what else goes wrong is for the download to say
		}
		lacks := path.Base(w.expand(r.Latest.Needs))
		s.report.step(fmt.Sprintf("%s %s has no %s; looking for an older one", r.Name, v, lacks))
	}
	return "", fmt.Errorf("%w: %w", ErrNoVersion, err)
}

// ofMirror: another mirror may do better.
func ofMirror(err error) bool {
	return slices.ContainsFunc([]error{ErrDownload, ErrNotFound, ErrChecksum, ErrNoVersion, ErrUnverified},
		func(cause error) bool { return errors.Is(err, cause) })
}

// onMirrors tries one mirror after another. What the disk, the order or the user ends is not tried again elsewhere.
func (s *Store) onMirrors(r Recipe, o Order, try func(mirror string) (string, error)) (string, error) {
	mirrors := r.Mirrors
	if len(o.Mirrors) > 0 {
		mirrors = o.Mirrors
	}
	if len(mirrors) == 0 {
		return "", fmt.Errorf("%w: %s is published nowhere; name your own files with --from", ErrOrder, r.Name)
	}
	var first error
	for i, m := range mirrors {
		got, err := try(m)
		if err == nil {
			return got, nil
		}
		if !ofMirror(err) {
			return "", err
		}
		if first == nil {
			first = err
		}
		if i+1 < len(mirrors) {
			s.report.step(fmt.Sprintf("%v; trying the next mirror", err))
		}
	}
	return "", first
}
