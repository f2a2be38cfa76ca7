package machine

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

// world is a fleet with a clock and a neighbour table of its own.
type world struct {
	*Fleet
	t     *testing.T
	dir   string
	now   time.Time
	arp   map[string]string // the MAC of an address
	stock []catalog.Item
	log   bytes.Buffer
}

func newWorld(t *testing.T, b *Inventory, items ...catalog.Item) *world {
	t.Helper()
	w := &world{
		t:     t,
		dir:   t.TempDir(),
		now:   time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		arp:   map[string]string{},
		stock: items,
	}
	w.Fleet = OpenFleet(Config{
		Inventory: b, State: filepath.Join(w.dir, "state"), Documents: filepath.Join(w.dir, "provision"),
		Items:     func() ([]catalog.Item, error) { return w.stock, nil },
		Log:       slog.New(slog.NewTextHandler(&w.log, nil)),
		Neighbour: w.holder,
		now:       func() time.Time { return w.now },
	})
	return w
}

// holder looks an address up in the neighbour table.
func (w *world) holder(a netip.Addr) Holder {
	h := Holder{MAC: w.arp[a.String()]}
	for _, mac := range w.arp {
		if mac == h.MAC {
			h.Addresses++
		}
	}
	return h
}

// boots asks for the script and says what came: "item", with "!" where there is no menu, "menu" for its default.
func (w *world) boots(mac string) string {
	w.t.Helper()
	c := w.Choose(boot.Facts{MAC: mac}, netip.Addr{}, "http://10.0.0.7")
	if len(c.Why) == 0 {
		w.t.Errorf("%s: nothing says why", mac)
	}
	item := c.Item
	if item == "" {
		item = "menu"
	}
	if c.SkipMenu {
		item += "!"
	}
	return item
}

func (w *world) want(mac, item string) {
	w.t.Helper()
	if got := w.boots(mac); got != item {
		w.t.Errorf("%s boots %s, want %s: %s", mac, got, item,
			strings.Join(w.Choose(boot.Facts{MAC: mac}, netip.Addr{}, "").Why, "; "))
	}
}

// fetch is a machine that asks for its script and then for the kernel of these items.
func (w *world) fetch(mac, at string, items ...string) {
	w.t.Helper()
	w.Asked(boot.Facts{MAC: mac}, addr(at))
	if w.Waits(addr(at)) {
		w.Fetched(addr(at), items)
	}
}

var (
	old1 = catalog.Item{Key: "smartos-1", Names: []string{"smartos"}, Version: "1"}
	old2 = catalog.Item{Key: "smartos-2", Names: []string{"smartos"}, Version: "2"}
	new3 = catalog.Item{Key: "smartos-3", Names: []string{"smartos"}, Version: "3"}
	deb  = catalog.Item{Key: "debian-12", Names: []string{"debian"}, Version: "12"}
	mem  = catalog.Item{Key: "memtest"}
)

func TestBootOnceIsUsedUpByTheKernel(t *testing.T) {
	b := inventory(t, []Host{{Name: "node", MACs: []string{mac1, mac2}, Profile: "p"}},
		Profile{Name: "p", Image: "smartos", SkipMenu: true, Args: "a=b", Canary: -1})
	w := newWorld(t, b, old1, deb, mem)
	w.want(mac1, "smartos-1!")
	if err := w.OneTime.Set(mac1, "memtest"); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the menu, as often as it is asked for
		w.fetch(mac1, "10.0.0.21")
		w.want(mac1, "memtest!")
	}
	if c := w.Choose(boot.Facts{MAC: mac1}, netip.Addr{}, ""); !c.Once || c.Args != "" {
		t.Errorf("%+v: arguments of the profile's image", c)
	}
	w.want(mac2, "memtest!") // the other card of the same machine
	w.fetch(mac1, "10.0.0.21", "debian-12")
	w.fetch("52:54:00:00:00:01", "10.0.0.22", "memtest")
	w.want(mac1, "memtest!")
	w.fetch(mac2, "10.0.0.23", "debian-12", "memtest")
	w.want(mac1, "smartos-1!")
	if c := w.Choose(boot.Facts{MAC: mac1}, netip.Addr{}, ""); c.Args != "a=b" || c.Once {
		t.Errorf("%+v", c)
	}

	// The machine that tells no MAC is known by the network.
	if err := w.OneTime.Set(mac1, "debian-12"); err != nil {
		t.Fatal(err)
	}
	w.arp["10.0.0.24"] = mac1
	if c := w.Choose(boot.Facts{}, addr("10.0.0.24"), ""); c.Item != "debian-12" ||
		!strings.Contains(c.Why[0], "in the network 10.0.0.24 is "+mac1) {
		t.Errorf("%+v", c)
	}
	w.Fetched(addr("10.0.0.24"), []string{"debian-12"})
	w.want(mac1, "smartos-1!")
}

func TestBootOnceOfWhatIsGone(t *testing.T) {
	b := inventory(t, []Host{{MACs: []string{mac1}, Profile: "p"}},
		Profile{Name: "p", Image: "smartos", SkipMenu: true, Canary: -1})
	w := newWorld(t, b, old1)
	for _, mac := range []ID{mac1, mac2} {
		if err := w.OneTime.Set(mac, "memtest"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		w.want(mac1, "smartos-1") // the menu, with what the profile boots as its default
		w.want(mac2, "menu")
	}
	why := w.Choose(boot.Facts{MAC: mac2}, netip.Addr{}, "").Why
	if want := "one-time boot of " + mac2 + ": item memtest not found, so the menu comes"; !slices.Contains(why, want) {
		t.Errorf("%q", why)
	}
	if n := strings.Count(w.log.String(), "item=memtest"); n != 2 {
		t.Errorf("%d lines for two machines:\n%s", n, &w.log)
	}
	w.stock = append(w.stock, mem)
	w.want(mac2, "memtest!")
}

func TestAProfileThatBootsOnce(t *testing.T) {
	b := inventory(
		t,
		[]Host{
			{MACs: []string{mac1}, Profile: "straight"},
			{MACs: []string{mac2}, Profile: "menu"},
			{Addresses: ranges(t, "10.0.9.0/24"), Profile: "straight"},
		},
		Profile{
			Name:     "straight",
			Image:    "debian",
			Once:     true,
			SkipMenu: true,
		},
		Profile{Name: "menu", Image: "debian", Once: true},
	)
	w := newWorld(t, b, deb, mem)
	w.want(mac1, "debian-12!")
	w.want(mac2, "debian-12")
	w.fetch(mac1, "10.0.0.21", "memtest") // chosen by a person
	w.want(mac1, "debian-12!")
	w.fetch(mac1, "10.0.0.21", "debian-12")
	w.want(mac1, "local!")
	w.fetch(mac2, "10.0.0.22", "debian-12")
	w.want(mac2, "menu")
	// A new version, even a changed profile, does not install again.
	w.stock = append(w.stock, catalog.Item{Key: "debian-13", Names: []string{"debian"}, Version: "13"})
	w.want(mac1, "local!")
	if w.Waits(addr("10.0.0.21")) {
		t.Error("there is nothing to wait for")
	}
	// Who cannot be known again is not installed again and again.
	if c := w.Choose(boot.Facts{}, addr("10.0.9.1"), ""); c.Item != "local" ||
		!strings.Contains(strings.Join(c.Why, "\n"), "neither MAC nor UUID") {
		t.Errorf("%+v", c)
	}
	if had, err := w.Done.Forget("straight", mac1); !had || err != nil {
		t.Errorf("%v, %v", had, err)
	}
	w.want(mac1, "debian-13!")
	// An order goes before.
	if err := w.OneTime.Set(mac1, "memtest"); err != nil {
		t.Fatal(err)
	}
	w.fetch(mac1, "10.0.0.21", "memtest")
	w.want(mac1, "debian-13!")
}

// A file that cannot be read must not install a second time.
func TestDoneThatCannotBeRead(t *testing.T) {
	b := inventory(t, []Host{{MACs: []string{mac1}, Profile: "p"}}, Profile{Name: "p", Image: "debian", Once: true})
	w := newWorld(t, b, deb)
	w.fetch(mac1, "10.0.0.21", "debian-12")
	if err := os.WriteFile(filepath.Join(w.dir, "state", "done",
		ID(mac1).file()+".p"), []byte("\x00"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.want(mac1, "menu")
}

func TestSeenIsBounded(t *testing.T) {
	var s seen
	now := time.Unix(0, 0)
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range seenLimit + 100 {
		now = now.Add(time.Second)
		s.put(at(i), told{facts: boot.Facts{Serial: "x"}, at: now})
	}
	if len(s.by) != seenLimit {
		t.Errorf("%d are remembered", len(s.by))
	}
	if s.at(at(seenLimit+99), now).facts.Serial != "x" || s.at(at(0), now) != (told{}) {
		t.Error("the newest was forgotten, or the oldest was not")
	}
	if s.at(at(seenLimit+99), now.Add(seenTime+time.Second)) != (told{}) {
		t.Error("an old one is still believed")
	}
}

// Where nothing is to be booted once, a file that a machine has fetched costs no look at the neighbour table.
func TestWaitsLooksNobodyUpInVain(t *testing.T) {
	lookups := 0
	f := OpenFleet(Config{
		State: t.TempDir(), Items: func() ([]catalog.Item, error) { return []catalog.Item{mem}, nil },
		Neighbour: func(netip.Addr) Holder { lookups++; return Holder{MAC: mac1, Addresses: 1} },
	})
	if f.Waits(addr("10.0.0.21")) || lookups > 0 {
		t.Errorf("there is nothing to wait for; %d lookups", lookups)
	}
	if err := f.OneTime.Set(mac1, mem.Key); err != nil {
		t.Fatal(err)
	}
	if !f.Waits(addr("10.0.0.21")) || lookups != 1 {
		t.Errorf("a one-time boot is not seen; %d lookups", lookups)
	}
	if _, _, err := f.OneTime.Cancel(mac1); err != nil {
		t.Fatal(err)
	}
	once := Profile{Name: "once", Image: mem.Key, Once: true}
	f.SetInventory(inventory(t, []Host{{MACs: []string{mac1}, Profile: "once"}}, once))
	if !f.Waits(addr("10.0.0.21")) {
		t.Error("a profile that boots once is not seen")
	}
}

// A loader that iPXE started tells its MAC alone: what iPXE told of that machine stays known.
func TestALoaderTellsLess(t *testing.T) {
	w := newWorld(t, nil)
	const mac, other = "52:54:00:00:00:01", "52:54:00:00:00:02"
	w.Asked(boot.Facts{MAC: mac, Serial: "S7"}, addr("10.0.0.21"))
	w.Asked(boot.Facts{MAC: mac}, addr("10.0.0.21"))
	if got := w.seen.at(addr("10.0.0.21"), w.now).facts; got.Serial != "S7" {
		t.Errorf("known is %+v", got)
	}
	w.Asked(boot.Facts{MAC: other}, addr("10.0.0.21"))
	if got := w.seen.at(addr("10.0.0.21"), w.now).facts; got != (boot.Facts{MAC: other}) {
		t.Errorf("of another machine %+v is known", got)
	}
}
