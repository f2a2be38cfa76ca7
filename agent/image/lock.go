package image

import (
	"fmt"

	"github.com/gofrs/flock"
)

// lock takes the lock of that file, without waiting; it ends with the process. ErrBusy: another has it.
func lock(path string) (unlock func(), err error) {
	l := flock.New(path, flock.SetPermissions(0o600))
	taken, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", path, err)
	case !taken:
		return nil, ErrBusy
	}
	return func() { _ = l.Close() }, nil
}
