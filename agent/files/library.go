// Package files is the one door through which TFTP and HTTP open files: the user's trees, what is built in, the loop
// breaker, and what firmware does to names.
package files

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
	"pxeagent/agent/image"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/logging"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
)

// Config is what a Library serves.
type Config struct {
	// Root has the user's folders tftp and http; either may be missing. "": only what is built in.
	Root string
	// NextServer is where machines reach us by TFTP.
	NextServer netip.Addr
	Menu       *menu.Builder // of the same Root, with the URL under which machines reach us by HTTP
	Chain      ipxe.Chain    // "" is ipxe.ChainAuto
	// BootFiles are the names that the DHCP server sends, by architecture. The zero value is ipxe.BootFiles.
	BootFiles [firmware.NumArch]string
	// Signed is the folder with the built-in NBPs as they were signed (secureboot.SignedPath); "": they are served as
	// they are. A file that appears there later is taken up.
	Signed string
	// NBP is the boot file of the machine at an address that it is given in place of the one of BootFiles for its
	// architecture, "" where it has none; nil: no machine has. Called from many goroutines.
	NBP func(netip.Addr) string
	// Except are networks in which clients that look like iPXE are not iPXE: their request for an NBP is answered with
	// the NBP.
	Except []netip.Prefix
	// Universal: whatever name of an NBP is asked for, BIOS and UEFI machines are given the one that they can run.
	Universal bool
	Log       *slog.Logger // nil: no log
}

// Library is all that can be fetched: the user's files, and where there are none, what is built in.
// Its methods may be called from many goroutines.
type Library struct {
	menu      *menu.Builder
	leads     ipxe.Destination // where scripts lead
	chain     ipxe.Chain
	except    []netip.Prefix
	universal bool
	bootFiles [firmware.NumArch]string
	nbp       func(netip.Addr) string
	trees     map[boot.Proto]catalog.Tree
	builtin   map[string]*content
	memory    memory
	signed    *signedFiles // nil: none
	breaker   *content
	log       *slog.Logger
	logged    logging.Once
}

// New fails if NextServer is not a valid address.
func New(c Config) (*Library, error) {
	leads, err := ipxe.NewDestination(c.Menu.ScriptURL(), c.NextServer)
	if err != nil {
		return nil, err
	}
	l := &Library{
		menu: c.Menu, leads: leads, chain: cmp.Or(c.Chain, ipxe.ChainAuto), except: c.Except, universal: c.Universal,
		bootFiles: cmp.Or(c.BootFiles, ipxe.BootFiles()), nbp: c.NBP, log: c.Log, trees: map[boot.Proto]catalog.Tree{},
		memory:  memory{catalog.Kept[*InMemory]{Limit: keepAll, Trust: trust}},
		breaker: newContent("breaker.ipxe", boot.Script, leads.Breaker()),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if c.Root != "" {
		l.trees[boot.TFTP] = catalog.Tree(filepath.Join(c.Root, "tftp"))
		l.trees[boot.HTTP] = catalog.Tree(filepath.Join(c.Root, "http"))
	}
	l.builtin, err = builtin(l.chain, leads)
	if c.Signed != "" {
		l.signed = &signedFiles{dir: c.Signed}
	}
	return l, err
}

// Leads is where the scripts that are built in lead.
func (l *Library) Leads() ipxe.Destination { return l.leads }

// builtin is what is served where the user has nothing of that name. Nothing in it changes later.
func builtin(chain ipxe.Chain, leads ipxe.Destination) (map[string]*content, error) {
	nbps, err := ipxe.Binaries(chain, leads)
	if err != nil {
		return nil, err
	}
	local := catalog.LocalPath[1:]
	files := map[string]*content{
		ipxe.Autoexec: newContent(ipxe.Autoexec, boot.Script, leads.Autoexec()),
		local:         newContent(local, boot.Script, []byte(script.Magic+"\n")),
	}
	for name, data := range nbps {
		files[name] = newContent(name, boot.NBP, data)
	}
	return files, nil
}

// Open opens what a request is to be answered with, or returns a *NotOpened. Close it.
func (l *Library) Open(a *boot.Ask) (*File, error) {
	name, quirks := Clean(a.Name, a.Proto)
	if a.Proto == boot.HTTP && len(quirks) == 0 {
		if f, ok := l.memory.openPlain(string(l.trees[boot.HTTP]), name); ok {
			return f, nil
		}
	}
	fail := func(err error) (*File, error) {
		e := &NotOpened{Name: a.Name, Artifact: artifact(name), Quirks: quirks, Err: err}
		if errors.Is(err, fs.ErrNotExist) {
			e.Artifact, e.Near = boot.NoFile, l.trees[a.Proto].Near(name, l.builtinNames(a.Proto))
		}
		return nil, e
	}
	switch {
	case len(a.Name) > maxName, strings.Count(name, "/") > maxDepth:
		return fail(fmt.Errorf("%w: the name is too long", ErrRefused))
	case name == "":
		return fail(fs.ErrNotExist)
	case l.breaks(*a) && l.isSelf(a.Proto, name):
		f := l.breaker.open()
		f.LoopBroken, f.Quirks = true, quirks
		return f, nil
	}
	if l.universal && l.isSelf(a.Proto, name) {
		if fits := l.fitting(a.Class, name); fits != name {
			name, quirks = fits, append(quirks, boot.OtherFirmware)
		}
	}
	sent := l.isSent(name)
	if sent {
		name = l.own(*a, name)
	}
	f, quirk, err := l.find(*a, name)
	if quirk != "" {
		quirks = append(quirks, quirk)
	}
	if err != nil {
		return fail(err)
	}
	f.Quirks = quirks
	if sent {
		f.Artifact = boot.NBP
	}
	return f, nil
}

// own is the boot file that the machine is given under a name that the DHCP server sends: its own, where that is for
// the architecture that is sent this name. One that is not there is not found: a machine under Secure Boot would refuse
// the other, and its owner would look for the cause there.
func (l *Library) own(a boot.Ask, name string) string {
	if l.nbp == nil || a.Class != boot.UEFI && a.Class != boot.BIOSROM && a.Class != boot.Unknown {
		return name
	}
	own := l.nbp(a.Client.Addr())
	if own == "" {
		return name
	}
	arch, err := l.ArchOf(own)
	if err != nil {
		if key := "nbp " + own; l.logged.First(key, err.Error()) {
			l.log.Error("own boot file of a machine cannot be served", "client", a.Client.Addr(), "nbp", own, "err", err)
		}
		return own
	}
	if l.bootFiles[arch] != name {
		return name
	}
	return own
}

// ArchOf says which machines a boot file is for: those of its PE header, or of BIOS where it has none.
func (l *Library) ArchOf(name string) (firmware.Arch, error) {
	f, err := l.BootFile(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, min(f.Size, efi.HeadLength))
	if _, err := f.ReadAt(head, 0); err != nil {
		return 0, err
	}
	h, err := efi.ParseHeader(head)
	if errors.Is(err, efi.ErrNotPE) {
		return firmware.BIOS, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	arch, known := map[efi.Machine]firmware.Arch{
		efi.IA32: firmware.EFI32, efi.X64: firmware.EFI64, efi.ARM: firmware.ARM32, efi.ARM64: firmware.ARM64,
	}[h.Machine]
	if !known {
		return 0, fmt.Errorf("%s is for %v, which DHCP sends no boot file here", name, h.Machine)
	}
	return arch, nil
}

// BootFile opens a file under the name by which the DHCP server sends it, as firmware finds it by TFTP. Its error
// unwraps as that of Open does.
func (l *Library) BootFile(name string) (*File, error) {
	f, _, err := l.find(boot.Ask{Proto: boot.TFTP}, name)
	return f, err
}

// isSent reports whether the DHCP server sends this name to some machine.
func (l *Library) isSent(name string) bool {
	return name != "" && slices.Contains(l.bootFiles[:], name)
}

// breaks: an NBP that is asked for so is answered with the script.
func (l *Library) breaks(a boot.Ask) bool {
	client := a.Client.Addr().Unmap().WithZone("")
	return a.Class == boot.IPXE && l.chain.Breaks() &&
		!slices.ContainsFunc(l.except, func(n netip.Prefix) bool { return n.Contains(client) })
}

// find looks for a name, for the same in other letters, and last for what follows its last slash: some firmware
// sends a path before the boot file's name.
func (l *Library) find(a boot.Ask, name string) (*File, boot.Quirk, error) {
	f, quirk, err := l.named(a, name)
	base := path.Base(name)
	if !errors.Is(err, fs.ErrNotExist) || base == name || base == ".." {
		return f, quirk, err
	}
	if known, ok := foldName(l.builtin, base); ok {
		f, _, err := l.named(a, known)
		return f, boot.FolderBefore, err
	}
	return nil, "", fs.ErrNotExist
}

// named opens the user's file, or what is built in under that name.
func (l *Library) named(a boot.Ask, name string) (*File, boot.Quirk, error) {
	var f *File
	var quirk boot.Quirk
	var err error
	for _, tree := range l.lookedIn(a.Proto, name) {
		if f, quirk, err = l.users(tree, name); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, script.ErrNotScript) {
		return f, quirk, err
	}
	if a.Proto == boot.HTTP && strings.EqualFold("/"+name, menu.BootstrapPath) {
		text, given, err := l.menu.Bootstrap(a)
		if err != nil {
			return nil, "", err
		}
		f := newContent("bootstrap.ipxe", boot.Script, text).open()
		f.Given = given
		return f, caseQuirk("/"+name != menu.BootstrapPath), nil
	}
	if known, ok := foldName(l.builtin, name); ok {
		return l.builtIn(known).open(), caseQuirk(known != name), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	if f, err := l.loaderMenu(a, name); !errors.Is(err, fs.ErrNotExist) {
		return f, "", err
	}
	if a.Proto == boot.TFTP {
		return l.overTFTP(name)
	}
	return nil, "", fs.ErrNotExist
}

// lookedIn are the trees in which a user's file is looked for. What firmware fetches by TFTP, and a shim after it, it
// fetches by HTTP boot as well; so an NBP need lie in one place only.
func (l *Library) lookedIn(proto boot.Proto, name string) []boot.Proto {
	if proto == boot.HTTP && (l.isSent(name) || artifact(name) == boot.NBP) {
		return []boot.Proto{boot.HTTP, boot.TFTP}
	}
	return []boot.Proto{proto}
}

// users opens a file of the user's.
func (l *Library) users(proto boot.Proto, name string) (*File, boot.Quirk, error) {
	t, ok := l.trees[proto]
	if !ok || image.Private(name) {
		return nil, "", fs.ErrNotExist
	}
	if f, ok := l.memory.open(pathIn(string(t), name)); ok {
		return f, "", nil
	}
	f, info, found, err := t.OpenFold(name)
	if err != nil {
		return nil, "", err
	}
	quirk := caseQuirk(found != name)
	name = found
	file := onDisk(name, f, info)
	if strings.HasSuffix(strings.ToLower(name), ".ipxe") {
		if err := l.checkScript(proto, file); err != nil {
			f.Close()
			return nil, "", err
		}
	}
	l.memory.keep(proto, string(t), l.isSent(name), file, info)
	return file, quirk, nil
}

func (l *Library) builtinNames(proto boot.Proto) []string {
	var names []string
	for n := range l.builtin {
		names = append(names, n)
	}
	if proto == boot.HTTP {
		names = append(names, strings.TrimPrefix(menu.BootstrapPath, "/"))
	}
	slices.Sort(names)
	return names
}
