//go:build race

package tftp

// underRace: the race detector makes sync.Pool forget on purpose.
const underRace = true
