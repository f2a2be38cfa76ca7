package agent

import (
	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/logging"
	"pxeagent/agent/web"
)

// Bounds of what the page is told of one network. What is wrong goes first.
const (
	maxSteps   = 100 // of all its clients, and as many of all networks together as are in manySteps
	manySteps  = 240
	maxWrong   = 3 // of one client
	maxForeign = 6
	maxText    = 200 // bytes
)

// network is what is known before its road is walked.
func (w Watch) network(r probeResult, err error) web.Network {
	n := w.plain()
	for _, text := range r.foreign[:min(len(r.foreign), maxForeign)] {
		n.Foreign = append(n.Foreign, cut(text))
	}
	switch {
	case r.result == resultError:
		n.Result, n.Error = web.CheckError, cut(err.Error())
	case r.result == resultNoOffer:
		n.Result = web.NoOffer
	case r.result == resultWrong:
		n.Result = web.Disagrees
	}
	return n
}

// plain is what the configuration says of the network.
func (w Watch) plain() web.Network {
	n := web.Network{Name: w.Interface, Watched: !w.Blind, NextServer: w.Want.NextServer, Script: w.Want.Script, Every: w.Every.Seconds(), Clients: []web.Client{}}
	for _, c := range dhcp.ProbeClients(w.Want) {
		n.Clients = append(n.Clients, web.Client{Name: c.String(), Want: w.Want.Expect(c), State: map[string]web.Mark{}, Steps: []web.Step{}})
	}
	return n
}

// sum is the result for the network as a whole.
func sum(n web.Network) web.Result {
	if n.Result != web.NotChecked {
		return n.Result
	}
	for _, c := range n.Clients {
		for _, mark := range c.State {
			if mark == web.Bad {
				return web.Disagrees
			}
		}
	}
	return web.Agrees
}

// hopOf is the part of the road that a hop belongs to.
func hopOf(stage string) string {
	switch stage {
	case web.HopOffer, web.HopNBP, web.HopScript:
		return stage
	}
	return web.HopFiles
}

// roads sorts hops by client. The walk asks for a file once, and follows a script with the first client that comes to it: what is
// behind it holds for the others as well.
func roads(w Watch, r probeResult, hops []check.Hop) []web.Client {
	byClient := map[dhcp.Client][]check.Hop{}
	for _, h := range hops {
		byClient[h.Client] = append(byClient[h.Client], h)
	}
	first := map[string]dhcp.Client{} // by script
	states := map[dhcp.Client]map[string]web.Mark{}
	room := min(maxSteps, manySteps/max(w.of, 1))
	var out []web.Client
	for _, c := range r.clients {
		own := byClient[c]
		wc := web.Client{Name: c.String(), Want: w.Want.Expect(c), State: map[string]web.Mark{}, Steps: []web.Step{}}
		for _, text := range r.wrong[c][:min(len(r.wrong[c]), maxWrong)] {
			wc.Wrong = append(wc.Wrong, cut(text))
		}
		for _, h := range own {
			hop := hopOf(h.Stage)
			if h.OK && wc.State[hop] != web.Bad {
				wc.State[hop] = web.Good
			} else if !h.OK {
				wc.State[hop] = web.Bad
			}
		}
		if ok, asked := r.ok[c]; asked && !ok {
			wc.State[web.HopOffer] = web.Bad
		}
		if w.Blind {
			wc.State[web.HopOffer] = web.Blind
			own = own[min(1, len(own)):]
		}
		if n := len(own); n > 0 && own[n-1].Stage == web.HopScript && own[n-1].OK {
			if f, walked := first[own[n-1].What]; walked {
				wc.As = f.String()
				wc.State[web.HopFiles] = states[f][web.HopFiles]
				if states[f][web.HopScript] == web.Bad {
					wc.State[web.HopScript] = web.Bad
				}
			}
		}
		for _, h := range own {
			if _, walked := first[h.What]; h.Stage == web.HopScript && !walked {
				first[h.What] = c
			}
		}
		complete(wc.State, c)
		states[c] = wc.State
		wc.Steps, wc.More = steps(own, &room)
		out = append(out, wc)
	}
	return out
}

// complete marks hops that the client did not come to. A script that names no file leads to its end.
func complete(state map[string]web.Mark, c dhcp.Client) {
	for _, hop := range web.HopNames() {
		if state[hop] != "" || hop == web.HopNBP && c == dhcp.ClientIPXE {
			continue
		}
		state[hop] = web.Blind
		if hop == web.HopFiles && state[web.HopScript] == web.Good {
			state[hop] = web.Good
		}
	}
}

// steps are hops as the page shows them, as many as there is room for. Of those that are left out, all were found, unless so many were not
// that there is no room for them either.
func steps(hops []check.Hop, room *int) (out []web.Step, more int) {
	bad := 0
	for _, h := range hops {
		if !h.OK {
			bad++
		}
	}
	out = []web.Step{}
	for _, h := range hops {
		if *room <= 0 || h.OK && *room <= bad {
			more++
			continue
		}
		*room--
		if !h.OK {
			bad--
		}
		out = append(out, web.Step{Hop: hopOf(h.Stage), Stage: h.Stage, What: cut(h.What), OK: h.OK, Text: cut(h.Text), Bytes: h.Bytes, Took: h.Took.Seconds()})
	}
	return out, more
}

// cut shortens text that came over the wire to maxText. What cannot be printed is replaced, which JSON would write in six bytes.
func cut(s string) string { return logging.Cut(s, maxText) }
