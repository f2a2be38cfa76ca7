package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/ipxe"
)

// The page is one file when it is sent: its style and its script stand in it, and the policy names them by their hash.
var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	page = template.Must(template.New("page").Funcs(template.FuncMap{
		"show": visible, "clock": clock, "stamp": stamp, "result": resultWord, "name": boot.Boot.Machine, "verdict": verdict, "client": clientName, "mark": markWord, "size": size,
	}).Parse(pageHTML))

	// pagePolicy is the page's Content-Security-Policy. Nothing is loaded from anywhere, no text is ever turned into markup or script, no form leads
	// anywhere, and no other page may show this one in a frame.
	pagePolicy = strings.Join([]string{
		"default-src 'none'", "script-src " + hashOf(pageJS), "style-src " + hashOf(pageCSS), "connect-src 'self'", "img-src data:", "base-uri 'none'",
		"form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// plainBoots is how many boots the page shows where there is no JavaScript.
const plainBoots = 50

// index is the live page. As it is sent it shows the state of the moment; its script then keeps it so.
func (s *server) index(w http.ResponseWriter, _ *http.Request) {
	data := struct {
		CSS            template.CSS
		JS             template.JS
		Status         Status
		Boots          []boot.Boot
		Good, UnderWay int
		Script         string
		Names          []string
		Metrics        bool
	}{
		CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Script: ipxe.BootstrapPath,
		Names: []string{ipxe.Undionly, ipxe.EFI64, ipxe.EFIARM64, ipxe.Autoexec}, Metrics: s.Gatherer != nil,
	}
	if s.Live != nil {
		data.Status = s.Live.Status()
	} else if s.Items != nil {
		items, err := s.Items()
		if err != nil {
			s.Log.Error("Listing the menu's items", "err", err)
		}
		for _, i := range items {
			data.Status.Menu.Items = append(data.Status.Menu.Items, MenuItem{Key: i.Key, Title: i.Title, Why: i.Why})
		}
	}
	for _, n := range data.Status.Networks {
		if n.Result == Agrees {
			data.Good++
		}
	}
	if s.Boots != nil {
		data.Boots = s.Boots.feed.Boots(boot.Filter{Limit: plainBoots})
	}
	for _, b := range data.Boots {
		if b.Result == boot.UnderWay {
			data.UnderWay++
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, data); err != nil {
		panic(err) // the template and its data are ours
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(b.Bytes()) // that it was not read is seen by judge
}

// visible writes out characters that would change how the text around them looks: controls, and marks that turn the direction of writing.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x061c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff {
			return '\uFFFD'
		}
		return r
	}, text)
}

func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05") }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func resultWord(b boot.Boot) string {
	switch b.Result {
	case boot.UnderWay:
		return "under way"
	case boot.LocalDisk:
		return "local disk"
	}
	return string(b.Result)
}

func verdict(n Network) string {
	switch n.Result {
	case Agrees:
		return "all in order"
	case Disagrees:
		return "something is wrong"
	case NoOffer:
		return "no DHCP server answers"
	case CheckError:
		return "could not be checked"
	}
	return "not checked yet"
}

// clientName is a kind of machine, for people.
func clientName(name string) string {
	for _, c := range [][2]string{
		{"bios", "BIOS"}, {"efi64", "UEFI x64"}, {"efi-bc", "UEFI x64 (9)"}, {"efi32", "UEFI IA32"}, {"arm64", "UEFI ARM64"}, {"http64", "UEFI HTTP"}, {"ipxe", "iPXE"},
	} {
		if c[0] == name {
			return c[1]
		}
	}
	return name
}

func markWord(state map[string]Mark, hop string) string {
	switch state[hop] {
	case Good:
		return "ok"
	case Bad:
		return "wrong"
	case Blind:
		return "?"
	}
	return "–"
}

// size is a number of bytes for people, in powers of ten.
func size(n int64) string {
	units, f := []string{"B", "kB", "MB", "GB", "TB"}, float64(n)
	for f >= 999.5 && len(units) > 1 {
		units, f = units[1:], f/1000
	}
	unit := units[0]
	if unit == "B" || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, unit)
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
