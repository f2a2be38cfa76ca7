package web

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pxeagent/agent/boot"
)

// What the iPXE of 2019 in QEMU's card and the one of 2025 sent, by ${product:uristring} and by params, for a machine
// "X+Y #1 z;q=100%" of "Acme & Sons".
const (
	query2019 = "mac=52-54-00-12-34-56&uuid=8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60&serial=S%20N&asset=A7&product=X+Y%20%231%20z;q=100%25&manufacturer=Acme%20&%20Sons&platform=pcbios&buildarch=i386"
	query2025 = "mac=52-54-00-12-34-56&uuid=8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60&serial=S%20N&asset=A7&product=X+Y%20%231%20z;q%3D100%25&manufacturer=Acme%20%26%20Sons&platform=pcbios&buildarch=i386"
	form2025  = "mac=52%3A54%3A00%3A12%3A34%3A56&product=X+Y%20%231%20z;q%3D100%25&serial=S%20N&asset=A7"
)

func TestFactsAsIPXESendsThem(t *testing.T) {
	all := boot.Facts{
		MAC:          "52:54:00:12:34:56",
		UUID:         "8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60",
		Serial:       "S N",
		Asset:        "A7",
		Product:      "X+Y #1 z;q=100%",
		Manufacturer: "Acme & Sons",
		Platform:     "pcbios",
		Arch:         "i386",
	}
	for name, tc := range map[string]struct {
		method, target, body string
		want                 boot.Facts
		told                 bool
	}{
		"query of 2019": {"GET", "/ipxe/bootstrap.ipxe?" + query2019, "", all, true},
		"query of 2025": {"GET", "/ipxe/bootstrap.ipxe?" + query2025, "", all, true},
		"form of 2025": {"POST", "/ipxe/bootstrap.ipxe", form2025,
			boot.Facts{MAC: all.MAC, Product: all.Product, Serial: all.Serial, Asset: all.Asset}, true},
		"nothing":        {"GET", "/ipxe/bootstrap.ipxe", "", boot.Facts{}, false},
		"an empty form":  {"POST", "/ipxe/bootstrap.ipxe", "", boot.Facts{}, false},
		"empty facts":    {"GET", "/ipxe/bootstrap.ipxe?mac=", "", boot.Facts{}, true},
		"something else": {"GET", "/ipxe/bootstrap.ipxe?v=3&x", "", boot.Facts{}, false},
		"the first of two": {"GET", "/x?serial=A&mac=52-54-00-12-34-56&serial=B&c&mac=52-54-00-00-00-00", "",
			boot.Facts{Serial: "A", MAC: all.MAC}, true},
		"escapes that are none":  {"GET", "/x?serial=A%zz&asset=%00", "", boot.Facts{Serial: "A%zz"}, true},
		"a query beside a form":  {"POST", "/ipxe/bootstrap.ipxe?serial=Q", "asset=F", boot.Facts{Asset: "F"}, true},
		"a MAC that is no MAC":   {"GET", "/x?mac=%24%7Bnet0%2Fmac%7D&platform=efi", "", boot.Facts{Platform: "efi"}, true},
		"settings left as typed": {"GET", "/x?serial=$%7Bserial%7D&buildarch=x86_64", "", boot.Facts{Arch: "x86_64"}, true},
	} {
		r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
		var a boot.Ask
		if err := tell(&a, r); err != nil || a.Facts != tc.want || a.Told != tc.told {
			t.Errorf("%s: %+v, told %v, %v; want %+v, %v", name, a.Facts, a.Told, err, tc.want, tc.told)
		}
	}
}

// A script may be asked for by POST with a form, and nothing else.
func TestOnlyScriptsTakeForms(t *testing.T) {
	s := newSite(t, nil)
	s.put("http/ipxe/rack.ipxe", []byte("#!ipxe\nshell\n"))
	s.put("http/vmlinuz", []byte("kernel"))
	const urlencoded = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		path, kind, body string
		want             int
	}{
		{"/ipxe/bootstrap.ipxe", urlencoded, "mac=52-54-00-12-34-56&platform=efi&buildarch=x86_64", 200},
		{"/IPXE/Bootstrap.IPXE", urlencoded + "; charset=utf-8", "mac=", 200},
		{"/ipxe/rack.ipxe", urlencoded, "mac=", 200},
		{"/ipxe/none.ipxe", urlencoded, "mac=", 404},
		{"/ipxe/bootstrap.ipxe", urlencoded, strings.Repeat("x", maxForm+1), 403},
		{"/ipxe/bootstrap.ipxe", "text/plain", "mac=", 405},
		{"/ipxe/bootstrap.ipxe", "", "", 405},
		{"/vmlinuz", urlencoded, "mac=", 405},
		{"/", urlencoded, "mac=", 405},
		{"/metrics", urlencoded, "mac=", 405},
	} {
		req, err := http.NewRequest("POST", s.url+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "iPXE/1.21.1")
		if tc.kind != "" {
			req.Header.Set("Content-Type", tc.kind)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if tr := s.next(t); resp.StatusCode != tc.want || (tr.Outcome == boot.OK) != (tc.want == 200) {
			t.Errorf("POST %s (%s, %d bytes): %s, observed %+v; want %d",
				tc.path, tc.kind, len(tc.body), resp.Status, tr, tc.want)
		}
	}
	s.do("PUT", "/ipxe/bootstrap.ipxe", "Content-Type", urlencoded)
	if tr := s.next(t); tr.Outcome != boot.Refused {
		t.Errorf("PUT: observed %+v", tr)
	}
}

// iPXE is asked for its facts first, and given its own menu when it has sent them; other clients are shown the menu
// at once.
func TestFirstStepThenMenu(t *testing.T) {
	s := newSite(t, nil)
	const stock = "iPXE/1.0.0+git-20190125.36a4c85-5.1"
	const path = "/ipxe/bootstrap.ipxe"
	_, first := s.do("GET", path, ua, stock)
	s.next(t)
	if !strings.Contains(first, "\nchain -r "+s.url+path+"##params ||\n") || strings.Contains(first, "\nmenu ") {
		t.Errorf("the first step is\n%s", first)
	}
	for _, told := range []string{"?" + query2019, "?mac="} {
		resp, menu := s.do("GET", path+told, ua, stock)
		if tr := s.next(t); !strings.Contains(menu, "\nmenu ") || !tr.Told || tr.Artifact != boot.Script || tr.Name != path {
			t.Errorf("%s: observed %+v\n%s", told, tr, menu)
		}
		if resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", told, resp.Header)
		}
	}
	_, menu := s.do("GET", path)
	if tr := s.next(t); !strings.Contains(menu, "\nmenu ") || tr.Told {
		t.Errorf("for a person: observed %+v\n%s", tr, menu)
	}
	resp, body := s.do("GET", "/ipxe/local?mac=52-54-00-12-34-56", ua, stock)
	if tr := s.next(t); resp.StatusCode != 200 || body != "#!ipxe\n" || tr.Artifact != boot.Script ||
		tr.Facts.MAC != "52:54:00:12:34:56" {
		t.Errorf("the mark of the local disk: %s %q, observed %+v", resp.Status, body, tr)
	}
}

// FuzzPairs: whatever is sent, no fact is made of another's name, and what iPXE writes is read back.
func FuzzPairs(f *testing.F) {
	f.Add(query2019)
	f.Add(query2025)
	f.Add(form2025)
	f.Add("mac=a&&=&mac&serial=%&x;y=1")
	f.Fuzz(func(t *testing.T, text string) {
		got := pairs(text)
		for name := range got {
			if !strings.Contains(text, name+"=") {
				t.Errorf("%q gives %q", text, name)
			}
		}
		if again := pairs(text + "&" + text); len(again) != len(got) {
			t.Errorf("%q twice gives %v, once %v", text, again, got)
		}
		// A value that is coded in full comes through, whatever it is.
		coded := ""
		for i := range len(text) {
			coded += "%" + string("0123456789ABCDEF"[text[i]>>4]) + string("0123456789ABCDEF"[text[i]&15])
		}
		if want := map[string]string{"serial": text, "asset": "x"}; !maps.Equal(pairs("serial="+coded+"&asset=x"), want) {
			t.Errorf("%q came through as %q", text, pairs("serial="+coded+"&asset=x"))
		}
	})
}
