package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/guard"
	"pxeagent/agent/image/imagetest"
)

func (b *bench) sync(wants []Want, needed map[string]string, dryRun bool) ([]string, error) {
	var did []string
	err := b.Sync(context.Background(), wants, func(key string) string { return needed[key] }, dryRun, func(a Action) {
		did = append(did, strings.TrimSpace(fmt.Sprintf("%s %s %.30s", a.Do, a.Key, a.Why)))
	})
	return did, err
}

// A panic is the failure of one image; the next is added.
func TestSyncGoesOnAfterAPanic(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	b.mirror.PublishDebian("trixie", "arm64")
	b.Guard = guard.New(slog.New(slog.DiscardHandler))
	report, first := b.report, true
	b.report = func(e Event) {
		if first {
			first = false
			panic("a panic of the report")
		}
		report(e)
	}
	did, err := b.sync(
		[]Want{
			{Order: Order{Recipe: "smartos", Version: stamp}},
			{Order: Order{Recipe: "debian", Version: "trixie", Arch: "arm64"}},
		},
		nil,
		false,
	)
	want := []string{
		"add smartos-" + stamp,
		"fail smartos-" + stamp + " panic in images: a panic of th",
		"add debian-trixie-arm64",
	}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Error(diff)
	}
	var p *guard.Panic
	if !errors.As(err, &p) {
		t.Errorf("error is %v", err)
	}
	if _, err := b.Find("debian-trixie-arm64"); err != nil {
		t.Error(err)
	}
}

func TestSync(t *testing.T) {
	b := newBench(t)
	stamps := []string{"20130405T010449Z", stamp, "20240101T000000Z", "20250101T000000Z"}
	for _, s := range stamps {
		b.mirror.PublishOldSmartOS(t, s)
	}
	b.mirror.PublishDebian("trixie", "arm64")
	for _, s := range stamps[:3] {
		b.add(Order{Recipe: "smartos", Version: s})
	}
	other := imagetest.New(t)
	other.PublishTalos("v1.2.3")
	b.add(Order{Recipe: "talos", Version: "v1.2.3", Mirrors: []string{other.URL}}) // of a recipe that is not listed
	top := "smartos/20100101T000000Z/platform/i86pc/"
	put(t, b.Dir, top+"kernel/amd64/unix", top+"amd64/boot_archive") // by hand
	wants := []Want{
		{Order: Order{Recipe: "smartos", Version: "latest"}, Keep: 2},
		{Order: Order{Recipe: "debian", Version: "trixie", Arch: "arm64"}, Keep: 1},
	}
	needed := map[string]string{"smartos-" + stamps[0]: "a profile boots it"}
	want := []string{
		"add smartos-20250101T000000Z", "add debian-trixie-arm64", "remove smartos-" + stamp + " 2 are kept",
		"spare smartos-" + stamps[0] + " a profile boots it",
	}
	before := b.served()
	did, err := b.sync(wants, needed, true)
	if diff := cmp.Diff(want, did); diff != "" || err != nil {
		t.Errorf("dry run: %v\n%s", err, diff)
	}
	if b.served() != before {
		t.Error("the dry run did something")
	}
	did, err = b.sync(wants, needed, false)
	if diff := cmp.Diff(want, did); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	did, err = b.sync(wants, needed, false)
	again := []string{
		"none smartos-20250101T000000Z",
		"none debian-trixie-arm64",
		"spare smartos-" + stamps[0] + " a profile boots it",
	}
	if diff := cmp.Diff(again, did); diff != "" || err != nil {
		t.Errorf("the second time: %v\n%s", err, diff)
	}
	var keys []string
	all, err := b.List()
	for _, in := range all {
		keys = append(keys, in.Key)
	}
	if diff := cmp.Diff([]string{"smartos-20250101T000000Z", "smartos-20240101T000000Z", "smartos-" + stamps[0],
		"smartos-20100101T000000Z", "debian-trixie-arm64", "talos-v1.2.3"}, keys); diff != "" ||
		err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// Other words for an image need no download.
	asked := len(b.mirror.Asked("dists/trixie/main/installer-arm64/current/images/netboot/debian-installer/arm64/linux"))
	wants[1].Title, wants[1].Args = "Ours", []string{"quiet"}
	if did, err = b.sync(wants, needed, false); err != nil || did[1] != "update debian-trixie-arm64 title or arguments" {
		t.Errorf("%q, %v", did, err)
	}
	if now := len(b.mirror.Asked(
		"dists/trixie/main/installer-arm64/current/images/netboot/debian-installer/arm64/linux")); now != asked {
		t.Error("it was fetched again")
	}
	if got := strings.Join(b.items(), "\n"); !strings.Contains(got, "debian-trixie-arm64 | Ours (arm64) | arm64") ||
		!strings.Contains(got, "initrd=initrd.gz quiet |") {
		t.Error(got)
	}
}

// What Verify found to be damaged is fetched again, once.
func TestSyncMends(t *testing.T) {
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	wants := []Want{{Order: Order{Recipe: "smartos", Version: stamp}}}
	in := b.add(wants[0].Order)
	archive := filepath.Join(b.Dir, in.Dir, "platform/i86pc/amd64/boot_archive")
	good, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, []byte("rot"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context(), in.Key); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	for _, want := range []string{"update " + in.Key + " platform/i86pc/amd64/boot_arch", "none " + in.Key} {
		if did, err := b.sync(wants, nil, false); err != nil || !slices.Equal(did, []string{want}) {
			t.Errorf("%q, %v; want %s", did, err, want)
		}
	}
	if now, err := os.ReadFile(archive); err != nil || !bytes.Equal(now, good) {
		t.Errorf("boot_archive is %.20q, %v", now, err)
	}
}

// Where an image cannot be had, nothing of its recipe is removed; the others are dealt with.
func TestSyncThatFails(t *testing.T) {
	b := newBench(t)
	for _, s := range []string{"20130405T010449Z", stamp} {
		b.mirror.PublishOldSmartOS(t, s)
		b.add(Order{Recipe: "smartos", Version: s})
	}
	b.mirror.Remove("latest")
	b.mirror.PublishDebian("trixie", "amd64")
	did, err := b.sync([]Want{
		{
			Order: Order{Recipe: "smartos", Version: "latest"},
			Keep:  1,
		}, {Order: Order{Recipe: "windows", Version: "1"}}, {Order: Order{Recipe: "debian", Version: "trixie"}},
	}, nil, false)
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrNoRecipe) {
		t.Errorf("error %v", err)
	}
	want := []string{
		"fail smartos-latest asking for the latest version",
		`fail windows-1 unknown recipe: "windows"`,
		"add debian-trixie",
	}
	if diff := cmp.Diff(want, did); diff != "" {
		t.Error(diff)
	}
	if all, _ := b.List(); len(all) != 3 {
		t.Errorf("%d images, want 3", len(all))
	}
}
