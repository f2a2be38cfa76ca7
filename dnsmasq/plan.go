package dnsmasq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pxeagent/agent/dhcp"
)

// Plan reads the drop-in and the whole configuration around it. Its problems have these codes. These refuse:
// bad-next-server, bad-boot-file, bad-url, bad-script, no-boot-file, conf-dir-not-read, no-range, leases-here,
// not-served, only-known, overridden, boot-menu, second-boot-file, unreachable. These are only shown: edited,
// not-running, several-daemons, unread, other-boot, other-match, other-option, other-pxe, options-file, own-tftp,
// opens-ports, affects-pxe, affects-http, mode, needs-route. Refused if it is certain, else only shown:
// ignores-clients.
//
// Errors wrap ErrNotInstalled, ErrNoInterface, ErrNoAddress or a file error. To disable network
// boot, interface, address and program are not needed.
func (s *Server) Plan(_ context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	before, err := s.state()
	if err != nil {
		return dhcp.Plan{}, err
	}
	p := dhcp.Plan{Before: before, Proxy: s.cfg.Mode == ModeProxy}
	old := parseDropIn(before.Raw, s.cfg.Interface)
	if before.Raw != nil {
		p.Problems = append(p.Problems, s.olds(old, before.Raw)...)
	}
	off := want == dhcp.Boot{}
	n, err := lookNetwork(s.cfg.Interface)
	if err != nil && (!off || !(errors.Is(err, ErrNoInterface) || errors.Is(err, ErrNoAddress))) {
		return dhcp.Plan{}, err
	}
	p.Own = n.own()
	if off {
		return p, nil
	}
	if bad := checkBoot(want, s.cfg.Mode); len(bad) > 0 {
		// A value that cannot be written is not rendered: the plan shows the current settings and the problem.
		p.After, p.Problems = before, append(p.Problems, bad...)
		return p, nil
	}
	d := dropIn{boot: want, mode: s.cfg.Mode}
	if d.mode == ModeProxy {
		d.nets = n.nets()
	}
	p.After = dhcp.State{Boot: want, Raw: d.render(s.cfg.Interface)}
	t, err := s.find(p.After.Raw)
	if err != nil {
		return dhcp.Plan{}, err
	}
	p.Problems = append(p.Problems, s.daemonProblems(t)...)
	j := s.judge(t.tree, n, d)
	p.Problems = append(p.Problems, j.problems()...)
	p.Silence = j.silence()
	return p, nil
}

// olds are the notes about the existing drop-in.
func (s *Server) olds(old parsed, raw []byte) []dhcp.Problem {
	var list []dhcp.Problem
	if why := old.edited(raw, s.cfg.Interface); why != "" {
		list = append(list, dhcp.Note("edited", "%s has %s; it will be overwritten", s.file, why))
	}
	if old.mode != s.cfg.Mode && old.boot != (dhcp.Boot{}) {
		list = append(list, dhcp.Note("mode", "%s is for mode %s and will be changed to mode %s", s.file, old.mode,
			s.cfg.Mode))
	}
	return list
}

func (s *Server) daemonProblems(t target) []dhcp.Problem {
	var list []dhcp.Problem
	if t.tree.own < 0 {
		text := fmt.Sprintf("Dnsmasq does not read %s", s.file)
		if len(t.elsewhere) > 0 {
			text = fmt.Sprintf("no running Dnsmasq (process %d and others that serve here) reads %s", t.elsewhere[0].pid, s.file)
			if len(t.elsewhere) == 1 {
				text = fmt.Sprintf("the running Dnsmasq (process %d) does not read %s", t.elsewhere[0].pid, s.file)
			}
		}
		if len(t.tree.dirs) > 0 {
			text += "; its conf-dir is " + strings.Join(t.tree.dirs, ", ")
		}
		if len(t.elsewhere) == 1 && t.elsewhere[0].pihole {
			return []dhcp.Problem{dhcp.Refusal("conf-dir-not-read",
				"%s: configure Pi-hole by its API with dhcp.pihole.url (--pihole), or let it read its folder with `pihole-FTL "+
					"--config misc.etc_dnsmasq_d true`", text)}
		}
		return []dhcp.Problem{dhcp.Refusal("conf-dir-not-read",
			"%s: add conf-dir=%s,*.conf to its configuration and restart it, or set dhcp.dnsmasq.conf_dir to a folder that it "+
				"reads", text, s.cfg.ConfDir)}
	}
	if !t.running {
		list = append(list, dhcp.Note("not-running", "no running Dnsmasq reads %s; it will be started", s.cfg.ConfDir))
	}
	if len(t.others) > 0 {
		list = append(list, dhcp.Note("several-daemons",
			"processes %d and %d both read %s: the drop-in affects both, and only the restart of the first is verified", t.pid,
			t.others[0].pid, s.cfg.ConfDir))
	}
	for _, what := range t.tree.unread {
		list = append(list, dhcp.Note("unread", "not read: %s; conflicts there are not detected", what))
	}
	return list
}
