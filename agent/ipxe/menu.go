package ipxe

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/image"
)

// MenuConfig is the built-in menu.
type MenuConfig struct {
	Title string // "": "Network boot". iPXE's ${settings} may stand in it
	// Default is the key of the item that is chosen when nobody chooses: "local", or one of an image.
	// "", and the key of what is not there: "local", so that machines start as they did before.
	Default string
	Timeout time.Duration // how long is waited for a choice, in whole milliseconds; 0: for ever
}

// Local is the key of the menu's item that boots the machine's own disk.
const Local = "local"

// Item is something that can be chosen in the menu.
type Item struct {
	Key   string // for MenuConfig.Default
	Title string
	Why   string // why not every machine is shown it, or ""
}

// tools are the items that are always there.
var tools = []Item{
	{Key: "shell", Title: "iPXE shell"},
	{Key: "config", Title: "iPXE settings"},
	{Key: "reboot", Title: "Reboot"},
}

// Items lists what the built-in menu offers, in its order.
func (l *Library) Items() ([]Item, error) {
	images, err := l.images()
	if err != nil {
		return nil, err
	}
	items := []Item{{Key: Local, Title: "Boot from the local disk"}}
	for _, i := range images {
		items = append(items, Item{i.Key, i.Title, i.Why})
	}
	return append(items, tools...), nil
}

// Script is the script at BootstrapPath as it is served now: the user's own, or the built-in menu.
func (l *Library) Script() ([]byte, error) {
	f, err := l.Open(boot.Ask{Proto: boot.HTTP, Name: BootstrapPath})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	script := make([]byte, f.Size)
	if n, err := f.ReadAt(script, 0); n < len(script) {
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	return script, nil
}

func (l *Library) menuContent() (*content, error) {
	images, err := l.images()
	if err != nil {
		return nil, err
	}
	m := l.menu
	if m.Default == "" {
		m.Default = Local
	}
	if !knownItem(m.Default, images) {
		l.once("default", m.Default, slog.LevelWarn, "The menu's default is not there; it is the local disk instead", "item", m.Default)
		m.Default = Local
	} else {
		l.forget("default")
	}
	return newContent(menuFile, boot.Script, writeMenu(l.base, m, images)), nil
}

func knownItem(key string, images []image.Image) bool {
	return key == Local || slices.ContainsFunc(tools, func(t Item) bool { return t.Key == key }) ||
		slices.ContainsFunc(images, func(i image.Image) bool { return i.Key == key })
}

// images are those on disk that a machine can be sent to.
func (l *Library) images() ([]image.Image, error) {
	if l.finder == nil {
		return nil, nil
	}
	found, err := l.finder.Find()
	if err != nil {
		return nil, err
	}
	if found.Truncated {
		l.once("truncated", "", slog.LevelWarn, "The tree of HTTP is so large that images may be missing in the menu", "file", string(l.trees[boot.HTTP]))
	}
	var out []image.Image
	for _, i := range found.Images {
		if n := commandLine(l.base, i); n > maxCommandLine {
			l.once("image "+i.Key, fmt.Sprint(n), slog.LevelError, "An image is left out of the menu: its command lines do not fit into what BIOS iPXE has for them",
				"item", i.Key, "bytes", n, "limit", maxCommandLine)
			continue
		}
		out = append(out, i)
	}
	return out, nil
}

// writeMenu writes the menu. It keeps to what iPXE of 2019 knows, which is what network cards and
// virtual machines have in them. Commands that some builds lack are followed by ||, since an unknown command ends a script.
func writeMenu(base string, m MenuConfig, images []image.Image) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!ipxe")
	line("set base %s", base)
	line("set menu-timeout %d", m.Timeout.Milliseconds())
	line("echo pxeagent menu for ${netX/mac} (${platform} ${buildarch})")
	line(":start")
	line("menu %s || goto local", words(m.Title))
	line("item --key l -- %s Boot from the local disk", Local)
	writeItems(&b, images)
	line("item --gap")
	for _, t := range tools {
		line("item --key %c -- %s %s", t.Key[0], t.Key, t.Title)
	}
	line("choose --default %s --timeout ${menu-timeout} target || goto local", m.Default)
	line("goto ${target}")
	// Under BIOS leaving iPXE leads to whatever the firmware tries next, perhaps the next network card and this menu
	// again: the first disk is started from here. Under EFI iPXE starts no disk, and the firmware goes on to its next
	// boot entry only after an error: after success it shows its own menu.
	line("\n:local")
	line("iseq ${platform} pcbios && sanboot --no-describe --drive 0x80 ||")
	line("exit 1")
	line("\n:shell\necho Type exit to come back to the menu\nshell ||\nset menu-timeout 0\ngoto start")
	line("\n:config\nconfig ||\nset menu-timeout 0\ngoto start")
	line("\n:reboot\nreboot ||\ngoto start")
	// A machine that nobody watches tries again: the server may just be starting.
	line("\n:failed\necho Could not boot ${target}\nimgfree ||\nprompt --timeout 10000 Press a key for the menu ||\ngoto start")
	for _, i := range images {
		writeBoot(&b, i)
	}
	return b.Bytes()
}

// words makes text fit for the end of a command: one line, and no word that iPXE takes for a comment or for the end
// of the command.
func words(s string) string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
	for i, w := range fields {
		switch {
		case w == ";" || w == "&&" || w == "||":
			fields[i] = `"` + w + `"`
		case strings.HasPrefix(w, "#"), strings.HasPrefix(w, "-"):
			fields[i] = "_" + w[1:]
		}
	}
	if len(fields) == 0 {
		return "Network boot"
	}
	return strings.Join(fields, " ")
}
