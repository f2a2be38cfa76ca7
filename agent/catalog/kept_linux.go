package catalog

import (
	"os"
	"syscall"
)

// unchanged reports whether what is at a path now is the file of info. It is asked with each request for a small file,
// and so does without an os.FileInfo.
func unchanged(path string, info os.FileInfo) bool {
	was, ok := info.Sys().(*syscall.Stat_t)
	var now syscall.Stat_t
	return ok && syscall.Stat(path, &now) == nil && now.Dev == was.Dev && now.Ino == was.Ino && now.Mode == was.Mode &&
		now.Size == was.Size && now.Mtim == was.Mtim
}
