package catalog

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/image"
)

// What loaders other than iPXE are told is what iPXE's commands say, without what is iPXE's own.
func TestLoad(t *testing.T) {
	linux := image.Image{
		Kind: image.KindLinux, CPU: image.X86, BIOS: "d/linux", EFI: "d/linux", Modules: []image.Module{{Path: "d/initrd"}},
		Args: []image.Arg{{Text: "initrd=initrd"}, {Text: "url=", Path: "d/x.iso"}, {Text: "console=ttyS9"}},
	}
	got, err := Item{image: &linux}.Load("http://a", Options{Args: "rack=7", Console: Console{Port: 'a'}})
	want := Load{BIOS: "d/linux", EFI: "d/linux", Modules: linux.Modules,
		Args: "url=http://a/d/x.iso console=tty0 console=ttyS0,115200 rack=7"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	for name, i := range map[string]Item{
		"a tool": {Key: "shell"}, "an ISO image": {image: &image.Image{Kind: image.KindISO, BIOS: "x.iso"}},
		"Windows": {image: &image.Image{Kind: image.KindWimboot, BIOS: "wimboot"}},
	} {
		if _, err := i.Load("http://a", Options{}); !errors.Is(err, ErrNeedsIPXE) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Item{image: &linux}).Load("http://a", Options{Args: "mac=${mac}"}); !errors.Is(err, ErrNeedsIPXE) {
		t.Errorf("with a setting of iPXE's: %v", err)
	}
	if _, err := (Item{image: &linux}).Load("http://a", Options{Args: "a || b"}); err == nil ||
		errors.Is(err, ErrNeedsIPXE) {
		t.Errorf("with invalid arguments: %v", err)
	}
}
