package agent

import (
	"math"
	"testing"
)

func TestSharesOfTheDescriptors(t *testing.T) {
	for limit, want := range map[uint64][2]int{
		0:              {16, 16},
		128:            {16, 16},
		256:            {32, 32},
		1024:           {224, 224},
		4096:           {992, 992},
		65536:          {4096, 4096}, // that of the systemd unit
		math.MaxUint64: {4096, 4096}, // RLIM_INFINITY
	} {
		connections, transfers := shares(limit)
		if got := [2]int{connections, transfers}; got != want {
			t.Errorf("of %d descriptors: %v, want %v", limit, got, want)
		}
		if used := uint64(2*connections + 2*transfers); limit >= 256 && used > limit-128 {
			t.Errorf("of %d descriptors %d may be used", limit, used)
		}
	}
}
