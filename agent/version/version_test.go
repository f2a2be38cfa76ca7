package version

import (
	"slices"
	"testing"
)

func TestVersionsInOrder(t *testing.T) {
	want := []string{
		"",
		"1.0-alpha1",
		"1.0-beta",
		"1.0-rc1",
		"1.0-rc2",
		"1.0-rc10",
		"1.0_rc1",
		"1.0~beta",
		"1.0",
		"1.0-1",
		"1.0.1",
		"1.2",
		"1.2a",
		"1.9",
		"1.10",
		"12",
		"12.5",
		"41",
		"20130808T195337Z",
		"20130808T195338Z",
		"20260101T000000Z",
		"release-1",
		"v1.9",
		"v1.10-beta",
		"v1.10",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// FuzzVersions: it is an order.
func FuzzVersions(f *testing.F) {
	f.Add("1.0", "1.0-rc1", "1.0.1")
	f.Add("1.00", "1.0", "1~")
	f.Add("a1", "1a", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		sign := func(n int) int { return max(-1, min(1, n)) }
		if sign(Compare(a, b)) != -sign(Compare(b, a)) {
			t.Fatalf("%q and %q: %d, %d", a, b, Compare(a, b), Compare(b, a))
		}
		if (Compare(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q are equal", a, b)
		}
		if Compare(a, b) <= 0 && Compare(b, c) <= 0 && Compare(a, c) > 0 {
			t.Fatalf("%q, %q, %q", a, b, c)
		}
	})
}
