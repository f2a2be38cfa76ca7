package script

import (
	"fmt"
	"strings"
	"testing"
)

// A menu of 200 items, each with settings of its own, that comes back to its start.
func BenchmarkRunLargeMenu(b *testing.B) {
	var t strings.Builder
	t.WriteString("#!ipxe\nset base http://10.0.0.7\n:start\nmenu Large\n")
	for i := range 200 {
		fmt.Fprintf(&t, "item item%d Item number %d\n", i, i)
	}
	t.WriteString("choose --timeout 30000 --default item0 x || goto start\ngoto ${x}\n")
	for i := range 200 {
		fmt.Fprintf(&t, ":item%d\nset version %d\niseq ${platform} efi && set kind efi || set kind bios\n"+
			"kernel ${base}/${version}/${kind}/vmlinuz quiet ||\ninitrd ${base}/${version}/initrd ||\nboot || goto start\n", i,
			i)
	}
	text := []byte(t.String())
	for b.Loop() {
		r := Run(text, somewhere, Machine{Settings: map[string]string{"platform": "efi"}}, nil)
		if len(r.References) != 400 {
			b.Fatalf("%d references", len(r.References))
		}
	}
}
