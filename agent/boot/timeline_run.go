package boot

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
)

// run is a boot and what decides how it goes on.
type run struct {
	boot        Boot
	addrs       []netip.Addr // that the machine was seen at, the last one last
	macs        []string     // as it told, and as the neighbour table has it
	identified  bool         // boot.MAC is the machine's own word
	provisional bool         // it was given nothing yet
	dirty       bool         // in Tracker.changed
	busy        int          // requests under way
	last        time.Time    // when its latest request began

	menu bool // a script beyond the first one was fetched
	told bool // it was fetched with the machine's facts
	// otherMenu: a loader other than iPXE fetched its menu, and given is what that says.
	otherMenu bool
	given     Given
	onward    bool            // see goesOn
	disk      bool            // a disk image was read
	kernel    string          // the last kernel that was fetched whole, as urlPath has it
	missing   []string        // URL paths of what belongs with kernel and was not fetched
	certain   bool            // what belongs with kernel is known
	have      map[string]bool // by plainName
	failed    *Fetch          // the last request, where that failed
	fails     int             // how often in a row that one did
}

func (r *run) underWay() bool { return r.boot.Result == UnderWay }

// plainName makes names comparable that TFTP and HTTP, and firmware, write differently.
func plainName(name string) string { return strings.ToLower(urlPath(name)) }

// urlPath is a name as an URL has it.
func urlPath(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return path.Clean(name) // which is the same string where there is nothing to clean
}

// cutName is a hostile name as it is kept.
func cutName(name string) string {
	if len(name) > boundName {
		name = name[:boundName]
	}
	return strings.ToValidUTF8(name, "\uFFFD")
}

// TFTPFolder is the path below which the HTTP tree's files can be fetched by TFTP.
const TFTPFolder = "/http"

// HTTPPath is the URL path, unescaped, of a file that was asked for by either protocol. Whatever stands before
// TFTPFolder is the folder of the loader, which some put before every name.
func HTTPPath(p Proto, name string) string {
	full := urlPath(name)
	if p != TFTP {
		return full
	}
	if _, rest, ok := strings.Cut(full, TFTPFolder+"/"); ok {
		return "/" + rest
	}
	return full
}

// LocalDisk marker: what the menu fetches when a machine is sent on to its own disk, and the key of its item.
const (
	localDiskName = "/ipxe/local"
	localDiskItem = "local"
)

func (r *run) at(s Stage) bool {
	return slices.ContainsFunc(r.boot.Stages, func(p Span) bool { return p.Stage == s })
}

func later(a, b Stage) Stage {
	if slices.Index(Stages(), a) > slices.Index(Stages(), b) {
		return a
	}
	return b
}

// stage is where a request belongs; "": to none of its own.
func (r *run) stage(tr *Transfer) Stage {
	switch tr.Artifact {
	case NBP:
		if tr.Class == IPXE && r.at(StageScript) {
			return StageKernel // what a menu's item chains: GRUB, wdsnbp
		}
		return StageNBP
	case Script:
		return StageScript
	case Kernel:
		return StageKernel
	case Image:
		return StageImage
	}
	return ""
}

// span adds to the time spent in a stage.
func (r *run) span(s Stage, start, end time.Time, bytes int64, files, resent int) {
	at := slices.IndexFunc(r.boot.Stages, func(p Span) bool { return p.Stage == s })
	if at < 0 {
		at = len(r.boot.Stages)
		r.boot.Stages = append(r.boot.Stages, Span{Stage: s, Start: start, End: end})
	}
	p := &r.boot.Stages[at]
	if start.Before(p.Start) {
		p.Start = start
	}
	if end.After(p.End) {
		p.End = end
	}
	p.Bytes, p.Files, p.Resent = p.Bytes+bytes, p.Files+files, p.Resent+resent
	// Ends are told in no strict order, and a stage begins with its first request.
	slices.SortStableFunc(r.boot.Stages, func(a, b Span) int { return a.Start.Compare(b.Start) })
}

// add writes a request down, and ends the boot where that is its end.
func (t *Tracker) add(r *run, tr *Transfer, end time.Time) {
	b := &r.boot
	f := Fetch{
		Name:     cutName(tr.Name),
		Artifact: tr.Artifact,
		Proto:    tr.Proto,
		Class:    tr.Class,
		Outcome:  tr.Outcome,
		Bytes:    tr.Bytes,
		Start:    tr.Start,
		Took:     tr.Took,
	}
	if len(b.Files) < boundFiles {
		b.Files = append(b.Files, f)
	} else {
		b.More++
	}
	if tr.Start.Before(b.Started) {
		b.Started = tr.Start
	}
	if tr.Start.After(r.last) {
		r.last = tr.Start
	}
	if end.After(b.Updated) {
		b.Updated = end
	}
	gotSomething := tr.Outcome == OK || tr.Bytes > 0 // else its address may be forged
	if s := r.stage(tr); s != "" && gotSomething {
		r.span(s, tr.Start, end, tr.Bytes, 1, tr.Resent)
		if r.underWay() {
			if b.At == "" || !tr.Start.Before(r.last) {
				b.At = s
			}
			t.clear(r)
		}
	} else if n := len(b.Stages); n > 0 && s == "" && tr.Outcome == OK {
		p := b.Stages[n-1]
		r.span(p.Stage, tr.Start, end, tr.Bytes, 1, tr.Resent)
	}
	if !r.underWay() {
		return
	}
	kernel := r.kernel
	r.recall(f)
	r.recallMenu(tr)
	if r.kernel != kernel {
		t.wants(r)
		t.name(r)
	}
	sentToDisk := tr.GivenDisk() || tr.Outcome == OK && HTTPPath(tr.Proto, tr.Name) == localDiskName
	notServed := tr.Outcome == NotFound || tr.Outcome == Failed
	gaveUp := notServed && r.fails >= 3 && r.kernel == "" // it asks again and again, and will not go on
	switch {
	case sentToDisk:
		b.Result, b.Note = LocalDisk, ""
		t.close(r, end)
	case r.complete(), gaveUp:
		t.finish(r, end, "")
	}
}

// clear: the machine was given something, so it is a boot.
func (t *Tracker) clear(r *run) {
	if r.provisional && r.boot.At != "" {
		t.provisional--
		t.underWay++
		r.provisional = false
	}
}

// recall takes what a request that ended means for how the boot goes on.
func (r *run) recall(f Fetch) {
	file := HTTPPath(f.Proto, f.Name)
	name := strings.ToLower(file)
	if f.Outcome != OK {
		r.recallFailure(f, name)
		return
	}
	if r.failed == nil || !f.Start.Before(r.failed.Start) { // else it ended late
		r.failed, r.fails = nil, 0
	}
	if r.have == nil {
		r.have = map[string]bool{}
	}
	if len(r.have) < boundHave {
		r.have[name] = true
	}
	r.missing = slices.DeleteFunc(r.missing, func(want string) bool { return plainName(want) == name })
	entry := isEntry(f.Name, path.Ext(name) != ".ipxe")
	chained := f.Artifact == NBP && f.Class == IPXE && r.at(StageScript)
	switch {
	case f.Artifact == Script && f.Proto == HTTP && !entry:
		r.menu = true
	case f.Artifact == Kernel, chained:
		r.kernel = file
	case f.Artifact == Image && isDisk(name):
		r.disk = true
	}
}

// recallMenu takes what the machine was given to choose from.
func (r *run) recallMenu(tr *Transfer) {
	if tr.Outcome != OK || tr.Artifact != Script {
		return
	}
	r.told = r.told || tr.Told
	if tr.Class.Loads() && tr.Class != IPXE {
		r.otherMenu, r.given = true, tr.Given
		r.kernel, r.missing, r.certain = "", nil, false // what iPXE chained was this loader
	}
}

// recallFailure takes a request that failed.
func (r *run) recallFailure(f Fetch, name string) {
	bySystem := r.kernel != "" && fromFirmware(f.Class) // that was booted, for itself
	if bySystem || f.Outcome == NotNeeded {
		return
	}
	if r.failed != nil && plainName(r.failed.Name) == name {
		r.fails++
	} else {
		r.fails = 1
	}
	r.failed = &f
}

// isDisk: what firmware can boot from as from a disk.
func isDisk(name string) bool {
	return slices.Contains([]string{".iso", ".img", ".vhd", ".raw"}, path.Ext(name))
}

// wants asks what belongs with the kernel.
func (t *Tracker) wants(r *run) {
	if r.kernel == "" {
		return
	}
	all := t.Wants(r.kernel)
	r.missing, r.certain = nil, len(all) > 0
	for _, w := range all[:min(len(all), boundHave)] {
		if !r.have[plainName(w)] {
			r.missing = append(r.missing, w)
		}
	}
}

// complete: the machine has all that is known to be needed, and that is known.
func (r *run) complete() bool { return r.kernel != "" && r.certain && len(r.missing) == 0 }

// foundNothing: firmware, or a loader that looks for its menu, was told that what it boots from is not there. It does
// not ask again, as a person at iPXE's menu may.
func (r *run) foundNothing() bool {
	return r.kernel == "" && r.failed != nil && r.failed.Outcome == NotFound && r.failed.Class != IPXE
}

// likelyDone: it has its kernel, and nothing is known to be missing.
func (r *run) likelyDone() bool { return r.kernel != "" && len(r.missing) == 0 && r.failed == nil }
