package tftp

import "time"

// hashesKept is how long a hash is remembered.
const hashesKept = time.Minute

// hashes remembers what was added in the last while, in 8 bytes each and nothing that the garbage collector looks into.
// It has room for most of them, a power of two, in rows of eight: in a full row the oldest gives way.
type hashes struct {
	most int
	rows []hashRow // made when the first is added
}

type hashRow [8]struct {
	half uint32 // of the hash; the other half has the number of its row
	at   uint32 // milliseconds, of pending.clock
}

func (h *hashes) row(hash uint64) *hashRow { return &h.rows[uint32(hash)%uint32(len(h.rows))] }

func (h *hashes) add(hash uint64, clock uint32) {
	if h.rows == nil {
		h.rows = make([]hashRow, h.most/len(hashRow{}))
	}
	row, place := h.row(hash), 0
	for i := range row {
		if row[i].half == uint32(hash>>32) {
			place = i
			break
		}
		if clock-row[i].at > clock-row[place].at {
			place = i
		}
	}
	row[place].half, row[place].at = uint32(hash>>32), clock
}

func (h *hashes) has(hash uint64, clock uint32) bool {
	if h.rows == nil {
		return false
	}
	for _, e := range h.row(hash) {
		if e.half == uint32(hash>>32) {
			return clock-e.at < uint32(hashesKept.Milliseconds())
		}
	}
	return false
}
