package probe

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pxeagent/agent/firmware"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{})

// answer makes a server's message: yiaddr 10.77.0.50, siaddr 10.77.0.7, then the options as given.
func answer(typ byte, file string, options ...[]byte) []byte {
	b := make([]byte, headerLen)
	b[0], b[1], b[2] = 2, 1, 6
	binary.BigEndian.PutUint32(b[4:], 0xcafe)
	copy(b[16:], []byte{10, 77, 0, 50})
	copy(b[20:], []byte{10, 77, 0, 7})
	copy(b[28:], []byte{2, 0, 0, 0, 0, 1})
	copy(b[108:236], file)
	copy(b[headerLen-4:], magic[:])
	b = option(b, 53, typ)
	b = option(b, 54, 10, 77, 0, 1)
	for _, o := range options {
		b = append(b, o...)
	}
	return append(b, optEnd)
}

func text(code byte, s string) []byte { return option(nil, code, []byte(s)...) }

func TestParseReply(t *testing.T) {
	server, yours, next := netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.50"), netip.MustParseAddr("10.77.0.7")
	long := strings.Repeat("n", 128)
	for _, tc := range []struct {
		name   string
		packet []byte
		want   Offer
	}{
		{"in the header", answer(typeOffer, "undionly.kpxe"), Offer{Offer: firmware.Offer{File: "undionly.kpxe"}}},
		{"garbage after the name's NUL", answer(typeOffer, "a\x00b"), Offer{Offer: firmware.Offer{File: "a"}}},
		{"header without NUL", answer(typeOffer, long), Offer{Offer: firmware.Offer{File: long}}},
		{"option 67 with NUL", answer(typeOffer, "", text(67, "a\x00")), Offer{Offer: firmware.Offer{Option67: "a"}, End67: End67NUL}},
		{"option 67 last", answer(typeOffer, "", text(67, "a")), Offer{Offer: firmware.Offer{Option67: "a"}, End67: End67Last}},
		{"option 67 not last", answer(typeOffer, "", text(67, "a"), text(66, "tftp\x00")), Offer{Offer: firmware.Offer{Option67: "a", Option66: "tftp"}}},
		{"option 67 with other bytes at its end", answer(typeOffer, "", text(67, "a\xfe")), Offer{Offer: firmware.Offer{Option67: "a\xfe"}, End67: End67Last}},
		{"option 67 with 0xFF in it", answer(typeOffer, "", text(67, "a\xff")), Offer{Offer: firmware.Offer{Option67: "a"}, End67: End67Byte}},
		{"option 67 in two parts", answer(typeOffer, "", text(67, "undi"), []byte{0}, text(67, "only.kpxe"), text(60, "PXEClient")),
			Offer{Offer: firmware.Offer{Option67: "undionly.kpxe", Vendor: "PXEClient"}}},
		{"options in file", answer(typeOffer, string(append(text(67, "over"), optEnd)), option(nil, 52, 1)), Offer{Offer: firmware.Offer{Option67: "over"}, Overload: 1}},
		{"overload out of range", answer(typeOffer, "a", option(nil, 52, 7)), Offer{Offer: firmware.Offer{File: "a"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := parseReply(tc.packet)
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Server, tc.want.YourIP, tc.want.NextServer = server, yours, next
			if diff := cmp.Diff(tc.want, r.offer, sameAddr); diff != "" {
				t.Error(diff)
			}
			if r.xid != 0xcafe || r.chaddr != [6]byte{2, 0, 0, 0, 0, 1} || r.typ != typeOffer {
				t.Errorf("xid %#x, chaddr %x, type %d", r.xid, r.chaddr, r.typ)
			}
		})
	}
}

func TestParseReplyOverloadedSname(t *testing.T) {
	p := answer(typeOffer, "", option(nil, 52, 2))
	copy(p[44:], append(text(67, "in-sname"), optEnd))
	o, err := parseOffer(p)
	if err != nil || o.Option67 != "in-sname" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseReplyProxyWithoutServerID(t *testing.T) {
	p := answer(typeOffer, "a")
	clear(p[16:20])
	p = append(p[:headerLen], append(option(nil, 53, typeOffer), optEnd)...)
	r, err := parseReply(p)
	if err != nil || !r.offer.Proxy || !r.offer.NoServerID || r.offer.Server.IsValid() {
		t.Errorf("%+v, %v", r.offer, err)
	}
}

func TestParseReplyRefuses(t *testing.T) {
	request := answer(typeOffer, "")
	request[0] = 1
	cookie := answer(typeOffer, "")
	cookie[236] = 0
	for name, p := range map[string][]byte{
		"nothing":         nil,
		"header only":     make([]byte, 236),
		"a request":       request,
		"no cookie":       cookie,
		"cut-off option":  append(answer(typeOffer, ""), 0)[:headerLen+4],
		"length too long": answer(typeOffer, "", []byte{67, 200, 'a'}),
		"code at the end": append(bytes.TrimSuffix(answer(typeOffer, ""), []byte{optEnd}), 67),
		"cut-off in file": answer(typeOffer, strings.Repeat("\x00", 126)+"\x43\x09", option(nil, 52, 1)),
	} {
		if r, err := parseReply(p); err == nil {
			t.Errorf("%s: taken as %+v", name, r)
		}
	}
	if _, err := parseOffer(answer(typeACK, "")); err == nil {
		t.Error("an ACK is taken for an offer")
	}
}

func FuzzParseReply(f *testing.F) {
	f.Add(answer(typeOffer, "undionly.kpxe"))
	f.Add(answer(typeOffer, string(append(text(67, "over"), optEnd)), option(nil, 52, 3)))
	f.Add(answer(typeACK, "", text(67, "a\xff"), text(43, "\x06\x01\x08\x09\x05\x00\x02\x02ab\xff")))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b)
		if err != nil {
			return
		}
		o := r.offer
		if len(o.File) > 128 || strings.Contains(o.File, "\x00") || !o.NextServer.Is4() || o.NoServerID == o.Server.IsValid() {
			t.Errorf("%+v", o)
		}
		for _, s := range []string{o.Option67, o.Option66} {
			if strings.HasSuffix(s, "\x00") || strings.HasSuffix(s, "\xff") {
				t.Errorf("%q is not trimmed", s)
			}
		}
		needsProxy(heard{r, &ask{}})
		if item := firstItem(r.pxe); item != nil && len(item) != 4 {
			t.Errorf("item %x", item)
		}
	})
}
