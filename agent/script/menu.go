package script

import (
	"strings"
	"time"
)

// Menu is what a script's menu offers.
type Menu struct {
	Title   string
	Items   []Item
	Default string        // label of the item that is chosen when nobody chooses; "": none
	Timeout time.Duration // 0: it waits for ever, or for a time that cannot be read
}

// Item is a line of a menu that can be chosen.
type Item struct{ Label, Title string }

// ReadMenu finds what a script's menu offers, without running it. Of several menus it is all that they offer.
func ReadMenu(script []byte) Menu {
	var m Menu
	valued := map[string]bool{
		"-m": true, "--menu": true, "-k": true, "--key": true, "-d": true, "--default": true, "-t": true, "--timeout": true,
	}
	settings := map[string]string{}
	for _, c := range commands(string(script)) {
		args, gap, chosen := options(c.words[1:], valued)
		text := expandKnown(strings.Join(args, " "), settings)
		switch c.words[0] {
		case "set":
			if key, value, ok := strings.Cut(text, " "); ok {
				settings[key] = value
			}
		case "menu":
			m.Title = text
		case "item":
			if label, rest, _ := strings.Cut(text, " "); !gap && label != "" {
				m.Items = append(m.Items, Item{Label: label, Title: strings.TrimSpace(rest)})
			}
		case "choose":
			m.Default = expandKnown(chosen, settings)
			m.Timeout = chooseTimeout(c.words, settings)
		}
	}
	return m
}

// chooseTimeout is the value of choose --timeout, 0 where there is none that can be read.
func chooseTimeout(words []string, settings map[string]string) time.Duration {
	for i, w := range words {
		value, joined := strings.CutPrefix(w, "--timeout=")
		if (w == "--timeout" || w == "-t") && i+1 < len(words) {
			value, joined = words[i+1], true
		}
		if joined {
			ms, err := time.ParseDuration(expandKnown(value, settings) + "ms")
			if err == nil && ms > 0 {
				return ms
			}
		}
	}
	return 0
}
