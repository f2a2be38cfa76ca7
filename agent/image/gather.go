package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// gather brings all files of an image to this disk and checks them.
func (s *Store) gather(ctx context.Context, r Recipe, o Order, words vocabulary) ([]source, error) {
	all, err := r.wanted(words)
	if err != nil {
		return nil, err
	}
	given, err := givenSums(o.SHA256)
	if err != nil {
		return nil, err
	}
	var out []source
	if len(o.From) > 0 {
		out, err = s.gatherFrom(ctx, r, o, words, all, given)
	} else {
		for _, w := range all {
			if w.Instead {
				continue
			}
			given := given
			if w.lists(all) {
				given = nil
			}
			src, ok, err := s.fromMirrors(ctx, r, o, words, w, given)
			if err != nil {
				return out, err
			}
			if ok {
				out = append(out, src)
			}
		}
	}
	for i := range out {
		if s := &out[i]; s.Checked == "" && s.want.lists(all) {
			s.Checked = "the checksums of the others"
		}
	}
	for _, sum := range given {
		if err == nil && !slices.ContainsFunc(out, func(s source) bool { return s.SHA256 == string(sum) }) {
			err = fmt.Errorf("%w: no file of the image has the given SHA-256 %s", ErrOrder, short(sum))
		}
	}
	return out, err
}

// givenSums reads the checksums of --sha256, separated by commas: each file of the image must have one of them.
func givenSums(text string) ([]checksum, error) {
	var out []checksum
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		sum, ok := parseChecksum(word)
		if !ok || sum.kind() != sha256Sum {
			return nil, fmt.Errorf("%w: invalid SHA-256 %q: want 64 hex digits", ErrOrder, word)
		}
		out = append(out, sum)
	}
	return out, nil
}

// bySHA256 is what --sha256 says of a file; nothing where it was not given.
func bySHA256(given []checksum, name string) expected {
	return expected{sums: given, where: "--sha256", name: name}
}

// gatherFrom takes the files that the user names.
func (s *Store) gatherFrom(
	ctx context.Context, r Recipe, o Order, words vocabulary, all []wanted, given []checksum,
) ([]source, error) {
	have, err := offers(o.From)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(all, have)
	if err != nil {
		return nil, err
	}
	instead := false
	for i, w := range all {
		instead = instead || w.Instead && len(chosen[i]) > 0
	}
	var out []source
	for i, w := range all {
		switch {
		case len(chosen[i]) > 0:
		case w.Optional || w.Instead || instead:
			continue
		case w.Fill:
			src, _, err := s.fromMirrors(ctx, r, o, words, w, nil)
			if err != nil {
				return out, err
			}
			out = append(out, src)
		default:
			return out, fmt.Errorf("%w: %s has no file for it: %s", ErrOrder, strings.Join(o.From, ", "), w.name())
		}
		for _, f := range chosen[i] {
			src, err := s.fromOffer(ctx, words, w, f, given)
			if err != nil {
				return out, err
			}
			out = append(out, src)
		}
	}
	return out, nil
}

// fromOffer takes one file that the user names.
func (s *Store) fromOffer(
	ctx context.Context, words vocabulary, w wanted, f offered, given []checksum,
) (source, error) {
	want := bySHA256(given, f.name)
	if f.url != "" {
		if len(given) == 0 {
			lists := w
			lists.names, lists.match, lists.Sums = []string{f.name}, nil, nil
			for _, l := range w.Sums {
				at := listName(withFile(words, f.name).expand(l.URL))
				lists.Sums = append(lists.Sums, Sums{URL: at, Optional: true})
			}
			all, _, err := s.published(ctx, strings.TrimSuffix(f.url, f.name), words, lists)
			if err != nil {
				return source{}, err
			}
			if len(all) > 0 {
				want = all[0]
			}
		}
		return s.download(ctx, w, f.url, f.name, want)
	}
	if len(given) == 0 {
		var err error
		if want, err = beside(f, words, w); err != nil {
			return source{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	src := source{want: w, name: f.name, path: f.path, Source: Source{From: f.path}}
	return src, s.checkFile(&src, want)
}

// fromMirrors fetches one file. ok is false where it is optional and nowhere.
func (s *Store) fromMirrors(
	ctx context.Context, r Recipe, o Order, words vocabulary, w wanted, given []checksum,
) (src source, ok bool, err error) {
	_, err = s.onMirrors(r, o, func(mirror string) (string, error) {
		src, err = s.fromMirror(ctx, mirror, words, w, given)
		return "", err
	})
	switch {
	case err == nil:
		return src, true, nil
	case errors.Is(err, ErrNotFound) && w.Optional, errors.Is(err, ErrChecksum) && w.Optional && len(given) > 0:
		return source{}, false, nil // of the files whose checksums were given it is none
	case errors.Is(err, ErrNotFound):
		return source{}, false, fmt.Errorf("%w: %s %s: %w", ErrNoVersion, r.Name, words["version"], err)
	}
	return source{}, false, err
}

// fromMirror fetches one file under the first of its names that is there. ErrNotFound: it is not.
func (s *Store) fromMirror(
	ctx context.Context, mirror string, words vocabulary, w wanted, given []checksum,
) (source, error) {
	at := func(name string) string {
		u := withFile(words, name).expand(w.URL)
		if u == "" {
			u = name
		}
		return join(mirror, u)
	}
	var names []expected
	for _, n := range w.names {
		names = append(names, bySHA256(given, n))
	}
	if len(given) == 0 {
		listed, absent, err := s.published(ctx, mirror, words, w)
		if absent && len(names) > 0 { // no list and no file: what is missing is not the list
			err = cmp.Or(s.fetch.there(ctx, at(names[0].name)), err)
		}
		if err != nil {
			return source{}, err
		}
		if len(listed) > 0 {
			names = listed
		}
	}
	err := fmt.Errorf("%w: no list on %s has %s", ErrNotFound, shownURL(mirror), w.name())
	for _, want := range names {
		var src source
		if src, err = s.download(ctx, w, at(want.name), want.name, want); !errors.Is(err, ErrNotFound) {
			return src, err
		}
	}
	return source{}, err
}

// download fetches a file and checks it. One that was put together from the tries of several runs and is wrong is
// fetched once more.
func (s *Store) download(ctx context.Context, w wanted, from, name string, want expected) (source, error) {
	for again := false; ; again = true {
		room := func(rest int64) error {
			need := max(rest, 0)
			if w.Unpack {
				need *= 4 // the archive, and about three times of it unpacked
			}
			return checkSpace(s.own(partialDir), need, name)
		}
		p, resumed, err := s.fetch.file(ctx, from, name, room)
		if err != nil {
			return source{}, err
		}
		src := source{want: w, name: name, path: p.path, partial: &p, Source: Source{From: shownURL(from)}}
		err = s.checkFile(&src, want)
		if !errors.Is(err, ErrChecksum) {
			return src, err
		}
		p.forget()
		if !resumed || again {
			return source{}, err
		}
		s.report.step(fmt.Sprintf("%v; fetching all of it again", err))
	}
}
