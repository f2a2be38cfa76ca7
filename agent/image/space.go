package image

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/dustin/go-humanize"
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
		return fmt.Errorf(
			"%w: %s needs %s, and %s has %s",
			ErrNoSpace,
			what,
			humanize.IBytes(uint64(need+spare)),
			dir,
			humanize.IBytes(uint64(free)),
		)
	}
	return nil
}

// sparing writes to a file as long as spare stays free on the disk of dir: the length of what comes may not be known,
// or not be true, and others write there too.
type sparing struct {
	out io.Writer
	dir string
}

func (s sparing) Write(p []byte) (int, error) {
	free, err := freeSpace(s.dir)
	if err != nil {
		return 0, fmt.Errorf("asking how much space %s has: %w", s.dir, err)
	}
	if int64(len(p))+spare > free {
		return 0, fmt.Errorf(
			"%w: %s has %s, and %s stay free",
			ErrNoSpace,
			s.dir,
			humanize.IBytes(uint64(free)),
			humanize.IBytes(uint64(spare)),
		)
	}
	n, err := s.out.Write(p)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return n, err
}

// filesText is a number of files for people.
func filesText(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
