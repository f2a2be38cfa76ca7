package opnsensetest

// service is a DHCP server as the API has it.
type service struct {
	daemon  func(*Firewall) *daemon
	enabled func(*Firewall) bool
	start   func(*Firewall)
}

var (
	dnsmasqService = service{func(f *Firewall) *daemon { return &f.dnsmasq },
		func(f *Firewall) bool { return f.conf.Dnsmasq.Enable }, (*Firewall).startDnsmasq}
	keaService = service{func(f *Firewall) *daemon { return &f.kea },
		func(f *Firewall) bool { return f.conf.Kea.Enabled }, (*Firewall).startKea}
)

func (s service) status(f *Firewall, _ request) answer {
	d := s.daemon(f)
	state := "stopped"
	switch {
	case d.running && d.slow > 0:
		d.slow--
	case d.running:
		state = "running"
	case !s.enabled(f):
		state = "disabled"
	}
	return ok(m{"status": state, "widget": m{
		"caption_restart": "Restart", "caption_start": "Start", "caption_stop": "Stop",
	}})
}

// reconfigure answers ok whatever the daemon does.
func (s service) reconfigure(f *Firewall, q request) answer {
	if !q.post {
		return ok(m{"status": "failed"})
	}
	s.start(f)
	return ok(m{"status": "ok"})
}

// do is start, stop or restart, which answer OK whatever the daemon does.
func (s service) do(verb string) func(f *Firewall, q request) answer {
	return func(f *Firewall, q request) answer {
		d := s.daemon(f)
		switch {
		case !q.post:
			return ok(m{"response": []any{}})
		case verb == "stop":
			d.running = false
		case verb == "restart" || !d.running:
			s.start(f)
		}
		return ok(m{"response": "OK"})
	}
}
