package tftp

import "time"

const (
	firstGuess = 50 * time.Millisecond // before anything is known; firmware on a LAN answers in less
	leastSlack = 20 * time.Millisecond // on top of the round trip: UEFI polls its card each 10 ms
	// flightGuess and flightSlack are the same for a window. How long a link takes to carry one is not known before it
	// has, and a lost block in its midst is reported by the next one, so there is no hurry.
	flightGuess = time.Second
	flightSlack = 100 * time.Millisecond
	// longest is the most between two sends, unless the client's timeout option says otherwise. atftp sends an ACK
	// that was lost again only when it has heard nothing for 5 s.
	longest = 8 * time.Second
)

// resend is the resend timer of RFC 6298: the round trip and its variation, smoothed, and doubled with each
// send that was not answered. By Karn's rule only packets sent once are samples, and the doubled time stays until
// there is one. A round trip is that of all that one ACK answers: it includes the time that a window takes to be sent.
type resend struct {
	srtt, rttvar time.Duration // zero srtt: nothing known yet
	guessed      bool          // srtt is an upper limit, for want of a sample
	doubled      uint
	first, slack time.Duration
	most         time.Duration
}

func newResend(timeout time.Duration) resend {
	if timeout == 0 {
		timeout = longest
	}
	return resend{first: firstGuess, slack: leastSlack, most: timeout}
}

// flights is a timer for windows with the same limit.
func (r resend) flights() resend { return resend{first: flightGuess, slack: flightSlack, most: r.most} }

// sample takes the time from a packet to its answer.
func (r *resend) sample(d time.Duration) {
	r.doubled = 0
	if r.srtt == 0 || r.guessed {
		r.srtt, r.rttvar, r.guessed = max(d, 1), d/2, false
		return
	}
	r.rttvar += ((r.srtt - d).Abs() - r.rttvar) / 4
	r.srtt = max(r.srtt+(d-r.srtt)/8, 1)
}

// guess takes the time from the first sending of a packet to an answer that may be another sending's.
// It counts where nothing better is known, so that a long path is not sent every packet twice until there is a sample.
func (r *resend) guess(d time.Duration) {
	if r.srtt == 0 {
		r.sample(d)
		r.guessed = true
	}
}

// base is how long an answer may take before the packet counts as lost.
func (r *resend) base() time.Duration {
	if r.srtt == 0 {
		return min(r.first, r.most)
	}
	return min(r.srtt+max(r.slack, 4*r.rttvar), r.most)
}

// wait is how long to wait before sending again.
func (r *resend) wait() time.Duration {
	if r.doubled > 16 {
		return r.most
	}
	return min(r.base()<<r.doubled, r.most)
}
