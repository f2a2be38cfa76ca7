package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Done is which machines have booted the image of a profile that they boot once only. A file for each machine and
// profile; several processes may use it.
type Done struct{ folder folder }

// done is what such a file holds, for people.
type done struct {
	ID      ID        `json:"machine"`
	Profile string    `json:"profile"`
	Item    string    `json:"item"`
	At      time.Time `json:"at"`
}

// OpenDone uses the folder, which need not exist.
func OpenDone(dir string) *Done { return &Done{folder(dir)} }

func doneFile(id ID, profile string) string { return id.file() + "." + profile }

// Set keeps that a machine has booted what the profile has it boot once.
func (d *Done) Set(id ID, profile, item string) error {
	text, err := json.Marshal(done{id, profile, item, time.Now().UTC().Truncate(time.Second)})
	if err == nil {
		err = d.folder.write(doneFile(id, profile), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping that %s has booted the image of profile %s: %w", id, profile, err)
	}
	return nil
}

// Has reports whether one of these machines has, and when; zero where the file does not say. A file that cannot be read
// counts as well: what is to be booted once may install.
func (d *Done) Has(profile string, ids ...ID) (time.Time, bool) {
	for _, id := range ids {
		text, err := d.folder.read(doneFile(id, profile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var was done
		_ = json.Unmarshal(text, &was)
		return was.At, true
	}
	return time.Time{}, false
}

// Forget lets these machines boot the profile's image once more, and reports whether they had.
func (d *Done) Forget(profile string, ids ...ID) (bool, error) {
	had := false
	for _, id := range ids {
		err := d.folder.remove(doneFile(id, profile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return had, fmt.Errorf("forgetting that %s has booted the image of profile %s: %w", id, profile, err)
		}
		had = had || err == nil
	}
	return had, nil
}
