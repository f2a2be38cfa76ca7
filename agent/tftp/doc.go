// Package tftp is a read-only TFTP server for firmware.
//
//	RFC 1350  the protocol: requests, lock-step transfer, TIDs, errors
//	RFC 2347  option extension: OACK, option names in any case, unknown ones left out
//	RFC 2348  blksize
//	RFC 2349  timeout, tsize
//	RFC 7440  windowsize
//
// RFC 1123 section 4.2.3.1 (the Sorcerer's Apprentice) and RFC 6298 (the resend timer) say when a packet is sent again.
//
// session is the protocol, as a function. One loop runs all transfers: it reads, has session say what is to be done,
// sends and arms timers. Files are opened and read by goroutines of their own, in chunks that transfers share.
//
// Each transfer has a socket of its own, bound to the address that was asked and a new port, and connected, so that the
// kernel keeps other senders out of it and answers them with an ICMP error; the ERROR 5 of RFC 1350 section 4 goes to
// stray packets that reach the listening port. With Config.SinglePort all transfers share the listening socket instead.
package tftp
