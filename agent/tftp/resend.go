package tftp

import "time"

const (
	firstGuess = 50 * time.Millisecond // before anything is known; firmware on a LAN answers in less
	leastSlack = 20 * time.Millisecond // on top of the round trip: UEFI polls its card each 10 ms
	// longest is the most between two sends, unless the client's timeout option says otherwise. atftp sends an ACK
	// that was lost again only when it has heard nothing for 5 s.
	longest = 8 * time.Second
)

// resend is the resend timer of RFC 6298: the round trip and its variation, smoothed, and doubled with each
// send that was not answered. By Karn's rule only packets sent once are samples, and the doubled time stays until
// there is one.
type resend struct {
	srtt, rttvar time.Duration // zero srtt: no sample yet
	doubled      uint
	most         time.Duration
}

func newResend(timeout time.Duration) resend {
	if timeout == 0 {
		timeout = longest
	}
	return resend{most: timeout}
}

// sample takes the time from a packet, sent once, to its answer.
func (r *resend) sample(d time.Duration) {
	r.doubled = 0
	if r.srtt == 0 {
		r.srtt, r.rttvar = max(d, 1), d/2
		return
	}
	r.rttvar += ((r.srtt - d).Abs() - r.rttvar) / 4
	r.srtt = max(r.srtt+(d-r.srtt)/8, 1)
}

// base is how long an answer may take before the packet counts as lost.
func (r *resend) base() time.Duration {
	if r.srtt == 0 {
		return min(firstGuess, r.most)
	}
	return min(r.srtt+max(leastSlack, 4*r.rttvar), r.most)
}

// wait is how long to wait before sending again.
func (r *resend) wait() time.Duration {
	if r.doubled > 16 {
		return r.most
	}
	return min(r.base()<<r.doubled, r.most)
}
