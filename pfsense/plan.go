package pfsense

import (
	"context"
	"fmt"

	"pxeagent/agent/dhcp"
)

// Plan reads the firewall's settings. Its problems have these codes. They refuse: bad-next-server, bad-boot-file, bad-url,
// two-urls, no-boot-file, no-dhcp, dhcp-off, relay, ha-secondary, unapplied, unsafe-text. They are shown: not-running, no-script,
// no-http-boot, arch-fault, other-archs, other-archs-url, http-option-60, kea-custom, mapping, pool, deny-unknown, mac-filter, pool-full, option-66,
// option-67, option-60, root-path, next-server-elsewhere, ha-primary.
//
// Errors wrap ErrNoInterface, ErrAmbiguous or what reaching the firewall gave.
func (s *Server) Plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	f, p, err := s.look(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	return f.plan(p, want)
}

// plan is what it takes to make the interface p of f say want.
func (f firewall) plan(p port, want dhcp.Boot) (dhcp.Plan, error) {
	var old keys
	if p.DHCP != nil {
		old = p.DHCP.Keys
	}
	can := f.can(p)
	plan := dhcp.Plan{Own: p.addrs(), Peers: f.peers(p)}
	var err error
	if plan.Before, err = old.state(can); err != nil {
		return dhcp.Plan{}, err
	}
	plan.After = plan.Before
	if plan.Problems = checkBoot(want, f, p); len(plan.Problems) > 0 {
		// What cannot be written is not shown as if it would be.
		return plan, nil
	}
	// Nothing is turned off that does not say anything, and no problem is one then.
	if want == (dhcp.Boot{}) && plan.Before.Boot == want {
		return plan, nil
	}
	if p.DHCP != nil {
		if plan.After, err = old.with(want, can).state(can); err != nil {
			return dhcp.Plan{}, err
		}
	}
	plan.Problems = f.problems(p, want, plan.After.Boot)
	return plan, nil
}

func (k keys) state(can abilities) (dhcp.State, error) {
	raw, err := k.record()
	if err != nil {
		return dhcp.State{}, fmt.Errorf("the settings as a record: %w", err)
	}
	return dhcp.State{Boot: k.boot(can), Raw: raw}, nil
}

func note(code, format string, args ...any) dhcp.Problem {
	return dhcp.Problem{Code: code, Text: fmt.Sprintf(format, args...)}
}

func refuse(code, format string, args ...any) dhcp.Problem {
	return dhcp.Problem{Code: code, Text: fmt.Sprintf(format, args...), Refuse: true}
}
