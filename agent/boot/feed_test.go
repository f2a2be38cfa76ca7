package boot

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func fedBoot(n int, result Result) Boot {
	b := Boot{ID: fmt.Sprintf("%06d", n), Result: result, Started: loopStart, Updated: loopStart}
	if result != UnderWay {
		b.Ended = loopStart.Add(time.Duration(n) * time.Minute)
	}
	return b
}

func ids(boots []Boot) string {
	var all []string
	for _, b := range boots {
		all = append(all, strings.TrimLeft(b.ID, "0"))
	}
	return strings.Join(all, " ")
}

func TestFeedKeepsTheNewest(t *testing.T) {
	f := NewFeed(3)
	for _, n := range []int{5, 2, 4, 3, 9, 1} {
		f.Set(fedBoot(n, Booted))
	}
	if got := ids(f.Boots(Filter{})); got != "9 5 4" {
		t.Errorf("%s", got)
	}
	f.Set(fedBoot(4, Stalled))
	if got := ids(f.Boots(Filter{Result: Stalled})); got != "4" {
		t.Errorf("%s", got)
	}
	f.Set(fedBoot(10, UnderWay))
	if got := ids(f.Boots(Filter{Limit: 2})); got != "10 9" {
		t.Errorf("%s", got)
	}
	f.Forget(loopStart.Add(8 * time.Minute))
	if got := ids(f.Boots(Filter{})); got != "10 9" {
		t.Errorf("after Forget: %s", got)
	}
}

// However long the names are that machines ask for, a Feed has a bound in bytes as well.
func TestFeedIsBoundedInBytes(t *testing.T) {
	f := NewFeed(1 << 20)
	files := make([]Fetch, boundFiles)
	for i := range files {
		files[i].Name = strings.Repeat("x", boundName)
	}
	for n := range 5000 {
		b := fedBoot(n, Booted)
		b.Files = files
		f.Set(b)
	}
	if n := len(f.Boots(Filter{})); n < 1000 || n*size(Boot{Files: files}) > feedBytes {
		t.Errorf("%d boots are kept", n)
	}
}

func TestShortID(t *testing.T) {
	f := NewFeed(10)
	for _, n := range []int{101234, 201234, 305678} {
		f.Set(fedBoot(n, Booted))
	}
	for id, want := range map[string]string{"5678": "305678", "101234": "101234", "1234": "", "678": "", "": "",
		"9999": ""} {
		if b, ok := f.Boot(id); b.ID != want || ok != (want != "") {
			t.Errorf("%q: %q", id, b.ID)
		}
	}
}

func TestSubscribe(t *testing.T) {
	f := NewFeed(2)
	f.Set(fedBoot(1, UnderWay))
	events, cancel := f.Subscribe()
	next := func() Boot {
		t.Helper()
		select {
		case b := <-events:
			return b
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is told")
			return Boot{}
		}
	}
	f.Set(fedBoot(1, Booted))
	if b := next(); b.Result != Booted {
		t.Errorf("%+v", b)
	}
	// The reader is slow: what it missed comes as it is last, once; what is no longer kept does not come.
	f.Set(fedBoot(2, UnderWay))
	f.Set(fedBoot(2, Stalled))
	for n := 3; n < 1000; n++ {
		f.Set(fedBoot(n, UnderWay))
	}
	f.Set(fedBoot(999, Booted))
	seen := map[string]Boot{}
	for seen["000999"].Result != Booted {
		b := next()
		seen[b.ID] = b
	}
	if len(seen) > 4 {
		t.Errorf("%d boots of 2 that are kept", len(seen))
	}
	into := fedBoot(998, UnderWay)
	into.Into = "000999"
	f.Set(into)
	for b := next(); b.Into != "000999"; b = next() {
		t.Logf("before it: %+v", b)
	}
	if got := ids(f.Boots(Filter{})); got != "999" {
		t.Errorf("a boot that is none is kept: %s", got)
	}
	cancel()
	cancel()
	if _, open := <-events; open {
		t.Error("told after the end")
	}
	second, stop := f.Subscribe()
	defer stop()
	f.Close()
	if _, open := <-second; open {
		t.Error("told after Close")
	}
	late, stop := f.Subscribe()
	defer stop()
	if _, open := <-late; open {
		t.Error("a subscription after Close")
	}
}
