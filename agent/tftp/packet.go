package tftp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"pxeagent/agent/boot"
)

// Opcodes of RFC 1350 section 5 and RFC 2347.
const (
	opRRQ   = 1
	opWRQ   = 2
	opDATA  = 3
	opACK   = 4
	opERROR = 5
	opOACK  = 6
)

// Error codes of RFC 1350 appendix I and RFC 2347.
const (
	codeUndefined  = 0
	codeNotFound   = 1
	codeAccess     = 2
	codeIllegal    = 4
	codeUnknownTID = 5
	codeOption     = 8
)

const (
	headerLen   = 4    // opcode and block number or error code
	maxRequest  = 1024 // RFC 2347 allows 512 octets; firmware with long paths gets twice that
	maxOptions  = 16
	defaultSize = 512 // block size without the option
)

// request is a parsed RRQ or WRQ.
type request struct {
	write    bool
	name     string
	mode     string // in lower case
	options  []boot.Option
	netascii bool
}

var (
	errNotRequest = errors.New("not a read or write request")
	errMalformed  = errors.New("malformed request")
)

// parseRequest reads an RRQ or WRQ as firmware sends it, which is not always as the RFCs have it: the last
// string may lack its NUL, bytes may follow it, and an option may lack its value. What cannot be a pair is dropped,
// never the whole request. A request without a mode is malformed; its name is returned all the same.
func parseRequest(b []byte) (request, error) {
	var r request
	if len(b) < 2 {
		return r, errNotRequest
	}
	switch binary.BigEndian.Uint16(b) {
	case opRRQ:
	case opWRQ:
		r.write = true
	default:
		return r, errNotRequest
	}
	if len(b) > maxRequest {
		return r, errMalformed
	}
	name, rest, _ := bytes.Cut(b[2:], []byte{0})
	mode, rest, _ := bytes.Cut(rest, []byte{0})
	r.name, r.mode = string(name), strings.ToLower(string(mode))
	if r.mode == "" {
		return r, errMalformed
	}
	r.netascii = r.mode == "netascii"
	for len(rest) > 0 && len(r.options) < maxOptions {
		var option, value []byte
		var found bool
		if option, rest, found = bytes.Cut(rest, []byte{0}); !found || len(option) == 0 {
			break // padding, or a name without a value
		}
		value, rest, _ = bytes.Cut(rest, []byte{0})
		r.options = append(r.options, boot.Option{Name: string(option), Value: string(value)})
	}
	return r, nil
}

// putData writes the header of block n, which goes over the wire modulo 65536: RFC 1350 does not say what
// follows 65535, all clients that were tried expect 0.
func putData(b []byte, n int64) {
	binary.BigEndian.PutUint16(b, opDATA)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
}

func appendError(b []byte, code uint16, text string) []byte {
	b = binary.BigEndian.AppendUint16(b, opERROR)
	b = binary.BigEndian.AppendUint16(b, code)
	return append(append(b, text...), 0)
}

func appendOACK(b []byte, options []boot.Option) []byte {
	b = binary.BigEndian.AppendUint16(b, opOACK)
	for _, o := range options {
		b = append(append(b, o.Name...), 0)
		b = append(append(b, o.Value...), 0)
	}
	return b
}

// reply is a packet from a client in a transfer: an ACK with its block, an ERROR with its code and text, or
// something else, with op 0.
type reply struct {
	op     uint16
	number uint16
	text   []byte // part of the packet
}

func parseReply(b []byte) reply {
	if len(b) < headerLen {
		return reply{}
	}
	r := reply{op: binary.BigEndian.Uint16(b), number: binary.BigEndian.Uint16(b[2:])}
	switch r.op {
	case opACK:
	case opERROR:
		r.text, _, _ = bytes.Cut(b[headerLen:], []byte{0})
	default:
		r.op = 0
	}
	return r
}
