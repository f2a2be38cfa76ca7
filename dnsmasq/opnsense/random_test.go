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

// randomDnsmasq makes rows of others, without a consequence for machines that boot on lan, and some of pxeagent's, in
// any order.
func randomDnsmasq(r *rand.Rand, d *opnsensetest.Dnsmasq) {
	id := func(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }
	d.Tags, d.Options, d.Boots = nil, nil, nil
	for n := range r.IntN(4) {
		d.Tags = append(d.Tags, opnsensetest.Tag{UUID: id(1, n), Tag: fmt.Sprintf("site%d", n)})
	}
	tag := func() string {
		if len(d.Tags) == 0 {
			return ""
		}
		return d.Tags[r.IntN(len(d.Tags))].UUID
	}
	for n := range r.IntN(6) {
		o := opnsensetest.Option{UUID: id(2, n), Type: "set", Option: "42", Value: "10.77.0.9",
			Description: "time \"here\""}
		switch r.IntN(4) {
		case 0:
			o.Tag, o.Force = tag(), "1"
		case 1:
			o.Interface, o.Option, o.Value = "opt1", "67", "guest.0"
		case 2:
			if set := tag(); set != "" {
				o.Type, o.SetTag, o.Option, o.Value = "match", set, "12", "printer"
			}
		}
		d.Options = append(d.Options, o)
	}
	for n := range r.IntN(4) {
		d.Boots = append(d.Boots, opnsensetest.Boot{UUID: id(3, n), Interface: "opt1", Tag: tag(), Filename: "guest.0",
			Address: "10.78.0.7"})
	}
	if len(d.Tags) > 0 && r.IntN(2) == 0 {
		d.Ranges[0].SetTag = tag()
	} else {
		d.Ranges[0].SetTag = ""
	}
	d.Ranges[0].LeaseTime = fmt.Sprint(600 + r.IntN(100))
	if r.IntN(2) == 0 {
		return
	}
	// Those of an earlier run, of which somebody removed some and changed others.
	for _, e := range (own{"lan"}).entries(dhcptest.FullBoot("10.77.0.20")) {
		f := e.Fields
		switch {
		case e.Table == tags:
			d.Tags = append(d.Tags, opnsensetest.Tag{UUID: e.UUID, Tag: f["tag"]})
		case r.IntN(4) == 0:
		case e.Table == options:
			d.Options = insert(r, d.Options, opnsensetest.Option{UUID: e.UUID, Type: f["type"], Option: f["option"],
				Interface: f["interface"], Tag: f["tag"], SetTag: f["set_tag"], Value: f["value"], Force: f["force"],
				Description: f["description"]})
		default:
			d.Boots = insert(r, d.Boots, opnsensetest.Boot{UUID: e.UUID, Interface: f["interface"], Tag: f["tag"],
				Filename: f["filename"] + fmt.Sprint(r.IntN(2)), Servername: f["servername"], Address: f["address"]})
		}
	}
}

func insert[T any](r *rand.Rand, list []T, e T) []T {
	return slices.Insert(list, r.IntN(len(list)+1), e)
}

// Whatever others have in Dnsmasq's pages stays as it is and in its order, and what was pxeagent's says the same again.
func TestOthersAreUntouched(t *testing.T) {
	lab.NoShort(t)
	f, s := stand(t, opnsensetest.Options{})
	for n := range 500 {
		f.Edit(func(c *opnsensetest.Config) { randomDnsmasq(rand.New(rand.NewPCG(uint64(n), 3)), &c.Dnsmasq) })
		others, ours := othersOf(f), oursOf(f)
		p := mustApply(t, s, dhcptest.FullBoot(fmt.Sprintf("10.77.0.%d", 1+n%200)))
		if now := othersOf(f); string(now) != string(others) {
			t.Fatalf("%d: after apply others are\n%s\nthey were\n%s", n, now, others)
		}
		if err := s.Revert(t.Context(), p); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if now := othersOf(f); string(now) != string(others) {
			t.Fatalf("%d: after revert others are\n%s\nthey were\n%s", n, now, others)
		}
		if now := oursOf(f); !slices.Equal(now, ours) {
			t.Fatalf("%d: after revert pxeagent's are\n%s\nthey were\n%s", n, now, ours)
		}
	}
}

// oursOf are the rows of pxeagent, whatever their order.
func oursOf(f *opnsensetest.Firewall) []string {
	d, o := f.Config().Dnsmasq, own{"lan"}
	var list []string
	add := func(uuid string, row any) {
		if o.has(uuid) {
			list = append(list, fmt.Sprintf("%+v", row))
		}
	}
	for _, e := range d.Tags {
		add(e.UUID, e)
	}
	for _, e := range d.Options {
		add(e.UUID, e)
	}
	for _, e := range d.Boots {
		add(e.UUID, e)
	}
	slices.Sort(list)
	return list
}
