package files

import (
	"testing"

	"pxeagent/agent/boot"
)

// What is taken for right at first sight is what would come of it in the end: of all names of five characters, of those
// that mean something.
func TestNamesThatAreRight(t *testing.T) {
	const meaning = "a./\\ \x00\xff:"
	names := []string{""}
	for range 5 {
		var longer []string
		for _, name := range names {
			for i := range len(meaning) {
				longer = append(longer, name+meaning[i:i+1])
			}
		}
		names = longer
		for _, name := range names {
			got, quirks := Clean(name, boot.HTTP)
			want, wanted := putRight(name, boot.HTTP)
			if got != want || len(quirks) != len(wanted) {
				t.Errorf("%q: %q %v, want %q %v", name, got, quirks, want, wanted)
			}
		}
	}
}
