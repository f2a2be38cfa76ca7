package machine

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when the file was last renamed, linked or written.
func changed(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Ctim.Unix())
	}
	return info.ModTime()
}
