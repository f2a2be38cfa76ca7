package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// partials is a folder of downloads that are not complete. A file there is called by its URL's hash; what is needed to
// go on with it stands beside it.
type partials string

// keepPartial is how long a download that was given up may be gone on with.
const keepPartial = 14 * 24 * time.Hour

// farther is how much one try must bring for the count of tries to start over, in bytes: a server that hands out a byte
// at a time is given up.
const farther = 1 << 20

// validator is what tells whether the file at a URL is still the same one.
type validator struct {
	URL  string `json:"url"`
	Tag  string `json:"if_range"` // a strong ETag, else the Last-Modified; "": it cannot be gone on with
	Size int64  `json:"size"`     // -1: unknown
}

// partial is one such download.
type partial struct {
	path string
	validator
	have int64
}

func (p partials) open(from string) partial {
	sum := sha256.Sum256([]byte(from))
	part := partial{
		path:      filepath.Join(string(p), hex.EncodeToString(sum[:12])+".part"),
		validator: validator{URL: from, Size: -1},
	}
	b, err := os.ReadFile(part.path + ".json")
	info, err2 := os.Stat(part.path)
	var v validator
	if err == nil && err2 == nil && json.Unmarshal(b, &v) == nil && v.URL == from && v.Tag != "" {
		part.validator, part.have = v, info.Size()
	}
	return part
}

// forget removes it.
func (p *partial) forget() {
	os.Remove(p.path)
	os.Remove(p.path + ".json")
	p.have, p.validator = 0, validator{URL: p.URL, Size: -1}
}

// begin notes what an answer with the whole file says about it.
func (p *partial) begin(a answer) error {
	tag := a.Header.Get("ETag")
	if tag == "" || strings.HasPrefix(tag, "W/") {
		tag = a.Header.Get("Last-Modified")
	}
	p.have, p.Tag, p.Size = 0, tag, a.ContentLength
	b, err := json.Marshal(p.validator)
	if err != nil {
		return err
	}
	return os.WriteFile(p.path+".json", b, 0o600) // half of it is as good as none
}

// sweep removes what nobody will go on with.
func (p partials) sweep(now time.Time) {
	entries, _ := os.ReadDir(string(p))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > keepPartial {
			os.Remove(filepath.Join(string(p), e.Name()))
		}
	}
}

// file fetches a file into the folder of partials, going on where an earlier try, perhaps of another process, ended.
// room is asked before anything is written, with the bytes that are to come, or -1. A download for which there is no
// room is removed. resumed: some of it is from an earlier try.
func (f *fetcher) file(
	ctx context.Context,
	from, name string,
	room func(int64) error,
) (p partial, resumed bool, err error) {
	if err := os.MkdirAll(string(f.partials), 0o700); err != nil {
		return p, false, fmt.Errorf("making the folder for downloads: %w", err)
	}
	p = f.partials.open(from)
	var m *meter
	err = f.again(ctx, func() (bool, error) {
		before := p.have
		resumed = resumed || before > 0
		err := f.continued(ctx, &p, name, room, &m)
		return p.have-before >= farther, err
	})
	if m != nil {
		m.end()
	}
	if errors.Is(err, ErrNoSpace) {
		p.forget()
	}
	return p, resumed, err
}

// continued makes one try.
func (f *fetcher) continued(ctx context.Context, p *partial, name string, room func(int64) error, m **meter) error {
	header := map[string]string{}
	if p.have > 0 && p.Tag != "" {
		header["Range"], header["If-Range"] = fmt.Sprintf("bytes=%d-", p.have), p.Tag
	}
	a, err := f.ask(ctx, p.URL, header)
	if err != nil {
		return err
	}
	defer a.Close()
	rest := a.ContentLength
	switch a.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, ok := contentRange(a.Header.Get("Content-Range"))
		if ok && total == p.have && p.have > 0 {
			return nil // it had come to its end, and was not known to have
		}
		p.forget()
		return fmt.Errorf("%w: %s has changed", ErrDownload, shownURL(p.URL))
	case http.StatusPartialContent:
		start, total, ok := contentRange(a.Header.Get("Content-Range"))
		if !ok || start != p.have || p.Size >= 0 && total >= 0 && total != p.Size {
			p.forget()
			return fmt.Errorf("%w: %s answers with another part than was asked for", ErrDownload, shownURL(p.URL))
		}
		if total >= 0 {
			p.Size = total
		}
		f.report.step(fmt.Sprintf("going on with %s at %s", name, humanize.IBytes(uint64(p.have))))
	default: // all of it: the first time, or it has changed, or the server knows no ranges
		if err := p.begin(a); err != nil {
			return fmt.Errorf("noting the download: %w", err)
		}
	}
	if err := room(rest); err != nil {
		return err
	}
	if *m == nil {
		*m = f.report.meter("downloading "+name, p.have, p.Size)
	} else {
		(*m).done, (*m).total = p.have, p.Size
	}
	return f.write(p, a, name, *m)
}

// write appends the answer's body.
func (f *fetcher) write(p *partial, a answer, name string, m *meter) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if p.have > 0 {
		flags = os.O_WRONLY | os.O_APPEND
	}
	out, err := os.OpenFile(p.path, flags, 0o644)
	if err != nil {
		return fmt.Errorf("writing the download: %w", err)
	}
	n, err := io.Copy(sparing{out, string(f.partials)}, io.TeeReader(a.body, m))
	p.have += n
	if cerr := out.Close(); err == nil && cerr != nil {
		err = cerr
	}
	var onDisk *fs.PathError
	switch {
	case errors.Is(err, ErrNoSpace):
		return fmt.Errorf("%w; %s of %s had come", err, humanize.IBytes(uint64(p.have)), name)
	case errors.As(err, &onDisk):
		return fmt.Errorf("writing the download: %w", err)
	case err != nil:
		return fmt.Errorf("%w: reading %s: %w", ErrDownload, shownURL(p.URL), a.body.cause(err))
	case p.Size >= 0 && p.have != p.Size:
		return fmt.Errorf("%w: %s ended after %d of %d bytes", ErrDownload, shownURL(p.URL), p.have, p.Size)
	}
	return nil
}
