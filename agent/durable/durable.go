// Package durable makes changes of a folder outlast a loss of power.
package durable

import (
	"errors"
	"fmt"
	"os"
)

// SyncDir makes what was renamed, made or removed in a folder last. A file system that cannot say so is taken at its
// word.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
