package pfsense

import (
	"context"

	"pxeagent/agent/dhcp"
)

// Plan reads the firewall's settings. Its problems have these codes. These refuse: bad-next-server, bad-boot-file,
// bad-url, no-boot-file, bad-script, script-isc, script-version, script-device, kea-custom-unreadable,
// no-dhcp, dhcp-off, relay, ha-secondary, unapplied, unsafe-text, option-67, still-boots. These are only shown:
// not-running, no-script, no-http-boot, arch-fault, other-archs, other-archs-url, http-option-60, kea-custom,
// kea-custom-class, kea-custom-interface, mapping, pool, deny-unknown, mac-filter, pool-full, option-66, option-60,
// root-path, next-server-elsewhere, ha-primary.
//
// Errors wrap ErrNoInterface, ErrAmbiguous or an error of the connection.
func (s *Server) Plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	if s.fresh && s.known != nil {
		s.fresh = false
		return s.known.plan(*s.iface, want, s.tellIPXE)
	}
	f, p, err := s.readInterface(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	return f.plan(p, want, s.tellIPXE)
}

// plan is what it takes for the interface p of f to send want. With tell, Kea gets a client class for iPXE.
func (f firewall) plan(p iface, want dhcp.Boot, tell bool) (dhcp.Plan, error) {
	old, can := f.settings(p), f.can(p)
	plan := dhcp.Plan{Own: p.addrs(), Peers: f.peers(p), Silence: f.silence(p)}
	var err error
	if plan.Before, err = old.state(can); err != nil {
		return dhcp.Plan{}, err
	}
	plan.After = plan.Before
	plan.Before.Stopped = !f.Running
	plan.Problems = checkBoot(want, f, p)
	if tell && want.Script != "" {
		plan.Problems = append(plan.Problems, f.scriptRefusals(p, want)...)
	}
	if len(plan.Problems) > 0 {
		// A change that cannot be written is not shown.
		return plan, nil
	}
	// Network boot is already off: there is nothing to write, and no problem matters.
	if want == (dhcp.Boot{}) && plan.Before.Boot == want {
		return plan, nil
	}
	if p.DHCP != nil {
		now, err := old.with(want, can, p, tell)
		if err != nil {
			return dhcp.Plan{}, err
		}
		if plan.After, err = now.state(can); err != nil {
			return dhcp.Plan{}, err
		}
	}
	plan.Problems = f.problems(p, want, plan.After.Boot)
	return plan, nil
}
