package ipxe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/image"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

// Config is what a Library serves.
type Config struct {
	// Root has the user's folders tftp and http; either may be missing. "": only what is built in.
	Root string
	// NextServer is where machines reach us by TFTP.
	NextServer netip.Addr
	// HTTP is the URL under which machines reach us by HTTP; see Base.
	HTTP  *url.URL
	Chain Chain // "" is ChainAuto
	// Except are networks in which whoever looks like iPXE is no iPXE: its request for an NBP is answered with the NBP.
	Except []netip.Prefix
	// Universal: whatever name of an NBP is asked for, BIOS and UEFI machines are given the one that they can run.
	Universal bool
	Menu      MenuConfig
	// Catalog is what is in Root; nil: one of its own.
	Catalog *catalog.Catalog
	// Choose says what a machine is to boot, by what it told and by its address. It is called for every menu, from many goroutines at
	// once. nil: every machine is given the same menu.
	Choose func(boot.Facts, netip.Addr) machine.Choice
	// NBPs are further file names that the DHCP server sends and that are iPXE, for the breaker.
	// Names that iPXE's own build gives are known.
	NBPs []string
	Log  *slog.Logger // nil: no log
}

// Library is all that can be fetched: the user's files, and where there are none, what is built in.
// Its methods may be called from many goroutines.
type Library struct {
	base       string // HTTP, without a slash at the end
	nextServer netip.Addr
	chain      Chain
	except     []netip.Prefix
	universal  bool
	menu       MenuConfig
	choose     func(boot.Facts, netip.Addr) machine.Choice
	nbps       []string // in lower case
	trees      map[boot.Proto]catalog.Tree
	files      map[string]*content
	stub       *content
	catalog    *catalog.Catalog
	log        *slog.Logger

	mu       sync.Mutex        // for what is below, and menu
	said     map[string]string // what was logged last about a thing
	told     map[string]told   // and about a menu
	template sources           // of the user's template when it worked last; nil: it never did
}

// NewLibrary fails where Root is not a readable folder, HTTP cannot stand in a script, or NextServer is no address.
func NewLibrary(c Config) (*Library, error) {
	base, err := checkBase(c.HTTP)
	if err != nil {
		return nil, err
	}
	if !c.NextServer.IsValid() || c.NextServer.IsUnspecified() || c.NextServer.Zone() != "" {
		return nil, fmt.Errorf("next-server %q is no address that a machine can ask", c.NextServer)
	}
	if c.Chain == "" {
		c.Chain = ChainAuto
	}
	l := &Library{base: base, nextServer: c.NextServer, chain: c.Chain, except: c.Except, universal: c.Universal, menu: c.Menu, choose: c.Choose, log: c.Log,
		catalog: c.Catalog, trees: map[boot.Proto]catalog.Tree{}, said: map[string]string{}, told: map[string]told{}}
	if l.catalog == nil {
		if l.catalog, err = catalog.New(catalog.Config{Root: c.Root, NoRescue: c.Menu.NoRescue, Log: c.Log}); err != nil {
			return nil, err
		}
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	for _, n := range c.NBPs {
		l.nbps = append(l.nbps, strings.ToLower(path.Base(n)))
	}
	if c.Root != "" {
		l.trees[boot.TFTP] = catalog.Tree(filepath.Join(c.Root, "tftp"))
		l.trees[boot.HTTP] = catalog.Tree(filepath.Join(c.Root, "http"))
	}
	if l.files, err = l.builtin(); err != nil {
		return nil, err
	}
	l.stub = newContent("breaker.ipxe", boot.Script, l.breaker())
	return l, nil
}

// ScriptURL is where the script is that every machine runs first.
func (l *Library) ScriptURL() string { return l.base + BootstrapPath }

// Open opens what a request is to be answered with, or returns a *NotOpened. Close it.
func (l *Library) Open(a boot.Ask) (*File, error) {
	name, quirks := clean(a.Name, a.Proto)
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
	case l.breaks(a) && l.isSelf(name):
		f := l.stub.open()
		f.Broke, f.Quirks = true, quirks
		return f, nil
	}
	if l.universal && l.isSelf(name) {
		if fits := universal(a.Class, name); fits != name {
			name, quirks = fits, append(quirks, boot.OtherFirmware)
		}
	}
	f, quirk, err := l.find(a, name)
	if quirk != "" {
		quirks = append(quirks, quirk)
	}
	if err != nil {
		return fail(err)
	}
	f.Quirks = quirks
	return f, nil
}

// breaks: an NBP that is asked for so is answered with the script.
func (l *Library) breaks(a boot.Ask) bool {
	client := a.Client.Addr().Unmap().WithZone("")
	return a.Class == boot.IPXE && l.chain.Breaks() && !slices.ContainsFunc(l.except, func(n netip.Prefix) bool { return n.Contains(client) })
}

// find looks for a name, for the same in other letters, and last for what follows its last slash: some firmware
// sends a path before the boot file's name.
func (l *Library) find(a boot.Ask, name string) (*File, boot.Quirk, error) {
	f, quirk, err := l.named(a, name)
	base := path.Base(name)
	if !errors.Is(err, fs.ErrNotExist) || base == name || base == ".." {
		return f, quirk, err
	}
	if known, ok := foldName(l.files, base); ok {
		f, _, err := l.named(a, known)
		return f, boot.FolderBefore, err
	}
	return nil, "", fs.ErrNotExist
}

// named opens the user's file, or what is built in under that name.
func (l *Library) named(a boot.Ask, name string) (*File, boot.Quirk, error) {
	f, quirk, err := l.users(a.Proto, name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, script.ErrNotScript) {
		return f, quirk, err
	}
	if a.Proto == boot.HTTP && strings.EqualFold("/"+name, BootstrapPath) {
		menu, err := l.bootstrap(a)
		if err != nil {
			return nil, "", err
		}
		return menu.open(), caseQuirk("/"+name != BootstrapPath), nil
	}
	if known, ok := foldName(l.files, name); ok {
		return l.files[known].open(), caseQuirk(known != name), nil
	}
	return nil, "", err
}

func caseQuirk(differs bool) boot.Quirk {
	if differs {
		return boot.LetterCase
	}
	return ""
}

func foldName(files map[string]*content, name string) (string, bool) {
	if _, ok := files[name]; ok {
		return name, true
	}
	for known := range files {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}

// users opens a file of the user's.
func (l *Library) users(proto boot.Proto, name string) (*File, boot.Quirk, error) {
	t, ok := l.trees[proto]
	if !ok || image.Private(name) {
		return nil, "", fs.ErrNotExist
	}
	f, info, found, err := t.OpenFold(name)
	if err != nil {
		return nil, "", err
	}
	quirk := caseQuirk(found != name)
	name = found
	file := onDisk(name, f, info)
	if file.Artifact == boot.Script {
		if err := l.checkScript(proto, file); err != nil {
			f.Close()
			return nil, "", err
		}
	}
	return file, quirk, nil
}

// checkScript looks at the beginning of a script. What does not begin as one is run as machine code by
// BIOS machines, and they hang; so it is not served to anyone, and in the place of bootstrap.ipxe and autoexec.ipxe
// come the built-in ones.
func (l *Library) checkScript(proto boot.Proto, f *File) error {
	head := make([]byte, min(f.Size, int64(script.HeadLength)))
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	key, err := "script "+string(proto)+" "+f.Name, script.Validate(head)
	if err == nil {
		l.forget(key)
		if proto == boot.HTTP && "/"+f.Name == BootstrapPath {
			l.lintOwn(f)
		}
		return nil
	}
	l.once(key, f.ETag, slog.LevelError, "A script of yours is not served, because a machine would hang on it",
		"file", string(l.trees[proto])+"/"+f.Name, "err", err)
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func (l *Library) builtinNames(proto boot.Proto) []string {
	var names []string
	for n := range l.files {
		names = append(names, n)
	}
	if proto == boot.HTTP {
		names = append(names, strings.TrimPrefix(BootstrapPath, "/"))
	}
	slices.Sort(names)
	return names
}

// once logs what has not been logged about this thing in this state.
func (l *Library) once(thing, state string, level slog.Level, msg string, args ...any) {
	l.mu.Lock()
	known := l.said[thing] == state
	if len(l.said) < 1000 { // a bound; what is beyond is logged every time
		l.said[thing] = state
	}
	l.mu.Unlock()
	if !known {
		l.log.Log(context.Background(), level, msg, args...)
	}
}

func (l *Library) forget(thing string) {
	l.mu.Lock()
	delete(l.said, thing)
	l.mu.Unlock()
}
