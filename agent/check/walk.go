package check

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
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
	Text   string          `json:"text"`  // what was found, or what is wrong
	Bytes  int64           `json:"bytes"` // the file's size; -1 where the server does not say
	Took   time.Duration   `json:"took_ns"`
}

// maxScripts is how many scripts one machine is followed through.
const maxScripts = 4

// Walk follows the boot path of each client from its offer to the last file that a script names, as far as it leads, and
// returns every step. Kernels and images are asked for their size only.
func Walk(ctx context.Context, c Config, clients []firmware.Client, offers []firmware.Offer) []Step {
	ctx, cancel := c.within(ctx)
	defer cancel()
	w := walker{Config: c, ctx: ctx, http: c.client(), seen: map[string]Step{}}
	defer w.http.CloseIdleConnections()
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
	ctx   context.Context
	http  *http.Client
	steps []Step
	seen  map[string]Step // files asked for already, by stage and URL: several clients have the same boot path
}

func (w *walker) walk(client firmware.Client, offers []firmware.Offer) {
	offer, name := bestOffer(client, offers)
	switch {
	case offer == nil:
		w.add(Step{Client: client, Stage: "offer", Text: "no offer", Bytes: -1})
		return
	case name == "":
		w.add(Step{Client: client, Stage: "offer", What: offer.Server.String(), Text: "the offer names no boot file", Bytes: -1})
		return
	}
	w.add(Step{Client: client, Stage: "offer", What: fmt.Sprintf("%s: %q", offer.Server, name), OK: true, Text: "next-server " + offer.NextServer.String(), Bytes: -1})
	server := w.tftp(offer.NextServer)
	if client == firmware.ClientIPXE {
		w.asIPXE(client, server, name)
		return
	}
	found := false
	if dhcp.IsURL(name) {
		found = w.size(client, "nbp", asFirmware, name)
	} else {
		found = w.nbp(client, server, name)
	}
	if !found {
		return
	}
	// The NBP is iPXE, which asks DHCP again. A server that can tell it apart sends it elsewhere now.
	if o, again := bestOffer(firmware.ClientIPXE, offers); o != nil && dhcp.IsURL(again) {
		name = again
	}
	w.asIPXE(client, server, name)
}

// asIPXE goes on from the name that iPXE is told.
func (w *walker) asIPXE(client firmware.Client, server netip.AddrPort, name string) {
	if dhcp.IsURL(name) {
		w.script(client, name, maxScripts)
	} else {
		w.ipxeByTFTP(client, server, name)
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
func (w *walker) ipxeByTFTP(client firmware.Client, server netip.AddrPort, name string) {
	what := "tftp://" + server.String() + "/" + name
	var text []byte
	ok := w.once(client, "script", what, func() (size int64, note string, err error) {
		if err := w.reachable(server.Addr()); err != nil {
			return -1, "", err
		}
		text, err = tftpAsIPXE(w.ctx, server, name, maxScript)
		if err == nil {
			err = notNBP(text)
		}
		return int64(len(text)), "iPXE is answered with the script", err
	})
	if base, err := url.Parse(what); ok && err == nil {
		w.follow(client, text, base, maxScripts-1)
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

// script fetches a script and follows it.
func (w *walker) script(client firmware.Client, u string, depth int) {
	var text []byte
	u = telling(client, u)
	ok := w.once(client, "script", u, func() (size int64, note string, err error) {
		text, err = httpGet(w.ctx, w.http, u)
		if err == nil {
			err = notNBP(text)
		}
		return int64(len(text)), "", err
	})
	if base, err := url.Parse(u); ok && err == nil {
		w.follow(client, text, base, depth-1)
	}
}

// telling is the URL by which iPXE on such a machine asks for its menu, in the second of two steps: the first only asks it to tell its facts.
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
	switch client {
	case firmware.ClientBIOS, firmware.ClientIPXE:
		facts = boot.Facts{Platform: "pcbios", Arch: "i386"}
	case firmware.ClientARM64:
		facts.Arch = "arm64"
	}
	return facts
}

func (w *walker) follow(client firmware.Client, text []byte, base *url.URL, depth int) {
	report := script.Run(text, base, machineOf(client), nil)
	for _, r := range report.References {
		switch {
		case w.ctx.Err() != nil:
			return
		case strings.HasPrefix(r.URL, "tftp://"):
			// A script's way back to next-server where HTTP fails; the boot path that is followed is HTTP's.
		case r.Role == script.Script && depth > 0:
			w.script(client, r.URL, depth)
		case r.Role != script.Script && r.Broken():
			w.size(client, stageOf(r.Role), asIPXE, r.URL)
		}
	}
}

// machineOf is what iPXE knows of such a machine.
func machineOf(client firmware.Client) script.Machine {
	facts := factsOf(client)
	return script.Machine{Settings: map[string]string{"platform": facts.Platform, "buildarch": facts.Arch}}
}

// stageOf is the stage of a boot path to which a file belongs.
func stageOf(r script.Role) string {
	if r == script.Kernel {
		return string(boot.Kernel)
	}
	return string(boot.Image)
}

func (w *walker) size(client firmware.Client, stage, who, u string) bool {
	return w.once(client, stage, u, func() (int64, string, error) {
		size, err := httpSize(w.ctx, w.http, who, u)
		if err == nil && size == 0 {
			err = errEmpty
		}
		return size, "", err
	})
}

// once makes a step by asking, or repeats for another client what was found before. It reports whether the boot path goes on from
// here for this client, and has not been walked yet.
func (w *walker) once(client firmware.Client, stage, what string, ask func() (int64, string, error)) bool {
	key := stage + " " + what
	if h, done := w.seen[key]; done {
		h.Client, h.Took = client, 0
		w.add(h)
		// The NBP leads each client on; a script's files were walked with the first.
		return h.OK && stage == "nbp"
	}
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
	h := Step{Client: client, Stage: stage, What: what, OK: err == nil, Text: note, Bytes: size, Took: time.Since(start)}
	if err != nil {
		h.Text, h.Bytes = err.Error(), -1
	}
	w.seen[key] = h
	w.add(h)
	return h.OK
}

func (w *walker) add(h Step) {
	w.steps = append(w.steps, h)
	if w.Told != nil {
		w.Told(h)
	}
}

// bestOffer is the first offer to client that names a boot file, or else its first.
func bestOffer(client firmware.Client, offers []firmware.Offer) (*firmware.Offer, string) {
	var first *firmware.Offer
	for i := range offers {
		o := &offers[i]
		if o.Client != client {
			continue
		}
		if name, _ := o.BootFile(); name != "" {
			return o, name
		}
		if first == nil {
			first = o
		}
	}
	return first, ""
}
