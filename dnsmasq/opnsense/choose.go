package opnsense

import (
	"context"
	"slices"

	"pxeagent/agent/dhcp"
)

// choice is which of the firewall's DHCP servers is configured.
type choice struct {
	way      way
	refusals []dhcp.Problem // why it cannot be
	notes    []dhcp.Problem // about a change
}

// choose finds the configured interface and the DHCP server that serves it.
func (h *session) choose(ctx context.Context) (choice, error) {
	o, err := h.overview(ctx)
	if err != nil {
		return choice{}, err
	}
	i, err := o.find(h.cfg.Interface)
	if err != nil {
		return choice{}, err
	}
	var c choice
	daemon, refusal := o.decide(i, h.cfg.Daemon)
	if refusal != nil {
		c.refusals = append(c.refusals, *refusal)
	}
	switch {
	case daemon == Kea:
		c.way = newKea(h, o, i)
		if o.dnsmasq != nil {
			r, err := h.rows(ctx, o)
			if err != nil {
				return choice{}, err
			}
			if left := r.of(own{i.Name}); len(left) > 0 {
				c.notes = append(c.notes, dhcp.Note("leftover", "pxeagent's entries for %s are still in Dnsmasq, which leases "+
					"nothing there: with dhcp.opnsense.server dnsmasq, pxeagent revert removes them", i.Name))
			}
		}
	case o.dnsmasq == nil:
		return choice{}, o.denied
	default:
		c.way = h.dnsmasq(o, i)
	}
	switch {
	case slices.Contains(i.carp, "BACKUP"):
		c.refusals = append(c.refusals, dhcp.Refusal("ha-secondary",
			"this firewall is the backup of a pair on %s: configure the primary, whose settings are sent to this one",
			i.Name))
	case len(i.carp) > 0:
		c.notes = append(c.notes, dhcp.Note("ha",
			"this firewall is the primary of a pair on %s: its peer sends the same only after a sync", i.Name))
	case !o.addressed:
		c.notes = append(c.notes, dhcp.Note("ha",
			"of a pair of firewalls, configure the primary only: its peer sends the same only after a sync. Which one this "+
				"is cannot be seen with this key: its user lacks %s", interfacePrivilege))
	}
	return c, nil
}

// decide is the DHCP server of an interface by what is configured and what the firewall has, and why it cannot be used.
func (o overview) decide(i Interface, want Daemon) (Daemon, *dhcp.Problem) {
	dnsmasq, whyNot := o.dnsmasqServes(i)
	kea := o.kea != nil && o.kea.serves(i.Name)
	refuse := func(code, format string, args ...any) *dhcp.Problem {
		p := dhcp.Refusal(code, format, args...)
		return &p
	}
	switch {
	case want == Kea && kea:
		return Kea, nil
	case want == Kea && dnsmasq:
		return Kea, refuse("dnsmasq",
			"Dnsmasq and not Kea leases addresses on %s, and dhcp.opnsense.server is kea: set it to auto", i.Name)
	case want == Kea && o.kea == nil:
		return Kea, refuse("dhcp-off", "whether Kea leases addresses cannot be seen: the key's user lacks %s", keaPrivilege)
	case want == Kea:
		return Kea, refuse("dhcp-off", "Kea leases no addresses on %s: it is off, or does not listen there", i.Name)
	case dnsmasq:
		return Dnsmasq, nil
	case want == Dnsmasq && o.dnsmasq == nil:
		return Dnsmasq, &whyNot
	case want == Dnsmasq && kea:
		return Dnsmasq, refuse("kea",
			"Kea and not Dnsmasq leases addresses on %s, and dhcp.opnsense.server is dnsmasq: set it to auto", i.Name)
	case kea:
		return Kea, nil
	case o.dnsmasq == nil:
		return Kea, refuse("dhcp-off", "Kea leases no addresses on %s: it is off, or does not listen there; and %s", i.Name,
			whyNot.Text)
	case want == Auto && o.kea == nil:
		whyNot.Text += "; whether Kea does cannot be seen: the key's user lacks " + keaPrivilege
	}
	return Dnsmasq, &whyNot
}
