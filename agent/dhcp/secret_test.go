package dhcp

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const text = "hunter2 with blanks "
	s := NewSecret(text)
	if s.Reveal() != text || (Secret{}).Reveal() != "" {
		t.Errorf("%q", s.Reveal())
	}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	type within struct{ secret Secret } // fmt calls no method of an unexported field
	for _, v := range []any{s, &s, within{s}, &within{s}, struct{ S Secret }{s}, []Secret{s}, map[string]Secret{"x": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		log.Info("x", "v", v)
		plain.Info("x", slog.Group("g", "v", v))
	}
	for _, form := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2"),
		strings.Trim(fmt.Sprint([]byte("hunter2")), "[]")} {
		if strings.Contains(out.String(), form) {
			t.Errorf("printed as %s:\n%s", form, out.String())
		}
	}
}
