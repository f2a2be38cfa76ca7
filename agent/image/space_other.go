//go:build !linux && !freebsd

package image

import "math"

// freeSpace cannot be asked here: what does not fit is seen as it is written.
func freeSpace(string) (int64, error) { return math.MaxInt64 / 2, nil }
