package watch

import (
	"cmp"

	"pxeagent/agent/check"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/logging"
)

// Bounds of a State. What is wrong goes first.
const (
	maxSteps   = 100 // of all its clients, and as many of all networks together as are in manySteps
	manySteps  = 240
	maxWrong   = 3 // of one client
	maxForeign = 6
	maxText    = 200 // bytes
	// maxNetworks is how many networks have a State.
	maxNetworks = 16
)

// probed is what is known before the boot path is checked.
func (w Network) probed(r probeResult, err error) State {
	n := w.plain()
	for _, text := range r.foreign[:min(len(r.foreign), maxForeign)] {
		n.Foreign = append(n.Foreign, cut(text))
	}
	switch {
	case r.result == resultError:
		n.Result, n.Error = CheckError, cut(err.Error())
	case r.result == resultNoOffer:
		n.Result = NoOffer
	case r.result == resultWrong:
		n.Result = Disagrees
	}
	return n
}

// plain is what the configuration says of the network.
func (w Network) plain() State {
	n := State{
		Name: w.Interface, Watched: !w.NoProbe, NextServer: w.Want.NextServer, Script: cmp.Or(w.Script, w.Want.Script),
		Every: w.Every.Seconds(), Clients: []Client{},
	}
	for _, c := range dhcp.ProbeClients(w.desired()) {
		client := Client{Name: c.String(), Want: w.desired().Expect(c), State: map[string]Mark{}, Steps: []Step{}}
		n.Clients = append(n.Clients, client)
	}
	return n
}

// sum is the result for the network as a whole.
func sum(n State) Result {
	if n.Result != NotChecked {
		return n.Result
	}
	for _, c := range n.Clients {
		for _, mark := range c.State {
			if mark == Bad {
				return Disagrees
			}
		}
	}
	return Agrees
}

// stepOf is the step that a stage of the check belongs to.
func stepOf(stage string) string {
	switch stage {
	case StepOffer, StepNBP, StepScript:
		return stage
	}
	return StepFiles
}

// paths sorts steps by client. The check asks for a file once, and follows a script with the first client that comes to
// it: what is behind it holds for the others as well.
func (w Network) paths(r probeResult, checked []check.Step, of int) []Client {
	byClient := map[firmware.Client][]check.Step{}
	for _, h := range checked {
		byClient[h.Client] = append(byClient[h.Client], h)
	}
	first := map[string]firmware.Client{} // by script
	states := map[firmware.Client]map[string]Mark{}
	room := min(maxSteps, manySteps/max(of, 1))
	var out []Client
	for _, c := range r.clients {
		own := byClient[c]
		wc := Client{Name: c.String(), Want: w.desired().Expect(c), State: map[string]Mark{}, Steps: []Step{}}
		for _, h := range own {
			if h.Stage == StepOffer && !w.NoProbe {
				wc.Reason, wc.Doubt = cut(h.Reason), cut(h.Doubt)
			}
		}
		for _, text := range r.wrong[c][:min(len(r.wrong[c]), maxWrong)] {
			wc.Wrong = append(wc.Wrong, cut(text))
		}
		for _, h := range own {
			step := stepOf(h.Stage)
			if h.OK && wc.State[step] != Bad {
				wc.State[step] = Good
			} else if !h.OK {
				wc.State[step] = Bad
			}
		}
		if ok, asked := r.ok[c]; asked && !ok {
			wc.State[StepOffer] = Bad
		}
		if w.NoProbe {
			wc.State[StepOffer] = Unknown
			own = own[min(1, len(own)):]
		}
		if n := len(own); n > 0 && own[n-1].Stage == StepScript && own[n-1].OK {
			if f, walked := first[own[n-1].What]; walked {
				wc.As = f.String()
				wc.State[StepFiles] = states[f][StepFiles]
				if states[f][StepScript] == Bad {
					wc.State[StepScript] = Bad
				}
			}
		}
		for _, h := range own {
			if _, walked := first[h.What]; h.Stage == StepScript && !walked {
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

// complete marks steps that the client did not come to. A script that names no file leads to its end.
func complete(state map[string]Mark, c firmware.Client) {
	for _, step := range StepNames() {
		if state[step] != "" || step == StepNBP && c == firmware.ClientIPXE {
			continue
		}
		state[step] = Unknown
		if step == StepFiles && state[StepScript] == Good {
			state[step] = Good
		}
	}
}

// steps are those of a check as the page shows them, as many as there is room for. Of those that are left out, all were
// found, unless so many were not that there is no room for them either.
func steps(checked []check.Step, room *int) (out []Step, more int) {
	bad := 0
	for _, h := range checked {
		if !h.OK {
			bad++
		}
	}
	out = []Step{}
	for _, h := range checked {
		if *room <= 0 || h.OK && *room <= bad {
			more++
			continue
		}
		*room--
		if !h.OK {
			bad--
		}
		text := h.Text
		if h.OK && h.Stage == StepOffer {
			text = "" // it is Client.Reason
		}
		out = append(out, Step{
			Name: stepOf(h.Stage), Stage: h.Stage, What: cut(h.What), OK: h.OK, Text: cut(text), Bytes: h.Bytes,
			Took: h.Took.Seconds(),
		})
	}
	return out, more
}

// cut shortens text that came over the wire to maxText. What cannot be printed is replaced, which JSON would write in
// six bytes.
func cut(s string) string { return logging.Cut(s, maxText) }
