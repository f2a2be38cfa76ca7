package cli

import (
	"errors"
	"strings"
	"testing"
)

func TestPrintFailure(t *testing.T) {
	f := Failure{Code: NoProgram, Err: errors.New("starting: no such program"), Hints: []string{"one", "two <3"}}
	var text, js strings.Builder
	f.Print(&text)
	if got := text.String(); got != "pxeagent: starting: no such program [no-program]\nhint: one\nhint: two <3\n" {
		t.Errorf("%q", got)
	}
	if err := f.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	want := `{
  "error": {
    "exit": 14,
    "code": "no-program",
    "message": "starting: no such program",
    "hints": [
      "one",
      "two <3"
    ]
  }
}
`
	if js.String() != want {
		t.Errorf("got %s", js.String())
	}
	text.Reset()
	Failure{Code: Usage, Err: errors.New("2 mistakes\n  a\n  b")}.Print(&text)
	if got := text.String(); got != "pxeagent: 2 mistakes [usage]\n  a\n  b\n" {
		t.Errorf("%q", got)
	}
	text.Reset()
	silent := Explain(Exit(Differs), nil)
	silent.Print(&text)
	silent.WriteJSON(&text)
	if text.String() != "" || silent.Code != Differs {
		t.Errorf("%q, %s", text.String(), silent.Code)
	}
	if Exit(Done) != nil {
		t.Error("done is an error")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"interface", "next_server", "chain", "serve.tftp"}
	for s, want := range map[string]string{
		"interfaces": "interface", "Interface": "interface", "interafce": "interface", "nextserver": "next_server",
		"chian": "chain", "chan": "chain", "serve.tfpt": "serve.tftp", "dance": "", "": "",
	} {
		if got := Nearest(s, names); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	if got := Nearest("pxeagent_a", []string{"PXEAGENT_B"}); got != "PXEAGENT_B" {
		t.Errorf("%q", got)
	}
}
