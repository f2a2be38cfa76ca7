//go:build !linux

package catalog

import "os"

// unchanged reports whether what is at a path now is the file of info.
func unchanged(path string, info os.FileInfo) bool {
	now, err := os.Stat(path)
	return err == nil && os.SameFile(now, info) && now.Size() == info.Size() && now.ModTime().Equal(info.ModTime()) &&
		now.Mode() == info.Mode()
}
