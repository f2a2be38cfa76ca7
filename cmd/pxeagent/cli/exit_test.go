package cli

import (
	"strings"
	"testing"
)

func TestSixteenExitCodes(t *testing.T) {
	if len(exits) > 16 {
		t.Errorf("%d exit codes", len(exits))
	}
	known := map[int]bool{}
	for _, e := range exits {
		if known[e.exit] || e.exit == 15 || e.text == "" {
			t.Errorf("%+v", e)
		}
		known[e.exit] = true
	}
	used := map[int]bool{}
	for _, c := range Codes() {
		if !known[c.Exit] {
			t.Errorf("%s: exit %d is not in the table", c.Name, c.Exit)
		}
		used[c.Exit] = true
	}
	for e := range known {
		if !used[e] {
			t.Errorf("no code has exit %d", e)
		}
	}
	if rows := strings.Count(ExitMarkdown(Codes()), "\n"); rows != len(Codes())+2 {
		t.Errorf("%d lines of Markdown", rows)
	}
	if lines := strings.Count(ExitText(Codes()), "\n"); lines != len(Codes())+len(exits) {
		t.Errorf("%d lines of text", lines)
	}
}
