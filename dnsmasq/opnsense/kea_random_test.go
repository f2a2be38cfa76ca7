package opnsense

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// randomKea changes what others have in Kea, and with some luck what a run before left.
func randomKea(r *rand.Rand, c *opnsensetest.Config) {
	codes := []string{"42", "43", "60", "66", "67", "67", "150", "252"}
	c.Kea.Options, c.Kea.Subnets[0].Option = nil, ""
	var list []string
	for i := range r.IntN(8) {
		o := opnsensetest.KeaOption{UUID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", r.Uint32()), Encoding: "hex",
			Code: codes[r.IntN(len(codes))], Data: fmt.Sprintf("%04X", r.IntN(1<<16)), Force: fmt.Sprint(r.IntN(2)),
			Description: fmt.Sprintf("somebody's %d", i)}
		if r.IntN(2) == 0 {
			o.MatchCode, o.MatchEncoding, o.MatchData = "93", "uint16", fmt.Sprint(r.IntN(20))
		}
		c.Kea.Options = append(c.Kea.Options, o)
		if r.IntN(4) > 0 {
			list = append(list, o.UUID)
		}
	}
	s := &c.Kea.Subnets[0]
	if r.IntN(3) == 0 { // ours, at any place
		v := keaView{Interface: "lan", Subnet: keaSubnet{Subnet: s.Subnet, Each: true}}
		at := r.IntN(len(list) + 1)
		for _, o := range v.want(keaBoot("10.77.0.20")).Options {
			c.Kea.Options = append(c.Kea.Options, opnsensetest.KeaOption{UUID: o.UUID, Code: o.Code, Encoding: o.Encoding,
				Data: o.Data, Force: o.Force, MatchCode: o.MatchCode, MatchEncoding: o.MatchEncoding, MatchData: o.MatchData,
				Description: o.Description})
			list = slices.Insert(list, at, o.UUID)
			at++
		}
	}
	for i, uuid := range list {
		if i > 0 {
			s.Option += ","
		}
		s.Option += uuid
	}
	s.NextServer, s.BootFileName, s.TFTPServerName = "", "", ""
	if r.IntN(2) == 0 {
		s.NextServer, s.BootFileName, s.TFTPServerName = "10.77.0.9", "person.0", "boot.lan"
	}
}

// Whatever others have in Kea stays as it is and in its order, and what was pxeagent's comes back to the byte.
func TestKeaOthersAreUntouched(t *testing.T) {
	lab.NoShort(t)
	f, s := stand(t, opnsensetest.Options{Config: keaSite()})
	for n := range 500 {
		r := rand.New(rand.NewPCG(uint64(n), 2))
		f.Edit(func(c *opnsensetest.Config) { randomKea(r, c) })
		own, others := keaParts(t, f)
		p := mustApply(t, s, dhcptest.FullBoot(fmt.Sprintf("10.77.0.%d", 1+n%200)))
		now, left := keaParts(t, f)
		if string(left) != string(others) || string(now) != string(p.After.Raw) {
			t.Fatalf("%d: after apply it is\n%s\n%s\nit was\n%s", n, now, left, others)
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if now, left = keaParts(t, f); string(left) != string(others) || string(now) != string(own) {
			t.Fatalf("%d: after revert it is\n%s\n%s\nit was\n%s\n%s", n, now, left, own, others)
		}
	}
}
