package web

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"pxeagent/agent/boot"
	"pxeagent/agent/watch"
	"pxeagent/deploy/lab"
)

// stage is a Live that a test changes.
type stage struct {
	mu      sync.Mutex
	status  Status
	changed chan struct{}
}

func newStage(s Status) *stage { return &stage{status: s, changed: make(chan struct{})} }

func (s *stage) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.status
	now.At = time.Now()
	return now
}

func (s *stage) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *stage) set(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	close(s.changed)
	s.changed = make(chan struct{})
}

// hostile is what a machine may call itself.
var hostile = []string{
	`<script>document.title='owned'</script>`, `"><img src=x onerror="document.title='owned'">`,
	`</style><svg onload=alert(1)>`, "\u202egnp.exe\u2066", `{{.}}${x}`,
	"\u0000\u001b[31mred\u0007", strings.Repeat("W", 200), `javascript:alert(1)`, "'-alert(1)-'",
}

// fullStatus has one of everything, and hostile texts wherever a machine or a DHCP server can put one.
func fullStatus(now time.Time) Status {
	s := Status{
		Agent: Running{
			Host:    "boot-1",
			Version: "test",
			Started: now.Add(-time.Hour),
			TFTP:    "127.0.0.1:69",
			HTTP:    "127.0.0.1:80",
		},
		Settings: []Setting{{"chain", "auto", "default"}, {"menu.title", hostile[0], "file:3"}},
		Config: Reload{
			OK: true,
		}, Menu: Menu{OK: true, Items: []MenuItem{{Key: "local", Title: "Boot from the local disk", Shown: true},
			{Key: "debian-12", Title: hostile[1], Why: hostile[0], Shown: true}}},
		Images: []Image{
			{
				Key:      "debian-12",
				Title:    "Debian 12",
				Recipe:   "debian",
				Bytes:    41e6,
				Added:    now.Add(-48 * time.Hour),
				Verified: now.Add(-time.Hour),
			},
			{Key: "bad", Title: hostile[1], Bytes: -1, Error: hostile[0]}, {Key: "hand", Title: "By hand", Bytes: 7},
		},
		Machines: []Machine{{MAC: "52:54:00:00:00:07", Name: "lab-7", Once: "debian-12"}},
		Actions:  true,
	}
	for i, text := range hostile {
		s.Events = append(
			s.Events,
			Event{
				ID:   uint64(i + 1),
				At:   now.Add(-time.Duration(i) * time.Minute),
				Kind: Looped,
				Bad:  i%2 == 0,
				Text: text,
			},
		)
	}
	good := map[string]watch.Mark{watch.StepOffer: watch.Good, watch.StepNBP: watch.Good, watch.StepScript: watch.Good,
		watch.StepFiles: watch.Good}
	s.Networks = []watch.State{
		{
			Name:       "lab",
			Watched:    true,
			NextServer: netip.MustParseAddr("192.0.2.1"),
			Every:      300,
			Checked:    now,
			Result:     watch.Agrees,
			Clients: []watch.Client{
				{
					Name:   "bios",
					Want:   "undionly.kpxe",
					State:  good,
					Reason: `192.0.2.1 names "undionly.kpxe" at 192.0.2.1 ` + hostile[0],
					Doubt:  "some ROMs take the first offer " + hostile[1],
					Steps: []watch.Step{
						{Name: watch.StepOffer, Stage: "offer", What: hostile[3], OK: true, Bytes: -1},
						{
							Name:  watch.StepNBP,
							Stage: "nbp",
							What:  "tftp://192.0.2.1/undionly.kpxe",
							OK:    true,
							Bytes: 93955,
							Took:  .01,
						},
					},
				},
				{
					Name: "ipxe",
					Want: "http://192.0.2.1/ipxe/bootstrap.ipxe",
					State: map[string]watch.Mark{watch.StepOffer: watch.Good, watch.StepScript: watch.Good,
						watch.StepFiles: watch.Good},
					Steps: []watch.Step{},
					As:    "bios",
				}},
		},
		{
			Name:    hostile[4],
			Watched: true,
			Every:   300,
			Checked: now,
			Result:  watch.Disagrees,
			Foreign: []string{hostile[0]},
			Clients: []watch.Client{
				{
					Name: "efi64",
					Want: "ipxe.efi",
					State: map[string]watch.Mark{watch.StepOffer: watch.Bad, watch.StepNBP: watch.Unknown,
						watch.StepScript: watch.Unknown, watch.StepFiles: watch.Unknown},
					Wrong: []string{hostile[1]},
					Steps: []watch.Step{{Name: watch.StepOffer, Stage: "offer", What: hostile[1], Text: hostile[0], Bytes: -1}},
				}},
		},
	}
	return s
}

// someBoots are one of each result, with hostile names.
func someBoots(now time.Time) []boot.Boot {
	var all []boot.Boot
	for i, r := range append(boot.Results(), boot.UnderWay) {
		start := now.Add(-time.Duration(60*(i+1)) * time.Second)
		b := boot.Boot{
			ID:       fmt.Sprintf("b%04d", i),
			MAC:      fmt.Sprintf("52:54:00:00:00:%02x", i),
			Addr:     netip.MustParseAddr("192.0.2.50"),
			Arch:     "x86_64",
			Firmware: boot.FirmwareUEFI,
			Facts: boot.Facts{
				Product:      hostile[i%len(hostile)],
				Manufacturer: "Example",
			},
			Started: start,
			Updated: start.Add(20 * time.Second),
			Result:  r,
			At:      boot.StageImage,
			Item:    hostile[1],
			File:    hostile[0],
			Note:    hostile[(i+1)%len(hostile)],
		}
		if r != boot.UnderWay {
			b.Ended = b.Updated
		}
		at := start
		for n, st := range boot.Stages() {
			end := at.Add(time.Duration(1+3*n) * time.Second)
			b.Stages = append(b.Stages, boot.Span{Stage: st, Start: at, End: end, Bytes: 1e6, Files: 1 + n})
			at = end
		}
		for _, name := range hostile {
			b.Files = append(
				b.Files,
				boot.Fetch{Name: name, Artifact: boot.Image, Proto: boot.HTTP, Outcome: boot.NotFound, Start: start},
			)
		}
		all = append(all, b)
	}
	return all
}

// newPageSite serves the page with a stand-in for the agent.
func newPageSite(t testing.TB) (*site, *stage, *boot.Feed) {
	t.Helper()
	live, feed := newStage(fullStatus(time.Now())), boot.NewFeed(100)
	t.Cleanup(feed.Close)
	for _, b := range someBoots(time.Now()) {
		feed.Set(b)
	}
	api := NewBootsAPI(feed, live)
	s := newSite(t, func(c *Config) {
		c.Live, c.Boots, c.Gate, c.Actions = live, api, NewGate(theToken), &deeds{}
		c.ShowMenu = func(f boot.Facts, _ netip.Addr) (Shown, error) {
			return Shown{Title: hostile[0], Items: []MenuItem{
				{
					Key:   "local",
					Title: "Local disk",
					Shown: true,
				}, {Key: "debian-12", Title: hostile[1], Group: hostile[3], Why: hostile[0], Shown: true, Installs: true},
				{Key: "hidden", Title: "Needs BIOS", Why: hostile[5]},
			}, Chosen: "debian-12", Timeout: 30, Host: f.MAC,
				Why: []string{
					hostile[0],
				}, Script: "#!ipxe\nkernel /k root_shadow='$6$abcdefgh$0123456789' " + hostile[0]}, nil
		}
	})
	return s, live, feed
}

// illegible is JavaScript that lists what is wrong with the page as it is shown: text with too little contrast to what
// is behind it (WCAG 2.1, 1.4.3: 4.5 to 1, and 3 to 1 where it is large), and whatever is wider than the window.
//
//go:embed testdata/legible.js
var illegible string

func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures(
		[]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		},
	)
}

func TestPageInABrowser(t *testing.T) {
	b := lab.StartBrowser(t)
	s, live, feed := newPageSite(t)
	b.Do("opening the page", chromedp.EmulateViewport(1400, 1000), scheme("dark"), chromedp.Navigate(s.url+"/"))
	b.Until(
		`document.getElementById("contact").dataset.state === "live" &&
			document.querySelectorAll("article.machine").length === 6`,
	)
	b.Until(`document.querySelector(".screen")`)

	t.Run("hostile texts are texts", func(t *testing.T) {
		if title := lab.Eval[string](b, "document.title"); title != "pxeagent on boot-1" {
			t.Errorf("the title is %q", title)
		}
		for _, tag := range []string{"img", "iframe", "object", "main script", "a[href^=javascript]", "[onload]",
			"[onerror]"} {
			if n := lab.Eval[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", tag)); n != 0 {
				t.Errorf("there are %d %s", n, tag)
			}
		}
		text := lab.Eval[string](b, "document.body.textContent")
		if !strings.Contains(text, hostile[0]) || !strings.Contains(text, `\u202egnp.exe\u2066`) ||
			strings.ContainsAny(text, "\u202e\u2066\x1b") {
			t.Error("texts are not shown as what they are")
		}
	})
	t.Run("a right answer has its reason and what is doubtful about it", func(t *testing.T) {
		for class, want := range map[string]string{
			"reason": `192.0.2.1 names "undionly.kpxe" at 192.0.2.1 ` + hostile[0],
			"doubt":  "In doubt: some ROMs take the first offer " + hostile[1],
		} {
			if got := lab.Eval[string](b, `document.querySelector(".steps .`+class+`").textContent`); got != want {
				t.Errorf("%s is %q, want %q", class, got, want)
			}
		}
	})
	for _, c := range []struct {
		name   string
		width  int64
		scheme string
	}{{"dark", 1400, "dark"}, {"light", 1400, "light"}, {"tablet", 800, "light"}, {"phone, dark", 360, "dark"},
		{"phone, light", 360, "light"}, {"small phone", 320, "dark"}} {
		t.Run(c.name, func(t *testing.T) {
			b.Do("changing the window", chromedp.EmulateViewport(c.width, 900), scheme(c.scheme))
			if found := lab.Eval[[]string](b, strings.TrimRight(illegible, ";\n")); len(found) > 0 {
				t.Errorf("%s", strings.Join(found, "\n"))
			}
			if dir := os.Getenv("PXEAGENT_SHOTS"); dir != "" {
				var png []byte
				b.Do("taking a picture", chromedp.FullScreenshot(&png, 100))
				if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(c.name, ", ", "-")+".png"), png, 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("what is new is shown, and what is open stays so", func(t *testing.T) {
		b.Do("changing the window", chromedp.EmulateViewport(1400, 1000))
		lab.Eval[bool](
			b,
			`(() => {
				const d = document.querySelector("article details");
				d.open = true;
				d.querySelector("summary").focus();
				window.kept = d.dataset.key;
				return true;
			})()`,
		)
		first := feed.Boots(boot.Filter{})[0]
		first.Result, first.Ended, first.Host = boot.Booted, time.Now(), "renamed"
		feed.Set(first)
		b.Until(`[...document.querySelectorAll("article.machine h3")].some((h) => h.textContent === "renamed")`)
		if !lab.Eval[bool](
			b,
			`document.querySelector('details[data-key="' + window.kept + '"]').open &&
				document.activeElement.parentElement.dataset.key === window.kept`,
		) {
			t.Error("what was open was closed, or the focus was lost")
		}
		b.Until(`document.getElementById("say").textContent.includes("renamed: Booted")`)
		live.set(func(s *Status) { s.Config = Reload{Error: "menu.timeout: is out of range"} })
		b.Until(
			`!document.getElementById("alarm").hidden &&
				document.getElementById("alarm").textContent.includes("menu.timeout: is out of range")`,
		)
	})
	t.Run("names and roles", func(t *testing.T) { testTree(t, b) })
	t.Run("complaints", func(t *testing.T) {
		if said := b.Complaints(); len(said) > 0 {
			t.Errorf("%q", said)
		}
		for _, u := range b.Asked() {
			if !strings.HasPrefix(u, s.url+"/") && !strings.HasPrefix(u, "data:") {
				t.Errorf("the page asked for %s", u)
			}
		}
	})
}

// testTree looks at the page as a screen reader does.
func testTree(t *testing.T, b *lab.Browser) {
	// The package's own types know fewer words than this Chromium says.
	type word struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    word `json:"role"`
			Name    word `json:"name"`
		} `json:"nodes"`
	}
	b.Do("reading the accessibility tree", chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	roles := map[string][]string{}
	for _, n := range tree.Nodes {
		if role, _ := n.Role.Value.(string); !n.Ignored {
			name, _ := n.Name.Value.(string)
			roles[role] = append(roles[role], name)
		}
	}
	for role, names := range map[string][]string{
		"banner": {""}, "main": {""}, "contentinfo": {""}, "status": {""}, "article": {"renamed"},
		"searchbox": {"Find a machine"}, "combobox": {"Show"},
		"region":       {"Machines", "DHCP and boot path", "Menu", "Images", "Events", "Configuration"},
		"heading":      {"pxeagent", "Machines", "renamed"},
		"columnheader": {"Offer", "Script", "Verified"}, "rowheader": {"BIOS", "iPXE"}, "button": {"Unlock"},
		"link": {"Skip to the machines"},
	} {
		for _, name := range names {
			if !slices.ContainsFunc(
				roles[role],
				func(n string) bool { return n == name || name != "" && strings.HasPrefix(n, name) },
			) {
				t.Errorf("there is no %s %q, but %q", role, name, roles[role])
			}
		}
	}
	for _, role := range []string{"button", "link", "combobox", "searchbox", "textbox", "region", "article"} {
		if slices.Contains(roles[role], "") {
			t.Errorf("a %s has no name", role)
		}
	}
}
