package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"pxeagent/agent/catalog"
)

// CanaryResults are the versions that canaries have booted: a file for each item.
type CanaryResults struct {
	folder folder
	now    func() time.Time
	log    *slog.Logger
}

// CanaryResult is how an item did on canaries.
type CanaryResult struct {
	Item    string    `json:"item"`
	Machine string    `json:"machine"`         // the canary that booted it last: its ID
	Booted  time.Time `json:"booted,omitzero"` // that was then; zero: it has come back since
	// Stood is the longest that a canary went on with it and has come back since.
	Stood time.Duration `json:"stood_ns"`
	Good  time.Time     `json:"good,omitzero"` // a person said then that it is good
}

// OpenCanaryResults uses the folder, which need not exist. log may be nil.
func OpenCanaryResults(dir string, log *slog.Logger) *CanaryResults {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &CanaryResults{folder(dir), time.Now, log}
}

// Booted keeps that a canary has booted an item.
func (c *CanaryResults) Booted(item, machine string) error {
	is, _ := c.Result(item)
	is.Item, is.Machine, is.Booted = item, machine, c.now().UTC().Truncate(time.Second)
	return c.write(is)
}

// Returned keeps that a canary asks for something to boot again: with whatever it had booted it has stood until now,
// and no longer.
func (c *CanaryResults) Returned(machine string) error {
	names, err := c.folder.names()
	for _, name := range names {
		item, ok := strings.CutSuffix(name, resultSuffix)
		if is, known := c.Result(item); ok && known && is.Machine == machine && !is.Booted.IsZero() {
			is.Stood, is.Booted = max(is.Stood, c.now().Sub(is.Booted)), time.Time{}
			err = errors.Join(err, c.write(is))
		}
	}
	return err
}

// Approve makes an item good by a person's word.
func (c *CanaryResults) Approve(item string) error {
	is, _ := c.Result(item)
	is.Item, is.Good = item, c.now().UTC().Truncate(time.Second)
	return c.write(is)
}

const resultSuffix = ".json"

func (c *CanaryResults) write(is CanaryResult) error {
	if !catalog.IsKey(is.Item) {
		return fmt.Errorf("invalid item %q", is.Item)
	}
	text, err := json.Marshal(is)
	if err == nil {
		err = c.folder.write(is.Item+resultSuffix, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping how canaries did with %s: %w", is.Item, err)
	}
	return nil
}

// CanaryResult is what is known of an item. A file that cannot be understood is as none.
func (c *CanaryResults) Result(item string) (CanaryResult, bool) {
	if !catalog.IsKey(item) {
		return CanaryResult{}, false
	}
	text, err := c.folder.read(item + resultSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return CanaryResult{}, false
	}
	var is CanaryResult
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err == nil && (is.Item != item || is.Stood < 0 || is.Booted.After(c.now().Add(24*time.Hour))) {
		err = errors.New("it is about another item, or of another time")
	}
	if err != nil {
		c.log.Warn("invalid canary result ignored", "file", c.folder.path(item+resultSuffix), "err", err)
		return CanaryResult{}, false
	}
	return is, true
}

// proven: the item is good for other hosts, because a canary has stood with it for so long, or a person said so.
func (is CanaryResult) proven(after time.Duration, now time.Time) bool {
	return !is.Good.IsZero() || is.Stood > 0 && is.Stood >= after || !is.Booted.IsZero() && now.Sub(is.Booted) >= after
}
