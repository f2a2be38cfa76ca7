package opnsense

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

const testKey, testSecret = "a-key-of-tests-0123456789", "a-secret-of-tests-0123456789"

var testSession = &session{key: testKey, login: remote.Login{Secret: dhcp.NewSecret(testSecret)}}

// The answers are recorded ones.
func TestFailure(t *testing.T) {
	const path, kea = "/api/dnsmasq/settings/setBoot/x", "/api/kea/dhcpv4/get"
	for _, c := range []struct {
		path   string
		status int
		body   string
		want   error
		text   string
	}{
		{path, 401, `{"status":401,"message":"Authentication Failed"}`, remote.ErrCredential, "Authentication Failed"},
		{path, 403, `{"status":403,"message":"Forbidden"}`, remote.ErrPrivilege, "lacks page-services-dnsforwarder ("},
		{kea, 403, `{"status":403,"message":"Forbidden"}`, remote.ErrPrivilege, "lacks page-dhcp-kea-v4 ("},
		{path, 404, `{"errorMessage":"Endpoint not found"}`, ErrNoAPI, "25.7 or later"},
		{path, 200, `{"result":"failed","validations":{"boot.filename":"A value is required."}}`, ErrValidation,
			`"boot.filename: A value is required."`},
		{path, 200, `{"result":"failed",` +
			`"validations":{"tag.tag":["Text does not validate.","Tag names should be unique."]}}`, ErrValidation,
			`"tag.tag: Text does not validate. Tag names should be unique."`},
		{path, 200, `{"result":"failed"}`, ErrAPI, `it answered "failed"`},
		{path, 200, `{"result":"failed","validations":[]}`, ErrAPI, `it answered "failed"`},
		{path, 500, `{"errorMessage":"User x denied for write access (user-config-readonly set)",` +
			`"errorTitle":"General access","errorLevel":"error"}`, ErrReadOnly, "User x denied"},
		{path, 500, `{"errorMessage":"dnsmasq - other {dhcp_boot.1}","errorTitle":"Item dhcp_tags {2} in use by:"}`, ErrAPI,
			"Item dhcp_tags {2} in use by: dnsmasq - other"},
		{path, 500, `{"errorMessage":"Unexpected error, check log for details"}`, ErrAPI, "check log"},
		{path, 400, `{"status":400,"message":"Invalid JSON syntax"}`, ErrAPI, "Invalid JSON syntax"},
		{path, 200, `[]`, remote.ErrOther, "[]"},
		{path, 200, `<html>another product</html>`, remote.ErrOther, "another product"},
		{path, 401, `<html>log in</html>`, remote.ErrOther, "401"},
		{path, 404, `404 page not found`, remote.ErrOther, "404"},
		{path, 502, `<html>Bad Gateway</html>`, remote.ErrGateway, "502"},
	} {
		err := testSession.failure(c.path, remote.Reply{Status: c.status, Body: []byte(c.body)})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%d %s: %v, want %v with %q", c.status, c.body, err, c.want, c.text)
		}
	}
	err := testSession.failure(path, remote.Reply{Status: 302, Location: "/?url=/api/"})
	if !errors.Is(err, remote.ErrOther) || !strings.Contains(err.Error(), `redirected to "/?url=/api/"`) {
		t.Errorf("a redirect: %v", err)
	}
}

// Whatever is answered in place of a success is an error of one line, without key and secret.
func FuzzFailure(f *testing.F) {
	f.Add(401, `{"status":401,"message":"`+testSecret+`"}`)
	f.Add(200, `{"result":"failed","validations":{"`+testKey+`":["a",{"b":1}]}}`)
	f.Add(500, `{"errorMessage":"denied for write access","errorTitle":[]}`)
	f.Add(302, base64.StdEncoding.EncodeToString([]byte(testKey+":"+testSecret)))
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := remote.Reply{Status: status, Body: []byte(body), Location: body}
		err := testSession.failure("/api/dnsmasq/settings/get", a)
		if err == nil {
			t.Fatalf("%q is taken for a success", body)
		}
		pair := base64.StdEncoding.EncodeToString([]byte(testKey + ":" + testSecret))
		for _, secret := range []string{testKey, testSecret, pair, "\n"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", body, err)
			}
		}
	})
}

// Any JSON that a field may be is a text, and never an error.
func TestText(t *testing.T) {
	for in, want := range map[string]text{
		`"a"`: "a", `"a b"`: "a b", `7`: "7", `1.5`: "1.5", `true`: "1", `false`: "", `null`: "", `[]`: "", `{"a":1}`: "",
	} {
		var got text
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", in, got, err, want)
		}
	}
	var c choices
	if err := json.Unmarshal([]byte(`{"lan":{"value":"LAN","selected":1},"opt1":{"value":"WLAN","selected":"1"},
		"wan":{"value":"WAN","selected":0},"":{"value":"none","selected":1}}`), &c); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.selected(), " "); got != "lan opt1" {
		t.Errorf("selected are %q", got)
	}
	var none choices
	if err := json.Unmarshal([]byte(`[]`), &none); err != nil || none.selected() != nil {
		t.Errorf("a list in place of an object: %v, %v", err, none)
	}
}

// FuzzRows reads what may come in place of settings and rows: it must not be taken for what it is not, nor make another
// record of what it is.
func FuzzRows(f *testing.F) {
	f.Add(`{"uuid":"9F3B0000-0000-4000-8000-000000000000","filename":"a","tag":["x"],"interface":null}`, `{"enable":"1"}`)
	f.Add(`{"type":"match","option":93,"set_tag":"","force":1}`, `{"dhcp":[],"interface":{"lan":{"selected":1}}}`)
	f.Add(`{"start_addr":"10.77.0.255","end_addr":"10.76.0.0","mode":"static"}`, `[]`)
	f.Fuzz(func(t *testing.T, row, conf string) {
		var s settings
		if json.Unmarshal([]byte(conf), &s) == nil {
			o := overview{dnsmasq: &s, interfaces: []Interface{{Name: "lan", Description: "LAN"}}}
			var l leases
			if json.Unmarshal([]byte(row), &l) == nil {
				o.ranges = []leases{l}
				for _, net := range o.networks(o.interfaces[0]) {
					if start, end, ok := l.ends(); !ok || !net.Contains(start) || !net.Contains(end) {
						t.Errorf("range %+v is in %v", l, net)
					}
				}
			}
			if ok, why := o.dnsmasqServes(o.interfaces[0]); ok == why.Refuse {
				t.Errorf("serves %v, and %+v", ok, why)
			}
		}
		var fields map[string]text
		if json.Unmarshal([]byte(row), &fields) != nil {
			return
		}
		for _, where := range []table{tags, options, boots} {
			e := newEntry(where, own{"lan"}.uuid(where, "bios"), fields)
			raw, err := own{"lan"}.encode([]entry{e})
			if err != nil {
				t.Fatal(err)
			}
			back, err := decode(raw)
			if err != nil || len(back) != 1 || validUTF8(e) && !back[0].same(e) {
				t.Errorf("%+v is read back as %+v, %v", e, back, err)
			}
		}
	})
}

func validUTF8(e entry) bool {
	for _, v := range e.Fields {
		if strings.ToValidUTF8(v, "") != v {
			return false
		}
	}
	return true
}

// FuzzDecode: a record that is not one of this package is an error, and one that is stays what it is.
func FuzzDecode(f *testing.F) {
	small := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.5"), Script: "http://x/"}
	raw, err := own{"lan"}.encode(own{"lan"}.entries(small))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`[{"table":"boot","uuid":"../../../x","fields":{}}]`))
	f.Add([]byte(`{"Options":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := decode(raw)
		if err != nil {
			return
		}
		for _, e := range list {
			if strings.ContainsAny(e.UUID, "/?#%.,") || searches[e.Table] == "" {
				t.Errorf("%+v would make another path", e)
			}
		}
		s := dhcp.State{Raw: raw}
		if !(own{}).between(s, s, dhcp.State{}) {
			t.Error("a state is not between itself and another")
		}
	})
}
