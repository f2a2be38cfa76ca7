package machine

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testdata/state is what version 1 wrote. It is read for ever.
func TestStateOfVersion1(t *testing.T) {
	w := newWorld(t, nil)
	if err := os.CopyFS(w.dir+"/state", os.DirFS("testdata/state")); err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		t.Helper()
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	orders, err := w.OneTime.List()
	if diff := cmp.Diff([]OneTimeBoot{
		{ID: "52:54:00:12:34:56", Item: "debian-12", Set: at("2026-03-01T11:00:00Z")},
		{ID: "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60", Item: "local", Set: at("2026-03-01T11:00:00Z")},
	}, orders); diff != "" || err != nil {
		t.Errorf("%v, booted once (-want +got):\n%s", err, diff)
	}
	if when, was := w.Done.Has("install", "52:54:00:12:34:57"); !was || !when.Equal(at("2026-03-01T11:00:00Z")) {
		t.Errorf("done: %v, %v", was, when)
	}
	for _, want := range []CanaryResult{
		{Item: "debian-12", Good: at("2026-03-01T12:00:00Z")},
		{Item: "smartos-20240104T000552Z", Machine: "52:54:00:12:34:58", Stood: 15 * time.Minute},
		{Item: "smartos-20250101T000000Z", Machine: "52:54:00:12:34:58", Booted: at("2026-03-01T12:00:00Z")},
	} {
		got, ok := w.CanaryResults.Result(want.Item)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("canary, %v (-want +got):\n%s", ok, diff)
		}
	}
	if w.log.Len() > 0 {
		t.Errorf("logged:\n%s", &w.log)
	}
}
