//go:build !linux

package image

// exchange swaps two folders in one step, which this system cannot.
func exchange(a, b string) error { return errNoExchange }
