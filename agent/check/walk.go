package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
	"pxeagent/agent/guard"
	"pxeagent/agent/script"
)

// Step is one step of a machine's boot path.
type Step struct {
	Client firmware.Client `json:"client"`
	Stage  string          `json:"stage"` // "offer", "nbp", "script", "kernel", "image"
	What   string          `json:"what"`  // the URL, or what was offered
	OK     bool            `json:"ok"`
	Text   string          `json:"text"` // what was found, or what is wrong
	// Reason is why the client goes this way, and Doubt why others of its kind may not: of offers, one sentence each.
	Reason string `json:"reason,omitempty"`
	Doubt  string `json:"doubt,omitempty"`
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
	w := walker{Config: c, ctx: ctx, http: newFetcher(c), seen: map[string]Step{}, followed: map[string]bool{},
		texts: map[string][]byte{}, shim: map[string]bool{}, grub: map[string]bool{}, loaded: map[string]chained{},
		found: map[script.Finding]bool{}}
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

// unfit is said where the boot path ends with the offer, and nobody is at fault but the DHCP server.
const unfit = "the DHCP server cannot send it a boot file of its own: it does not boot, and is not followed"

type walker struct {
	Config
	ctx   context.Context
	http  *fetcher
	steps []Step
	// files asked for already, by stage, URL and kind of client: several have the same boot path
	seen     map[string]Step
	followed map[string]bool         // scripts, by URL and what the machine is
	shim     map[string]bool         // NBPs that are a shim, by what
	grub     map[string]bool         // second stages that are GRUB, by what
	texts    map[string][]byte       // of scripts that a server names, by URL
	loaded   map[string]chained      // what scripts chain, by URL
	found    map[script.Finding]bool // what was said of scripts already
}

// nbp is the file that the firmware loads.
type nbp struct {
	url    string         // as firmware.Decision has it
	server netip.AddrPort // by TFTP
	name   string
	next   netip.Addr // next-server, as told together with the name
}

func (w *walker) walk(client firmware.Client, offers []firmware.Offer) {
	if !slices.ContainsFunc(offers, func(o firmware.Offer) bool { return o.Client == client }) {
		w.add(Step{Client: client, Stage: "offer", Text: "no offer", Bytes: -1})
		return
	}
	path := dhcp.Paths(dhcp.Boot{}, []firmware.Client{client}, offers)[0]
	d := firmware.Decide(client, offers)
	offered := Step{
		Client: client, Stage: "offer", What: whose(d, offers), Bytes: -1, Reason: path.Reason, Doubt: path.Doubt,
		Text: path.Why(),
	}
	if path.URL == "" {
		w.add(offered)
		return
	}
	offer := offers[d.Boot]
	file := w.file(path.URL, offer)
	offered.OK, offered.What = true, fmt.Sprintf("%s: %q", offer.Server, file.name)
	if w.Sends.Unfit(client) {
		offered.Reason, offered.Text = unfit, unfit
		w.add(offered)
		return
	}
	w.add(offered)
	if client.IsIPXE() {
		w.asIPXE(client, file, file)
		return
	}
	if w.nbp(client, file) && (!w.shim[file.what()] || w.secondStage(client, file)) {
		w.asIPXE(client, w.again(client, file, offers), file)
	}
}

// again is what iPXE is sent when it was loaded and asks DHCP once more. A server that can tell it apart sends it
// elsewhere then. Where nobody asked as iPXE on that platform, it is sent what iPXE on BIOS is, if that is a script.
func (w *walker) again(client firmware.Client, loaded nbp, offers []firmware.Offer) nbp {
	if d := firmware.Decide(client.Chained(), offers); d.URL != "" {
		return w.file(d.URL, offers[d.Boot])
	}
	if d := firmware.Decide(firmware.ClientIPXE, offers); dhcp.IsURL(d.URL) {
		return w.file(d.URL, offers[d.Boot])
	}
	return loaded
}

// Asking are the clients as which to ask DHCP so that Walk can follow those: they themselves, and iPXE on their
// platforms, which is what they load.
func Asking(clients []firmware.Client) []firmware.Client {
	all := slices.Clone(clients)
	for _, c := range clients {
		if again := c.Chained(); !slices.Contains(all, again) {
			all = append(all, again)
		}
	}
	return all
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
		return nbp{url: u, name: u, next: o.NextServer}
	}
	for _, spelled := range []string{o.File, o.Option67} {
		if strings.TrimPrefix(spelled, "/") == name {
			name = spelled
		}
	}
	return nbp{url: u, server: w.tftp(server), name: name, next: server}
}

// asIPXE goes on from what iPXE is sent; loaded is the NBP, which it would be in a loop with.
func (w *walker) asIPXE(client firmware.Client, next, loaded nbp) {
	m := machineOf(client, next.next)
	if dhcp.IsURL(next.url) {
		w.script(client, m, next.url, loaded)
	} else if next.server.IsValid() {
		w.ipxeByTFTP(client, m, next, loaded)
	} else {
		w.add(Step{Client: client, Stage: "script", What: next.url, Text: "neither an http(s) URL nor a file by TFTP",
			Bytes: -1})
	}
}

// nbp asks for a boot file's beginning as the firmware does. Whether it can run it depends on the client.
func (w *walker) nbp(client firmware.Client, file nbp) bool {
	return w.once(client, "nbp", file.what(), client.Arch().String(), func() (size int64, note string, err error) {
		if dhcp.IsURL(file.url) {
			size, err = w.http.httpNBP(w.ctx, client.Arch(), file.url)
		} else if err = w.reachable(file.server.Addr()); err == nil {
			size, err = tftpNBP(w.ctx, client.Arch(), file.server, file.name)
		}
		if err != nil || !w.Signatures || client.Arch() == firmware.BIOS {
			return size, "", err
		}
		p, whole, err := w.program(client, file)
		if errors.Is(err, efi.ErrNotPE) { // a disk image, which HTTP boot takes as well
			return size, "", nil
		}
		if err != nil {
			return -1, "", err
		}
		size = whole
		_, w.shim[file.what()] = p.Component("shim")
		return size, p.Refusals(), nil
	})
}

// ipxeByTFTP is what comes after the NBP where the DHCP server cannot tell iPXE apart: iPXE is told the NBP's name
// again, asks for it, and must be given the script.
func (w *walker) ipxeByTFTP(client firmware.Client, m script.Machine, file, loaded nbp) {
	what := "tftp://" + file.server.String() + "/" + file.name
	ok := w.once(client, "script", what, "", func() (size int64, note string, err error) {
		if err := w.reachable(file.server.Addr()); err != nil {
			return -1, "", err
		}
		if w.AnyNBP {
			head, size, err := tftpHead(w.ctx, file.server, file.name, asksIPXE, efi.HeadLength)
			if err == nil && script.Validate(head) != nil {
				return size, someProgram, nil
			}
		}
		text, err := tftpAll(w.ctx, file.server, file.name, asksIPXE, maxScript)
		if err == nil {
			err = notNBP(text)
		}
		w.texts[what] = text
		return int64(len(text)), "iPXE is answered with the script", err
	})
	if base, err := url.Parse(what); ok && err == nil && w.texts[what] != nil {
		w.follow(client, m, w.texts[what], base, loaded)
	}
}

// someProgram is said with AnyNBP of what is not a script.
const someProgram = "a program, of which is not known what it fetches"

// notNBP names the loop by its name where iPXE was given itself.
func notNBP(text []byte) error {
	err := script.Validate(text)
	if err != nil && !bytes.HasPrefix(text, []byte("#!")) && bytes.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("iPXE is given a program where it needs a script: a chainload loop (%w)", err)
	}
	return err
}

// once makes a step by asking, or repeats for another client what was found before, where that is the same for clients
// of its kind ("": for all). It reports whether the boot path goes on from here.
func (w *walker) once(client firmware.Client, stage, what, kind string, ask func() (int64, string, error)) bool {
	key := stage + " " + what + " " + kind
	h, done := w.seen[key]
	if !done {
		h = w.ask(stage, what, ask)
		w.seen[key] = h
	} else {
		h.Took = 0
	}
	h.Client = client
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

func (w *walker) add(h Step) {
	w.steps = append(w.steps, h)
	if w.Told != nil {
		w.Told(h)
	}
}
