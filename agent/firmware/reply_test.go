package firmware

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// End is missing from these: parse adds it.
func TestParse(t *testing.T) {
	next := netip.MustParseAddr("10.77.0.7")
	long := strings.Repeat("n", 128)
	of := func() *packet { return lease(s).siaddr(next) }
	for name, c := range map[string]struct {
		packet *packet
		want   Offer
	}{
		"in the header":                {of().file("undionly.kpxe"), Offer{File: "undionly.kpxe"}},
		"garbage after the name's NUL": {of().file("a\x00b"), Offer{File: "a"}},
		"header without NUL":           {of().file(long), Offer{File: long}},
		"option 67 with NUL":           {of().option(67, 'a', 0), Offer{Option67: "a", End67: End67NUL}},
		"option 67 last":               {of().option(67, 'a'), Offer{Option67: "a", End67: End67Last}},
		"option 67 not last": {of().option(67, 'a').option(66, []byte("tftp\x00")...),
			Offer{Option67: "a", Option66: "tftp"}},
		"option 67 with other bytes at its end": {of().option(67, 'a', 0xfe), Offer{Option67: "a\xfe", End67: End67Last}},
		"option 67 with 0xFF in it":             {of().option(67, 'a', 0xff), Offer{Option67: "a", End67: End67Byte}},
		"option 67 in two parts": {of().option(67, []byte("undi")...).option(67, []byte("only.kpxe")...).vendor("PXEClient"),
			Offer{Option67: "undionly.kpxe", Vendor: "PXEClient"}},
		"options in file":       {of().option(52, 1).file("\x43\x04over\xff"), Offer{Option67: "over", Overload: 1}},
		"overload out of range": {of().option(52, 7).file("a"), Offer{File: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(c.packet.bytes())
			if err != nil {
				t.Fatal(err)
			}
			c.want.Server, c.want.YourIP, c.want.NextServer, c.want.Type = s, client, next, 2
			c.want.Options = o.Options
			if !o.SaysSame(c.want) || o.YourIP != client || o.Type != 2 || o.Proxy || o.NoServerID {
				t.Errorf("%+v, want %+v", o, c.want)
			}
		})
	}
	sname := of().option(52, 2)
	copy(sname.header[44:], "\x43\x08in-sname\xff")
	if o, err := Parse(sname.bytes()); err != nil || o.Option67 != "in-sname" || o.Overload != 2 {
		t.Errorf("options in sname: %+v, %v", o, err)
	}
	if o, err := Parse(proxy(x).file("a").without(54).bytes()); err != nil || !o.Proxy || !o.NoServerID ||
		o.Server.IsValid() {
		t.Errorf("a proxy without server identifier: %+v, %v", o, err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := lease(s).bytes()
	request, cookie := bytes.Clone(good), bytes.Clone(good)
	request[0], cookie[236] = 1, 0
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"header only":     make([]byte, 236),
		"a request":       request,
		"no cookie":       cookie,
		"cut-off option":  good[:HeaderLen+4],
		"length too long": append(good[:len(good)-1], 67, 200, 'a'),
		"code at the end": append(good[:len(good)-1], 67),
		"cut-off in file": lease(s).option(52, 1).file(strings.Repeat("\x00", 126) + "\x43\x09").bytes(),
	} {
		if o, err := Parse(b); err == nil {
			t.Errorf("%s: taken as %+v", name, o)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(lease(s).boot("undionly.kpxe").bytes())
	f.Add(lease(s).option(52, 3).file("\x43\x04over\xff").bytes())
	f.Add(message(s, 5).option(67, 'a', 0xff).pxe(6, 1, 8, 9, 5, 0, 2, 2, 'a', 'b').bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		if len(o.File) > 128 || strings.Contains(o.File, "\x00") || !o.NextServer.Is4() ||
			o.NoServerID == o.Server.IsValid() {
			t.Errorf("%+v", o)
		}
		for _, text := range []string{o.Option67, o.Option66} {
			if strings.HasSuffix(text, "\x00") || strings.HasSuffix(text, "\xff") {
				t.Errorf("%q is not trimmed", text)
			}
		}
		if !o.SaysSame(o) {
			t.Error("differs from itself")
		}
	})
}
