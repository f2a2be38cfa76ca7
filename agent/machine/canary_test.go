package machine

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
)

func TestCanary(t *testing.T) {
	const first, other = mac1, mac2
	host := []Host{
		{Name: "first", MACs: []string{first}, Profile: "p", Labels: map[string]string{"canary": "true"}},
		{MACs: []string{other}, Profile: "p"},
	}
	b := inventory(t, host, Profile{Name: "p", Image: "smartos", SkipMenu: true, Canary: 10 * time.Minute})
	w := newWorld(t, b, old1)
	booted := func(mac, item string) {
		w.Asked(boot.Facts{MAC: mac}, addr("10.0.0.21"))
		w.Booted(boot.Facts{MAC: mac}, addr("10.0.0.21"), item)
	}
	both := func(canary, others string) { t.Helper(); w.want(first, canary); w.want(other, others) }
	why := func(text string) {
		t.Helper()
		if got := strings.Join(w.Choose(boot.Facts{MAC: other}, netip.Addr{}, "").Why, "\n"); !strings.Contains(got,
			text) {
			t.Errorf("%s\nwant %s", got, text)
		}
	}
	both("smartos-1!", "smartos-1!") // nothing later is there
	w.stock = append(w.stock, old2)
	both("smartos-2!", "smartos-1!")
	why("the oldest, because no canary has booted a later one; 2 waits for a canary to boot it")
	booted(other, "smartos-2") // by hand: it proves nothing
	both("smartos-2!", "smartos-1!")

	booted(first, "smartos-2")
	w.now = w.now.Add(9 * time.Minute)
	both("smartos-2!", "smartos-1!")
	why(
		"2 waits until 2026-03-01T12:10:00Z: canary " + first + " booted it at 2026-03-01T12:00:00Z and has to stay " +
			"up for 10m0s",
	)
	booted(first, "smartos-2") // it has panicked
	w.now = w.now.Add(9 * time.Minute)
	both("smartos-2!", "smartos-1!")
	w.Asked(boot.Facts{MAC: first}, addr("10.0.0.21")) // again, and goes to the disk
	w.now = w.now.Add(time.Hour)
	both("smartos-2!", "smartos-1!")
	why("2 waits: canary " + first + " came back after 9m0s with it, and 10m0s are wanted")
	booted(first, "smartos-2")
	w.now = w.now.Add(10 * time.Minute)
	both("smartos-2!", "smartos-2!")
	why("version 2, the newest, and one that a canary has booted")

	// That it comes back later takes nothing back, and the next version waits in turn.
	booted(first, "smartos-2")
	both("smartos-2!", "smartos-2!")
	w.stock = append(w.stock, new3)
	both("smartos-3!", "smartos-2!")
	if err := w.OneTime.Set(other, "memtest"); err != nil {
		t.Fatal(err)
	}
	needs, err := w.Needs()
	if want := map[string]string{"smartos-2": "profile p boots it", "smartos-3": "profile p boots it",
		"memtest": other + " is to boot it once"}; err != nil ||
		!maps.Equal(needs, want) {
		t.Errorf("needed are %v, %v", needs, err)
	}
	if _, _, err := w.OneTime.Cancel(other); err != nil {
		t.Fatal(err)
	}
	booted(first, "smartos-3")
	w.now = w.now.Add(time.Minute)
	both("smartos-3!", "smartos-2!")
	if err := w.CanaryResults.Approve("smartos-3"); err != nil {
		t.Fatal(err)
	}
	both("smartos-3!", "smartos-3!")
	why("good, by a person's word")
	w.stock = []catalog.Item{old1, new3} // what was proven is pruned
	both("smartos-3!", "smartos-3!")

	// All of it is on disk.
	again := newWorld(t, b, old1, old2, new3)
	again.Fleet = OpenFleet(
		Config{
			Inventory: b,
			State:     filepath.Join(w.dir, "state"),
			Items:     again.items,
			Neighbour: w.holder,
			now:       func() time.Time { return w.now },
		},
	)
	again.want(other, "smartos-3!")
}

func TestWhoIsACanary(t *testing.T) {
	p := func(name string, canary time.Duration) Profile {
		return Profile{Name: name, Image: "smartos", Canary: canary}
	}
	for _, tt := range []struct {
		name     string
		hosts    []Host
		profiles []Profile
		want     string // of mac2, whose profile is p
	}{
		{"none", []Host{{MACs: []string{mac2}, Profile: "p"}}, []Profile{p("p", 0)}, "smartos-2"},
		{"of another profile", []Host{{MACs: []string{mac1}, Profile: "q",
			Labels: map[string]string{"canary": "true"}}, {MACs: []string{mac2}, Profile: "p"}},
			[]Profile{p("p", 0), p("q", 0)}, "smartos-2"},
		{"a label that says no", []Host{{MACs: []string{mac1}, Profile: "p",
			Labels: map[string]string{"canary": "false"}}, {MACs: []string{mac2}, Profile: "p"}},
			[]Profile{p("p", 0)}, "smartos-2"},
		{"by label", []Host{{MACs: []string{mac1}, Profile: "p",
			Labels: map[string]string{"canary": "true"}}, {MACs: []string{mac2}, Profile: "p"}},
			[]Profile{p("p", 0)}, "smartos-1"},
		{"not by a profile of that name",
			[]Host{{MACs: []string{mac1}, Profile: "canary"}, {MACs: []string{mac2}, Profile: "p"}}, []Profile{p("p",
				0), p("canary", 0)}, "smartos-2"},
		{"off", []Host{{MACs: []string{mac1}, Profile: "p",
			Labels: map[string]string{"canary": "true"}}, {MACs: []string{mac2}, Profile: "p"}}, []Profile{p("p",
			-1)}, "smartos-2"},
		{"a version that is named", []Host{{MACs: []string{mac1}, Profile: "p",
			Labels: map[string]string{"canary": "true"}}, {MACs: []string{mac2}, Profile: "p"}},
			[]Profile{{Name: "p", Image: "smartos", Version: "2"}}, "smartos-2"},
		{"a version that is not here", []Host{{MACs: []string{mac2}, Profile: "p"}}, []Profile{{Name: "p",
			Image: "smartos", Version: "9", SkipMenu: true}}, "menu"},
		{"an item", []Host{{MACs: []string{mac2}, Profile: "p"}}, []Profile{{Name: "p", Image: "memtest"}}, "memtest"},
		{"what is not here", []Host{{MACs: []string{mac2}, Profile: "p"}}, []Profile{{Name: "p", Image: "fedora",
			SkipMenu: true}}, "menu"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newWorld(t, inventory(t, tt.hosts, tt.profiles...), old2, mem, old1).want(mac2, tt.want)
		})
	}
}

// Version 1 also took the hosts of a profile named canary for canaries. Whoever relied on it is warned.
func TestCanaryProfileIsWarnedOf(t *testing.T) {
	profile := Profile{Name: "canary", Image: "smartos"}
	labelled := map[string]string{CanaryLabel: "true"}
	for _, tt := range []struct {
		host Host
		want int
	}{
		{Host{MACs: []string{mac1}, Profile: "canary"}, 1},
		{Host{MACs: []string{mac1}, Profile: "canary", Labels: labelled}, 0},
		{Host{MACs: []string{mac1}}, 0},
	} {
		w := newWorld(t, inventory(t, []Host{tt.host}, profile))
		if n := strings.Count(w.log.String(),
			`msg="host is not a canary: give it the label canary: \"true\""`); n != tt.want {
			t.Errorf("%+v: %d warnings, want %d:\n%s", tt.host, n, tt.want, &w.log)
		}
	}
}

func TestInvalidCanaryResults(t *testing.T) {
	b := inventory(
		t,
		[]Host{
			{MACs: []string{mac1}, Profile: "p", Labels: map[string]string{CanaryLabel: "true"}},
			{MACs: []string{mac2}, Profile: "p"},
		},
		Profile{Name: "p", Image: "smartos"},
	)
	for _, text := range []string{"", "[]",
		`{"item":"smartos-1","good":"2020-01-01T00:00:00Z"}`, `{"item":"smartos-2","booted":"2030-01-01T00:00:00Z"}`,
		`{"item":"smartos-2","stood_ns":-1}`} {
		w := newWorld(t, b, old1, old2)
		if err := os.MkdirAll(filepath.Join(w.dir, "state", "canary"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, "state", "canary",
			"smartos-2.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		w.want(mac2, "smartos-1")
	}
}
