package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
)

// Step is one step of a machine's boot path.
type Step struct {
	Client firmware.Client `json:"client"`
	Stage  string          `json:"stage"` // "offer", "nbp", "script", "kernel", "image"
	What   string          `json:"what"`  // the URL, or what was offered
	OK     bool            `json:"ok"`
	Text   string          `json:"text"` // what was found, or what is wrong
	// Optional: the file is missing, and the script goes on without it. OK is true then.
	Optional bool          `json:"optional,omitempty"`
	Bytes    int64         `json:"bytes"` // the file's size; -1 where the server does not say
	Took     time.Duration `json:"took_ns"`
}

// Walk follows the boot path of each client from its offer to the last file that a script names, as far as it leads,
// and returns every step. Kernels and images are asked for their size only.
func Walk(ctx context.Context, c Config, clients []firmware.Client, offers []firmware.Offer) []Step {
	ctx, cancel := c.within(ctx)
	defer cancel()
	w := walker{Config: c, ctx: ctx, http: newFetcher(c), seen: map[string]Step{}, followed: map[string]bool{}}
	defer w.http.client.CloseIdleConnections()
	for _, client := range clients {
		if err := c.Guard.Do(guard.Check, func() error { w.walk(client, offers); return nil }); err != nil {
			w.add(Step{Client: client, Stage: "offer", Text: err.Error(), Bytes: -1})
		}
	}
	return w.steps
}

// Complete reports whether every step was found.
func Complete(steps []Step) bool {
	for _, h := range steps {
		if !h.OK {
			return false
		}
	}
	return len(steps) > 0
}

type walker struct {
	Config
	ctx      context.Context
	http     *fetcher
	steps    []Step
	seen     map[string]Step // files asked for already, by stage and URL: several clients have the same boot path
	followed map[string]bool // scripts, by URL and what the machine is
}

// nbp is the file that the firmware loads.
type nbp struct {
	url    string         // as firmware.Decision has it
	server netip.AddrPort // by TFTP
	name   string
}

func (w *walker) walk(client firmware.Client, offers []firmware.Offer) {
	asked := slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Client == client })
	path := dhcp.Paths(dhcp.Boot{}, []firmware.Client{client}, offers)[0]
	d := firmware.Decide(client, offers)
	switch {
	case !asked:
		w.add(Step{Client: client, Stage: "offer", Text: "no offer", Bytes: -1})
		return
	case path.URL == "":
		text := path.Reason
		if path.Screen != "" {
			text += " (" + path.Screen + ")"
		}
		w.add(Step{Client: client, Stage: "offer", What: whose(d, offers), Text: text, Bytes: -1})
		return
	}
	offer := offers[d.Boot]
	file := w.file(path.URL, offer)
	text := "next-server " + cmp.Or(file.server.Addr(), offer.NextServer).String()
	if path.Doubt != "" {
		text += "; " + path.Doubt
	}
	w.add(Step{Client: client, Stage: "offer", What: fmt.Sprintf("%s: %q", offer.Server, file.name), OK: true,
		Text: text, Bytes: -1})
	m := machineOf(client, cmp.Or(file.server.Addr(), offer.NextServer))
	if client == firmware.ClientIPXE {
		w.asIPXE(client, m, file, file)
		return
	}
	found := false
	if dhcp.IsURL(file.url) {
		found = w.size(client, "nbp", file.url)
	} else {
		found = w.nbp(client, file.server, file.name)
	}
	if !found {
		return
	}
	// The NBP is iPXE, which asks DHCP again. A server that can tell it apart sends it elsewhere now.
	next := file
	if again := firmware.Decide(firmware.ClientIPXE, offers); dhcp.IsURL(again.URL) {
		next = nbp{url: again.URL, name: again.URL}
	}
	w.asIPXE(client, m, next, file)
}

// whose is the server whose offer leads nowhere.
func whose(d firmware.Decision, offers []firmware.Offer) string {
	for _, i := range []int{d.Boot, d.Lease} {
		if i >= 0 {
			return offers[i].Server.String()
		}
	}
	return ""
}

// file is what a client fetches, as the offer spells its name: a URL has lost a slash at its beginning.
func (w *walker) file(u string, o firmware.Offer) nbp {
	rest, byTFTP := strings.CutPrefix(u, "tftp://")
	host, name, _ := strings.Cut(rest, "/")
	server, err := netip.ParseAddr(host)
	if !byTFTP || err != nil {
		return nbp{url: u, name: u}
	}
	for _, spelled := range []string{o.File, o.Option67} {
		if strings.TrimPrefix(spelled, "/") == name {
			name = spelled
		}
	}
	return nbp{url: u, server: w.tftp(server), name: name}
}

// asIPXE goes on from what iPXE is sent; loaded is the NBP, which it would be in a loop with.
func (w *walker) asIPXE(client firmware.Client, m script.Machine, next, loaded nbp) {
	if dhcp.IsURL(next.url) {
		w.script(client, m, next.url, loaded)
	} else if next.server.IsValid() {
		w.ipxeByTFTP(client, m, next, loaded)
	} else {
		w.add(Step{Client: client, Stage: "script", What: next.url, Text: "neither an http(s) URL nor a file by TFTP",
			Bytes: -1})
	}
}

// nbp fetches a boot file's beginning as the ROM does.
func (w *walker) nbp(client firmware.Client, server netip.AddrPort, name string) bool {
	what := "tftp://" + server.String() + "/" + name
	return w.once(client, "nbp", what, func() (int64, string, error) {
		if err := w.reachable(server.Addr()); err != nil {
			return -1, "", err
		}
		head, size, err := tftpHead(w.ctx, w.Guard, server, name)
		if err == nil && len(head) == 0 {
			err = errEmpty
		}
		return size, "", err
	})
}

// ipxeByTFTP is what comes after the NBP where the DHCP server cannot tell iPXE apart: iPXE is told the NBP's name
// again, asks for it, and must be given the script.
func (w *walker) ipxeByTFTP(client firmware.Client, m script.Machine, file, loaded nbp) {
	what := "tftp://" + file.server.String() + "/" + file.name
	var text []byte
	ok := w.once(client, "script", what, func() (size int64, note string, err error) {
		if err := w.reachable(file.server.Addr()); err != nil {
			return -1, "", err
		}
		text, err = tftpAsIPXE(w.ctx, file.server, file.name, maxScript)
		if err == nil {
			err = notNBP(text)
		}
		return int64(len(text)), "iPXE is answered with the script", err
	})
	if base, err := url.Parse(what); ok && err == nil {
		w.follow(client, m, text, base, loaded)
	}
}

// notNBP names the loop by its name where iPXE was given itself.
func notNBP(text []byte) error {
	err := script.Validate(text)
	if err != nil && !bytes.HasPrefix(text, []byte("#!")) && bytes.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("iPXE is given a program where it needs a script: a chainload loop (%w)", err)
	}
	return err
}

// script fetches the first script and follows it.
func (w *walker) script(client firmware.Client, m script.Machine, u string, loaded nbp) {
	u = telling(client, u)
	var text []byte
	ok := w.once(client, "script", u, func() (size int64, note string, err error) {
		text, err = w.http.get(w.ctx, u)
		if err == nil {
			err = notNBP(text)
		}
		return int64(len(text)), "", err
	})
	if base, err := url.Parse(u); ok && err == nil {
		w.follow(client, m, text, base, loaded)
	}
}

// telling is the URL by which iPXE on such a machine asks for its menu, in the second of two steps: the first only asks
// it to tell its facts.
func telling(client firmware.Client, u string) string {
	script, err := url.Parse(u)
	if err != nil || script.Path != menu.BootstrapPath || script.RawQuery != "" {
		return u
	}
	return menu.Telling(script, factsOf(client)).String()
}

// factsOf is what iPXE on such a machine tells of itself.
func factsOf(client firmware.Client) boot.Facts {
	facts := boot.Facts{Platform: "efi", Arch: "x86_64"}
	switch client.Arch() {
	case firmware.BIOS:
		facts = boot.Facts{Platform: "pcbios", Arch: "i386"}
	case firmware.ARM64:
		facts.Arch = "arm64"
	}
	return facts
}

// machineOf is what iPXE knows of such a machine.
func machineOf(client firmware.Client, next netip.Addr) script.Machine {
	facts := factsOf(client)
	m := script.Machine{
		Settings: map[string]string{"platform": facts.Platform, "buildarch": facts.Arch},
		LongMode: client != firmware.ClientEFI32, // as all that are in use
	}
	if next.IsValid() && !next.IsUnspecified() {
		m.Settings["next-server"] = next.String()
	}
	return m
}

// once makes a step by asking, or repeats for another client what was found before. It reports whether the boot path
// goes on from here for this client.
func (w *walker) once(client firmware.Client, stage, what string, ask func() (int64, string, error)) bool {
	key := stage + " " + what
	if h, done := w.seen[key]; done {
		h.Client, h.Took = client, 0
		w.add(h)
		// The NBP leads each client on; a script's files were walked with the first.
		return h.OK && stage == "nbp"
	}
	h := w.ask(stage, what, ask)
	h.Client = client
	w.seen[key] = h
	w.add(h)
	return h.OK
}

// ask makes a step of what an answer says.
func (w *walker) ask(stage, what string, ask func() (int64, string, error)) Step {
	start := time.Now()
	var size int64
	var note string
	err := context.Cause(w.ctx) // the limit is over: nothing more is asked for
	if err == nil {
		size, note, err = ask()
	}
	if cause := context.Cause(w.ctx); err != nil && cause != nil {
		err = cause
	}
	h := Step{Stage: stage, What: what, OK: err == nil, Text: note, Bytes: size, Took: time.Since(start)}
	if err != nil {
		h.Text, h.Bytes = err.Error(), -1
	}
	return h
}

// size asks for a file's length as firmware does.
func (w *walker) size(client firmware.Client, stage, u string) bool {
	return w.once(client, stage, u, func() (int64, string, error) {
		size, err := w.http.size(w.ctx, asFirmware, u)
		return size, "", err
	})
}

func (w *walker) add(h Step) {
	w.steps = append(w.steps, h)
	if w.Told != nil {
		w.Told(h)
	}
}
