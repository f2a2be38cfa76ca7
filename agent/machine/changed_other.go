//go:build !linux && !freebsd

package machine

import (
	"io/fs"
	"time"
)

// changed is when the file was last written: what this platform says of renames is not known here.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }
