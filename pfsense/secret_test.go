package pfsense

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// Types that hold a credential never print it, however they are printed.
func TestSecretsPrintHidden(t *testing.T) {
	c := remote.Login{User: testUser, Secret: dhcp.NewSecret(testPassword)}
	var log strings.Builder
	h := slog.New(slog.NewJSONHandler(&log, nil))
	for _, v := range []any{c, &c, c.Secret, struct{ c remote.Login }{c}, []remote.Login{c}, map[string]remote.Login{"x": c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if s := fmt.Sprintf(verb, v); leaks(s) || strings.Contains(s, fmt.Sprintf("%x", testPassword)) {
				t.Errorf("%s of %T: %s", verb, v, s)
			}
		}
		text, err := json.Marshal(v)
		if err != nil || leaks(string(text)) {
			t.Errorf("JSON of %T: %s, %v", v, text, err)
		}
		h.Info("x", "v", v)
		h.Info(fmt.Sprint(fmt.Errorf("wrapped: %v", v)))
	}
	if leaks(log.String()) {
		t.Errorf("log: %s", log.String())
	}
	b := newRecorder(t, restAnswers)
	r := mustDial(t, b.config(t, "rest"))
	if _, err := r.run(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", r, r, r); leaks(s) {
		t.Errorf("the transport prints as %s", s)
	}
}

// What a firewall says is quoted without the secret, however it is broken into words.
func TestQuotedHidesTheSecret(t *testing.T) {
	for secret, said := range map[string]string{
		"two  blanks":   "login of 'two  blanks' failed",
		"a new line":    "login of 'a new\nline' failed",
		testPassword:    "#0 login('" + testPassword[:remote.TraceArg] + "...')",
		"tab\tand more": "tab\tand more",
	} {
		got := remote.Login{User: testUser, Secret: dhcp.NewSecret(secret)}.Quoted(said)
		if strings.Contains(got, secret) || strings.Contains(got, strings.Join(strings.Fields(secret), " ")) ||
			!strings.Contains(got, dhcp.Hidden) {
			t.Errorf("%q of %q: %s", said, secret, got)
		}
	}
}
