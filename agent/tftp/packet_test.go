package tftp

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

// recording is a request of a real client.
type recording struct {
	Client  string
	RawHex  string `json:"raw_hex"`
	Decoded struct {
		File, Mode string
		Options    [][2]string `json:"options_in_order"`
	}
}

func recordings(t testing.TB) []recording {
	t.Helper()
	raw, err := os.ReadFile("../boot/testdata/rrq.json")
	if err != nil {
		t.Fatal(err)
	}
	var all, sent []recording
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.RawHex != "" {
			sent = append(sent, r)
		}
	}
	return sent
}

func TestParseRecordedRequests(t *testing.T) {
	all := recordings(t)
	if len(all) < 29 {
		t.Fatalf("only %d recordings", len(all))
	}
	for _, rec := range all {
		b, err := hex.DecodeString(rec.RawHex)
		if err != nil {
			t.Fatal(err)
		}
		want := request{name: rec.Decoded.File, mode: rec.Decoded.Mode}
		for _, o := range rec.Decoded.Options {
			want.options = append(want.options, boot.Option{Name: o[0], Value: o[1]})
		}
		if got, err := parseRequest(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", rec.Client, got, err, want)
		}
	}
}

func TestParseRequest(t *testing.T) {
	for _, tt := range []struct {
		what, packet string
		want         request
		err          error
	}{
		{"no options", "\x00\x01f\x00octet\x00", request{name: "f", mode: "octet"}, nil},
		{"mode in capitals", "\x00\x01f\x00OcTeT\x00", request{name: "f", mode: "octet"}, nil},
		{"netascii", "\x00\x01f\x00netascii\x00", request{name: "f", mode: "netascii", netascii: true}, nil},
		{"write", "\x00\x02f\x00octet\x00", request{write: true, name: "f", mode: "octet"}, nil},
		{"empty name", "\x00\x01\x00octet\x00", request{mode: "octet"}, nil},
		{"0xFF stays in the name", "\x00\x01f\xff\x00octet\x00", request{name: "f\xff", mode: "octet"}, nil},
		{"mode without NUL", "\x00\x01f\x00octet", request{name: "f", mode: "octet"}, nil},
		{"last value without NUL", "\x00\x01f\x00octet\x00tsize\x000",
			request{name: "f", mode: "octet", options: []boot.Option{{Name: "tsize", Value: "0"}}}, nil},
		{"padding", "\x00\x01f\x00octet\x00tsize\x000\x00\x00\x00\x00",
			request{name: "f", mode: "octet", options: []boot.Option{{Name: "tsize", Value: "0"}}}, nil},
		{"option without a value", "\x00\x01f\x00octet\x00tsize\x000\x00blksize",
			request{name: "f", mode: "octet", options: []boot.Option{{Name: "tsize", Value: "0"}}}, nil},
		{"no mode", "\x00\x01f\x00", request{name: "f"}, errMalformed},
		{"name without NUL", "\x00\x01f", request{name: "f"}, errMalformed},
		{"nothing", "\x00\x01", request{}, errMalformed},
		{"one byte", "\x00", request{}, errNotRequest},
		{"ACK", "\x00\x04\x00\x00", request{}, errNotRequest},
		{"too long", "\x00\x01" + strings.Repeat("a", maxRequest) + "\x00octet\x00", request{}, errMalformed},
	} {
		got, err := parseRequest([]byte(tt.packet))
		if !errors.Is(err, tt.err) || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.what, got, err, tt.want, tt.err)
		}
	}
	many := "\x00\x01f\x00octet\x00" + strings.Repeat("a\x00b\x00", 200)
	if got, err := parseRequest([]byte(many)); err != nil || len(got.options) != maxOptions {
		t.Errorf("%d options kept, %v", len(got.options), err)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, rec := range recordings(f) {
		b, _ := hex.DecodeString(rec.RawHex)
		f.Add(b)
	}
	f.Add([]byte("\x00\x01f\xff\x00octet\x00blksize\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if len(r.options) > maxOptions || len(r.name) > maxRequest || strings.ContainsRune(r.name, 0) {
			t.Fatalf("%+v", r)
		}
		if err != nil {
			return
		}
		// What is granted is within the limits, whatever was asked, and its options are among those asked, in order.
		terms := negotiate(r.options, 1<<40, 1468, maxWindow)
		if terms.blksize < minBlksize || terms.blksize > 1468 || terms.window < 1 || terms.window > maxWindow ||
			terms.window*terms.blksize > maxFlight {
			t.Fatalf("%q: %+v", b, terms)
		}
		i := 0
		for _, o := range terms.oack {
			for i < len(r.options) && r.options[i].Name != o.Name {
				i++
			}
			if i++; i > len(r.options) {
				t.Fatalf("%q: OACK %v", r.options, terms.oack)
			}
		}
		// Put together again it reads the same.
		again := append(b[:0:0], 0, b[1])
		again = append(append(append(append(again, r.name...), 0), r.mode...), 0)
		again = append(again, appendOACK(nil, r.options)[2:]...)
		if got, err := parseRequest(again); len(again) <= maxRequest && (err != nil || !reflect.DeepEqual(got, r)) {
			t.Fatalf("%+v became %+v, %v", r, got, err)
		}
	})
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte{0, 4, 0, 1})
	f.Add([]byte("\x00\x05\x00\x08User aborted the transfer\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := parseReply(b)
		if r.op != 0 && r.op != opACK && r.op != opERROR || len(r.text) > len(b) {
			t.Fatalf("%q: %+v", b, r)
		}
	})
}
