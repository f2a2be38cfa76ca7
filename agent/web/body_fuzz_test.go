package web

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

// FuzzOnce sends anything as the body of a request to boot once.
func FuzzOnce(f *testing.F) {
	f.Add(`{"mac": "52:54:00:12:34:56", "item": "debian-12"}`)
	f.Add(`{"mac": "52-54-00-12-34-56", "item": ""}`)
	f.Add(`{"mac": "ff:ff:ff:ff:ff:ff", "item": "a"}`)
	f.Add(`{"mac": "52:54:00:12:34:56:00:00", "item": null}{}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		done := &deeds{}
		h := New(Config{Actions: done, Gate: NewGate(theToken)})
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/api/v1/once", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+theToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusNoContent:
			if len(done.once) != 1 {
				t.Fatalf("answered as done, and %q was", done.once)
			}
			text, _, _ := strings.Cut(done.once[0], " ")
			if mac, err := net.ParseMAC(text); err != nil || len(mac) != 6 || mac[0]&1 != 0 {
				t.Errorf("%q boots once", done.once)
			}
		case w.Code < 400 || len(done.once) != 0:
			t.Errorf("status %d, and %q boots once", w.Code, done.once)
		}
	})
}

func FuzzParseFilter(f *testing.F) {
	f.Add("limit=5&mac=52:54:00:12:34:56&result=stalled")
	f.Add("result=under-way&mac=5254.0012.3456")
	f.Add("limit=-1")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		want, err := ParseFilter(q)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q", err)
			}
			return
		}
		if want.Limit < 1 || want.Limit > mostBoots || want.UnderWay && want.Result != boot.UnderWay {
			t.Errorf("%+v", want)
		}
		if mac, err := net.ParseMAC(want.MAC); want.MAC != "" && (err != nil || len(mac) != 6 || mac.String() != want.MAC) {
			t.Errorf("MAC %q", want.MAC)
		}
	})
}
