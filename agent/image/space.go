package image

import (
	"fmt"
)

// spare is left free on the disk, in bytes: the daemon and others write there too.
const spare = 16 << 20

// checkSpace fails where dir's disk has no room for that many bytes more.
func checkSpace(dir string, need int64, what string) error {
	free, err := freeSpace(dir)
	if err != nil {
		return fmt.Errorf("asking how much space %s has: %w", dir, err)
	}
	if need+spare > free {
		return fmt.Errorf("%w: %s needs %s, and %s has %s", ErrNoSpace, what, bytesText(need+spare), dir, bytesText(free))
	}
	return nil
}

// filesText is a number of files for people.
func filesText(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
