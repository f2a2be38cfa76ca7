package probe

import (
	"cmp"
	"strings"

	"pxeagent/agent/firmware"
)

func (x *exchange) offers() []firmware.Offer {
	offers := make([]firmware.Offer, len(x.heard))
	for i, h := range x.heard {
		offers[i] = h.offer
	}
	return offers
}

// compareOffers orders offers by client, server, and whether they are from port 4011.
func compareOffers(a, b firmware.Offer) int {
	return cmp.Or(cmp.Compare(a.Client, b.Client), a.Server.Compare(b.Server), cmp.Compare(rank(a), rank(b)),
		strings.Compare(a.Option67, b.Option67), strings.Compare(a.File, b.File), a.YourIP.Compare(b.YourIP))
}

func rank(o firmware.Offer) int {
	if o.Via == viaPXE {
		return 1
	}
	return 0
}
