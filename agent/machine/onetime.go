package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"pxeagent/agent/catalog"
	"pxeagent/agent/logging"
)

// OneTimeBoots are what machines boot next, once: a folder with one small file for each machine, named by it
// ("52-54-00-12-34-56"). Files come into being and are claimed by rename, so that any number of processes may use the
// folder at once, and one alone claims a boot. It may be used from many goroutines.
type OneTimeBoots struct {
	folder folder
	empty  atomic.Int64 // when there was nothing in it, in ns since 1970; 0: something may be
	log    *slog.Logger
	logged logging.Once // about files
}

// OneTimeBoot is one machine's item to boot once.
type OneTimeBoot struct {
	ID   ID        `json:"machine"`
	Item string    `json:"item"`
	Set  time.Time `json:"set"`
}

// claimed is how names of files begin that somebody has claimed, or is about to give back.
const claimed = ".claimed-"

// OpenOneTimeBoots uses the folder, and puts right what a killed process left there. A folder that does not exist has
// none, and is made by Set. log may be nil.
func OpenOneTimeBoots(dir string, log *slog.Logger) *OneTimeBoots {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &OneTimeBoots{folder: folder(dir), log: log}
	o.recover()
	return o
}

// Set makes item what that machine boots next, in place of what it had to boot before.
func (o *OneTimeBoots) Set(id ID, item string) error {
	if !catalog.IsKey(item) {
		return fmt.Errorf("invalid item %q", item)
	}
	text, err := json.Marshal(OneTimeBoot{id, item, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return fmt.Errorf("booting once: %w", err)
	}
	err = o.folder.write(id.file(), append(text, '\n'))
	o.empty.Store(0)
	if err != nil {
		return fmt.Errorf("keeping what %s is to boot once: %w", id, err)
	}
	return nil
}

// Peek is what the first of these machines that has one is to boot. It stays to be booted.
func (o *OneTimeBoots) Peek(ids ...ID) (OneTimeBoot, bool) {
	for _, id := range ids {
		if next, err := o.read(id.file()); err == nil {
			o.empty.Store(0)
			return next, true
		} else if !errors.Is(err, fs.ErrNotExist) {
			o.complain(id.file(), err)
		}
	}
	return OneTimeBoot{}, false
}

// emptyFor is how long a folder that was empty counts as empty. What another process puts there meanwhile is seen by
// Peek, which is asked for each menu.
const emptyFor = 50 * time.Millisecond

// any reports whether there may be a one-time boot.
func (o *OneTimeBoots) any() bool {
	now := time.Now().UnixNano()
	if now-o.empty.Load() < int64(emptyFor) {
		return false
	}
	if !o.folder.empty() {
		return true
	}
	o.empty.Store(now)
	return false
}

// Claim takes the one-time boot of the first of these machines that has one for item, and reports whether there was
// one. Of many who claim one at once, in whatever process, exactly one gets true.
func (o *OneTimeBoots) Claim(item string, ids ...ID) (OneTimeBoot, bool) {
	for _, id := range ids {
		if next, ok := o.claim(id.file(), item); ok {
			return next, true
		}
	}
	return OneTimeBoot{}, false
}

func (o *OneTimeBoots) claim(name, item string) (OneTimeBoot, bool) {
	if next, err := o.read(name); err != nil || next.Item != item {
		return OneTimeBoot{}, false
	}
	mine := claimed + item + "-" + unique() + "-" + name
	if err := o.folder.rename(name, mine); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			o.log.Error("one-time boot not removed: the machine will boot it again", "file", o.folder.path(name), "err", err)
		}
		return OneTimeBoot{}, false
	}
	next, err := o.readAs(mine, name)
	if err == nil && next.Item == item {
		o.drop(mine)
		return next, true
	}
	// It was replaced just before the rename: that one goes back, unless there is a newer one still.
	o.giveBack(mine, name)
	return OneTimeBoot{}, false
}

func (o *OneTimeBoots) giveBack(mine, name string) {
	if err := o.folder.link(mine, name); err != nil && !errors.Is(err, fs.ErrExist) {
		o.log.Error("one-time boot not put back", "file", o.folder.path(mine), "err", err)
		return
	}
	o.drop(mine)
}

func (o *OneTimeBoots) drop(name string) {
	if err := o.folder.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.log.Warn("claimed file not removed", "file", o.folder.path(name), "err", err)
	}
}

// Cancel takes back what that machine was to boot, and reports whether there was something.
func (o *OneTimeBoots) Cancel(id ID) (OneTimeBoot, bool, error) {
	next, _ := o.read(id.file()) // what cannot be read can be removed
	err := o.folder.remove(id.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return OneTimeBoot{}, false, nil
	case err != nil:
		return OneTimeBoot{}, false, fmt.Errorf("taking back what %s is to boot once: %w", id, err)
	}
	next.ID = id
	return next, true, nil
}

// List are all one-time boots, by machine. Invalid files are left out, with a line in the log.
func (o *OneTimeBoots) List() ([]OneTimeBoot, error) {
	names, err := o.folder.names()
	if err != nil {
		return nil, fmt.Errorf("reading what machines are to boot once: %w", err)
	}
	var all []OneTimeBoot
	for _, name := range names {
		if strings.HasPrefix(name, ".") { // being written, or claimed
			continue
		}
		if _, ok := parseFile(name); !ok {
			o.complain(name, errors.New("its name is not a machine's: want 52-54-00-12-34-56, in lower case"))
			continue
		}
		next, err := o.read(name)
		if err == nil {
			all = append(all, next)
		} else if !errors.Is(err, fs.ErrNotExist) {
			o.complain(name, err)
		}
	}
	return all, nil
}

func (o *OneTimeBoots) read(name string) (OneTimeBoot, error) { return o.readAs(name, name) }

// readAs reads the one-time boot in a file that once had the second name.
func (o *OneTimeBoots) readAs(file, name string) (OneTimeBoot, error) {
	id, ok := parseFile(name)
	if !ok {
		return OneTimeBoot{}, errors.New("its name is not a machine's")
	}
	text, err := o.folder.read(file)
	if err != nil {
		return OneTimeBoot{}, err
	}
	var next OneTimeBoot
	if err := json.Unmarshal(text, &next); err != nil {
		return OneTimeBoot{}, fmt.Errorf("invalid one-time boot: %w", err)
	}
	if !catalog.IsKey(next.Item) {
		return OneTimeBoot{}, fmt.Errorf("it names the invalid item %.100q", next.Item)
	}
	next.ID = id // the name counts
	return next, nil
}

// abandoned is how old a claimed file is that nobody works on any more.
const abandoned = time.Minute

// recover finishes what killed processes had begun: what was claimed is used up, one that was about to be
// given back goes back.
func (o *OneTimeBoots) recover() { o.recoverOlder(abandoned) }

func (o *OneTimeBoots) recoverOlder(limit time.Duration) {
	names, err := o.folder.names()
	if err != nil {
		return // whoever uses the folder gets the error
	}
	for _, file := range names {
		rest, ok := strings.CutPrefix(file, claimed)
		if temporary(file) || ok {
			if age, err := o.folder.age(file); err != nil || age < limit {
				continue
			}
		}
		if temporary(file) {
			o.drop(file)
			continue
		}
		if !ok {
			continue
		}
		item, name, ok := cutClaimed(rest)
		next, err := o.readAs(file, name)
		if ok && err == nil && next.Item != item {
			o.giveBack(file, name)
		} else {
			o.drop(file)
		}
	}
}

// cutClaimed takes ITEM-UNIQUE-NAME apart.
func cutClaimed(s string) (item, name string, ok bool) {
	for i := range s {
		if s[i] != '-' || len(s) < i+2+uniqueLength || s[i+1+uniqueLength] != '-' {
			continue
		}
		if _, is := parseFile(s[i+2+uniqueLength:]); is {
			return s[:i], s[i+2+uniqueLength:], true
		}
	}
	return "", "", false
}

// complain logs a file once.
func (o *OneTimeBoots) complain(name string, err error) {
	if o.logged.First(name, "") {
		o.log.Warn("invalid one-time boot ignored", "file", o.folder.path(name), "err", err)
	}
}
