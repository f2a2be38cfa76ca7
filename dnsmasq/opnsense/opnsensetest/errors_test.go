package opnsensetest

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const (
	tagID   = "d2c51afe-c26a-4222-81a6-49e76ad21bc0"
	matchID = "322ecc1e-1e4a-422e-8b3c-c9ae25908ca2"
	bootID  = "48d1b9d8-d561-4e0c-8923-6c4a7b51b609"
	otherID = "5b92647a-20aa-48ef-8d29-ea89576d98fb"
)

// configured is a firewall on which one boot entry for a tag is set.
func configured(t *testing.T, o Options) *Firewall {
	c := Default()
	c.Dnsmasq.Saved = true
	c.Dnsmasq.Ranges[0].UUID = otherID
	c.Dnsmasq.Tags = []Tag{{tagID, "efi64"}}
	c.Dnsmasq.Options = []Option{{UUID: matchID, Type: "match", Option: "93", SetTag: tagID, Value: "7", Force: "0",
		Description: "the site's"}}
	c.Dnsmasq.Boots = []Boot{{UUID: bootID, Interface: "lan", Tag: tagID, Filename: "a.efi", Servername: "10.77.0.9",
		Address: "10.77.0.9", Description: "grub"}}
	o.Config = &c
	return open(t, o)
}

const settings = "api/dnsmasq/settings/"

func TestErrors(t *testing.T) {
	key := func(user, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, secret) }
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if r.Header.Del(name); value != "" {
				r.Header.Set(name, value)
			}
		}
	}
	const (
		fail = `{"result":"failed"}`
		none = `{"errorMessage":"Endpoint not found"}`
		good = `{"boot":{"filename":"x.efi"}}`
	)
	for name, c := range map[string]struct {
		options            Options
		method, path, body string
		edit               func(*http.Request)
		status             int
		want               string
	}{
		"wrong secret": {method: "GET", path: settings + "searchBoot", edit: key("x", "y"), status: 401,
			want: `{"status":401,"message":"Authentication Failed"}`},
		"no key": {method: "GET", path: settings + "searchBoot", edit: header("Authorization", ""), status: 302},
		"no privilege": {options: Options{Privileges: []string{PrivilegeKea}}, method: "GET", path: settings + "searchBoot",
			status: 403, want: `{"status":403,"message":"Forbidden"}`},
		"no privilege for devices": {method: "GET", path: "api/interfaces/overview/export", status: 403,
			want: `{"status":403,"message":"Forbidden"}`},
		"rights go by the literal path": {method: "GET", path: "api/Dnsmasq/settings/searchBoot", status: 403,
			want: `{"status":403,"message":"Forbidden"}`},
		"no such module":           {method: "GET", path: "api/haproxy/settings/get", status: 404, want: none},
		"no such action":           {method: "GET", path: settings + "searchHaiku", status: 404, want: none},
		"a parameter is missing":   {method: "POST", path: settings + "setBoot", body: good, status: 404, want: none},
		"404 before the key":       {method: "GET", path: "api/x/y/z", edit: key("x", "y"), status: 404, want: none},
		"GET where POST is wanted": {method: "GET", path: settings + "setBoot/" + bootID, status: 200, want: fail},
		"wrong root key": {method: "POST", path: settings + "setBoot/" + bootID, body: `{"option":{}}`, status: 200,
			want: fail},
		"unreadable JSON": {method: "POST", path: settings + "setBoot/" + bootID, body: `{"boot":`, status: 200,
			want: fail},
		"no JSON": {method: "GET", path: settings + "searchBoot", edit: header("Content-Type", "application/json"),
			status: 400, want: `{"status":400,"message":"Invalid JSON syntax"}`},
		"another content type": {method: "POST", path: settings + "setBoot/" + bootID, body: good,
			edit: header("Content-Type", "text/json"), status: 200, want: fail},
		"charset in the type": {method: "POST", path: settings + "setBoot/" + bootID, body: good,
			edit: header("Content-Type", "application/json; charset=utf-8"), status: 200, want: `{"result":"saved"}`},
		"a form": {method: "POST", path: settings + "setBoot/" + bootID, body: "boot[filename]=x.efi",
			edit:   header("Content-Type", "application/x-www-form-urlencoded"),
			status: 200, want: `{"result":"saved"}`},
		"uuid in capitals": {method: "POST", path: settings + "setBoot/" + strings.ToUpper(otherID), body: good,
			status: 200, want: fail},
		"uuid of another version": {method: "POST", path: settings + "setBoot/5b92647a-20aa-18ef-8d29-ea89576d98fb",
			body: good, status: 200, want: fail},
		"no file name": {method: "POST", path: settings + "setBoot/" + otherID, body: `{"boot":{"interface":"lan"}}`,
			status: 200, want: `{"result":"failed","validations":{"boot.filename":"A value is required."}}`},
		"no such interface and tag": {method: "POST", path: settings + "setBoot/" + bootID,
			body:   `{"boot":{"interface":"opt9","tag":"` + otherID + `"}}`,
			status: 200, want: `{"result":"failed","validations":{"boot.interface":"Option [opt9] not in list.",` +
				`"boot.tag":"Option [` + otherID + `] not in list."}}`},
		"several messages": {method: "POST", path: settings + "setBoot/" + otherID,
			body: `{"boot":{"filename":"x","tag":"a,b"}}`, status: 200,
			want: `{"result":"failed","validations":{"boot.tag":["Option [a] not in list.","Option [b] not in list."]}}`},
		"a newline": {method: "POST", path: settings + "setBoot/" + bootID, body: `{"boot":{"filename":"x\ny"}}`,
			status: 200, want: `{"result":"failed","validations":{"boot.filename":"Text does not validate."}}`},
		"a newline before 26.1.11": {options: Options{Version: "26.1.10"}, method: "POST",
			path: settings + "setBoot/" + bootID, body: `{"boot":{"filename":"x\ny"}}`, status: 200,
			want: `{"result":"saved"}`},
		"a tag's name until 26.1.8": {options: Options{Version: "26.1.8"}, method: "POST",
			path: settings + "setTag/" + otherID, body: `{"tag":{"tag":"a-b"}}`, status: 200,
			want: `{"result":"failed","validations":{"tag.tag":"Text does not validate."}}`},
		"a tag's name from 26.1.9": {options: Options{Version: "26.1.9"}, method: "POST",
			path: settings + "setTag/" + otherID, body: `{"tag":{"tag":"a-b"}}`, status: 200, want: `{"result":"saved"}`},
		"a tag's name twice": {method: "POST", path: settings + "setTag/" + otherID, body: `{"tag":{"tag":"efi64"}}`,
			status: 200, want: `{"result":"failed","validations":{"tag.tag":"Tag names should be unique."}}`},
		"option 175 in 25.1.6": {options: Options{Version: "25.1.6"}, method: "POST",
			path: settings + "setOption/" + matchID, body: `{"option":{"option":"175"}}`, status: 200,
			want: `{"result":"failed","validations":{"option.option":"Option [175] not in list."}}`},
		"option 175 in 25.7": {options: Options{Version: "25.7"}, method: "POST",
			path: settings + "setOption/" + matchID, body: `{"option":{"option":"175"}}`, status: 200,
			want: `{"result":"saved"}`},
		"option 200 in 25.7": {options: Options{Version: "25.7.6"}, method: "POST",
			path: settings + "setOption/" + matchID, body: `{"option":{"option":"200"}}`, status: 200,
			want: `{"result":"failed","validations":{"option.option":"Option [200] not in list."}}`},
		"no list of options": {options: Options{NoOptionList: true}, method: "POST",
			path: settings + "setOption/" + matchID, body: `{"option":{"option":"93"}}`, status: 200,
			want: `{"result":"failed","validations":{"option.option":"Option [] not in list."}}`},
		"match without a tag": {method: "POST", path: settings + "addOption",
			body: `{"option":{"type":"match","option":"93"}}`, status: 200,
			want: `{"result":"failed","validations":{"option.set_tag":"When type is 'Match', a tag must be set."}}`},
		"PHP falls over": {method: "POST", path: settings + "addOption", body: `{"option":{"type":"set"}}`,
			status: 500, want: `{"errorMessage":"Unexpected error, check log for details"}`},
		"read-only user": {options: Options{ReadOnly: true}, method: "POST", path: settings + "setBoot/" + bootID,
			body: good, status: 500, want: `{"errorMessage":"User pxeagent denied for write access ` +
				`(user-config-readonly set)","errorTitle":"General access","errorLevel":"error"}`},
		"read-only user applies": {options: Options{ReadOnly: true}, method: "POST",
			path: "api/dnsmasq/service/reconfigure", body: "{}", status: 200, want: `{"status":"ok"}`},
		"a tag in use": {method: "POST", path: settings + "delTag/" + tagID, body: "{}", status: 500,
			want: `{"errorTitle":"Item dhcp_tags {` + tagID + `} in use by:","errorLevel":"error","errorMessage":` +
				`"dnsmasq - the site's {dnsmasq.dhcp_options.` + matchID + `}\n` +
				`dnsmasq - grub {dnsmasq.dhcp_boot.` + bootID + `}\n"}`},
		"unknown row": {method: "GET", path: settings + "getBoot/" + otherID, status: 200, want: `[]`},
		"unknown row deleted": {method: "POST", path: settings + "delBoot/" + otherID, status: 200,
			want: `{"result":"not found"}`},
		"restart":          {method: "POST", path: "api/dnsmasq/service/restart", status: 200, want: `{"response":"OK"}`},
		"restart with GET": {method: "GET", path: "api/dnsmasq/service/restart", status: 200, want: `{"response":[]}`},
		"Kea is not enabled": {method: "GET", path: "api/kea/service/status", status: 200, want: `{"status":"disabled",` +
			`"widget":{"caption_restart":"Restart","caption_start":"Start","caption_stop":"Stop"}}`},
		"string for user class": {method: "POST", path: "api/kea/dhcpv4/addOption", status: 200, body: `{"option":{"code":` +
			`"67","encoding":"string","data":"x","match_code":"77","match_encoding":"string","match_data":"iPXE",` +
			`"description":"x"}}`, want: `{"result":"failed","validations":{"option.match_data":` +
			`"Encoding 'string' is not valid for option 77, use hex or hex."}}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := configured(t, c.options)
			before := f.Config()
			var edits []func(*http.Request)
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			status, got := call(t, f, c.method, c.path, c.body, edits...)
			if status != c.status || c.want == "" && got != "" {
				t.Fatalf("%d %s", status, got)
			}
			if c.want != "" && !reflect.DeepEqual(decode(t, got), decode(t, c.want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			saved := c.want == `{"result":"saved"}`
			if changed := !reflect.DeepEqual(f.Config(), before); changed != saved || (f.Writes() > 0) != saved {
				t.Errorf("changed: %v, %d writes", changed, f.Writes())
			}
		})
	}
}
