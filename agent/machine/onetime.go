package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"pxeagent/agent/catalog"
)

// Once is what machines are to boot once: a folder with one small file for each machine, named by it ("52-54-00-12-34-56"). Files come into being
// and are claimed by rename, so that any number of processes may use the folder at once, and one alone claims an order. It may be used from
// many goroutines.
type Once struct {
	folder folder
	log    *slog.Logger

	mu   sync.Mutex
	said map[string]bool // files that were complained of
}

// Order is one machine's item to boot once.
type Order struct {
	ID   ID        `json:"machine"`
	Item string    `json:"item"`
	Set  time.Time `json:"set"`
}

// claimed is how names of files begin that somebody has claimed, or is about to give back.
const claimed = ".claimed-"

// OpenOnce uses the folder, and puts right what a killed process left there. A folder that does not exist has no orders, and is made by Set. log may be nil.
func OpenOnce(dir string, log *slog.Logger) *Once {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	o := &Once{folder: folder(dir), log: log, said: map[string]bool{}}
	o.recover()
	return o
}

// Set makes item what that machine boots next, in place of what it had to boot before.
func (o *Once) Set(id ID, item string) error {
	if !catalog.IsKey(item) {
		return fmt.Errorf("%q is no item of the menu", item)
	}
	text, err := json.Marshal(Order{id, item, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return fmt.Errorf("booting once: %w", err)
	}
	if err := o.folder.write(id.file(), append(text, '\n')); err != nil {
		return fmt.Errorf("keeping what %s is to boot once: %w", id, err)
	}
	return nil
}

// Peek is what the first of these machines that has an order is to boot. It stays to be booted.
func (o *Once) Peek(ids ...ID) (Order, bool) {
	for _, id := range ids {
		if order, err := o.read(id.file()); err == nil {
			return order, true
		} else if !errors.Is(err, fs.ErrNotExist) {
			o.complain(id.file(), err)
		}
	}
	return Order{}, false
}

// Claim takes the order of the first of these machines that has one for item, and reports whether there was one. Of many who claim an order at once, in
// whatever process, exactly one is told true.
func (o *Once) Claim(item string, ids ...ID) (Order, bool) {
	for _, id := range ids {
		if order, ok := o.claim(id.file(), item); ok {
			return order, true
		}
	}
	return Order{}, false
}

func (o *Once) claim(name, item string) (Order, bool) {
	if order, err := o.read(name); err != nil || order.Item != item {
		return Order{}, false
	}
	mine := claimed + item + "-" + unique() + "-" + name
	if err := o.folder.rename(name, mine); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			o.log.Error("What a machine was to boot once could not be used up; it will boot it again", "file", o.folder.path(name), "err", err)
		}
		return Order{}, false
	}
	order, err := o.readAs(mine, name)
	if err == nil && order.Item == item {
		o.drop(mine)
		return order, true
	}
	// It was replaced just before the rename: that order goes back, unless there is a newer one still.
	o.giveBack(mine, name)
	return Order{}, false
}

func (o *Once) giveBack(mine, name string) {
	if err := o.folder.link(mine, name); err != nil && !errors.Is(err, fs.ErrExist) {
		o.log.Error("What a machine is to boot once could not be put back", "file", o.folder.path(mine), "err", err)
		return
	}
	o.drop(mine)
}

func (o *Once) drop(name string) {
	if err := o.folder.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.log.Warn("A claimed file could not be removed", "file", o.folder.path(name), "err", err)
	}
}

// Cancel takes back what that machine was to boot, and reports whether there was something.
func (o *Once) Cancel(id ID) (Order, bool, error) {
	order, _ := o.read(id.file()) // what cannot be read can be removed
	err := o.folder.remove(id.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Order{}, false, nil
	case err != nil:
		return Order{}, false, fmt.Errorf("taking back what %s is to boot once: %w", id, err)
	}
	order.ID = id
	return order, true, nil
}

// List are all orders, by machine. What is no order is left out, with a line in the log.
func (o *Once) List() ([]Order, error) {
	names, err := o.folder.names()
	if err != nil {
		return nil, fmt.Errorf("reading what machines are to boot once: %w", err)
	}
	var all []Order
	for _, name := range names {
		if strings.HasPrefix(name, ".") { // being written, or claimed
			continue
		}
		if _, ok := parseFile(name); !ok {
			o.complain(name, errors.New("its name is no machine's: want 52-54-00-12-34-56, in lower case"))
			continue
		}
		order, err := o.read(name)
		if err == nil {
			all = append(all, order)
		} else if !errors.Is(err, fs.ErrNotExist) {
			o.complain(name, err)
		}
	}
	return all, nil
}

func (o *Once) read(name string) (Order, error) { return o.readAs(name, name) }

// readAs reads the order in a file that once had the second name.
func (o *Once) readAs(file, name string) (Order, error) {
	id, ok := parseFile(name)
	if !ok {
		return Order{}, errors.New("its name is no machine's")
	}
	text, err := o.folder.read(file)
	if err != nil {
		return Order{}, err
	}
	var order Order
	if err := json.Unmarshal(text, &order); err != nil {
		return Order{}, fmt.Errorf("it is no order: %w", err)
	}
	if !catalog.IsKey(order.Item) {
		return Order{}, fmt.Errorf("it names %.100q, which is no item of the menu", order.Item)
	}
	order.ID = id // the name counts
	return order, nil
}

// abandoned is how old a claimed file is that nobody works on any more.
const abandoned = time.Minute

// recover finishes what killed processes had begun: an order that was claimed is used up, one that was about to be given back goes back.
func (o *Once) recover() { o.recoverOlder(abandoned) }

func (o *Once) recoverOlder(limit time.Duration) {
	names, err := o.folder.names()
	if err != nil {
		return // whoever uses the folder is told
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
		order, err := o.readAs(file, name)
		if ok && err == nil && order.Item != item {
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
func (o *Once) complain(name string, err error) {
	o.mu.Lock()
	known := o.said[name]
	if len(o.said) < 1000 { // a bound; what is beyond is logged every time
		o.said[name] = true
	}
	o.mu.Unlock()
	if !known {
		o.log.LogAttrs(context.Background(), slog.LevelWarn, "A file is passed over: it does not say what a machine is to boot once",
			slog.String("file", o.folder.path(name)), slog.Any("err", err))
	}
}
