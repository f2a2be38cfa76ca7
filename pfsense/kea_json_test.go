package pfsense

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const testClass = `{"name":"pxeagent_ipxe_opt1","test":"option[175].exists"}`

// A class goes before those of the site, whatever the site has, and taking it out again leaves the site's text to the
// byte.
func TestSiteJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                              `{"client-classes":[CLASS]}`,
		" { } \n":                         ` {"client-classes":[CLASS] } ` + "\n",
		`{"a":{"client-classes":[1]}}`:    `{"client-classes":[CLASS],"a":{"client-classes":[1]}}`,
		`{"a":1,"client-classes":[]}`:     `{"a":1,"client-classes":[CLASS]}`,
		"{\n \"client-classes\" : [ ]\n}": "{\n \"client-classes\" : [CLASS ]\n}",
		"{\"client-classes\": [\n\t{\"name\": \"é\",\n\"n\":1.50}\n]}": "{\"client-classes\": " +
			"[CLASS,\n\t{\"name\": \"é\",\n\"n\":1.50}\n]}",
		`{"client-classes":[{"name":"pxeagent_ipxe_lan"},{"name":"b"}],"b":true}`: `{"client-classes":[CLASS,` +
			`{"name":"pxeagent_ipxe_lan"},{"name":"b"}],"b":true}`,
	} {
		j, err := parseSiteJSON(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		with := j.with("pxeagent_ipxe_opt1", testClass)
		if got := strings.ReplaceAll(with, testClass, "CLASS"); got != want {
			t.Errorf("%s became\n%s\nwant\n%s", text, got, want)
		}
		back, err := parseSiteJSON(with)
		if err != nil {
			t.Errorf("%s: %v", with, err)
			continue
		}
		if got, there := back.class("pxeagent_ipxe_opt1"); !there || got != testClass {
			t.Errorf("%s has the class %q", with, got)
		}
		if got := back.without("pxeagent_ipxe_opt1"); got != text {
			t.Errorf("removed again it is\n%q, was\n%q", got, text)
		}
		if got := back.with("pxeagent_ipxe_opt1", `{"name":"other"}`); got != strings.ReplaceAll(want, "CLASS",
			`{"name":"other"}`) {
			t.Errorf("replaced it is\n%s", got)
		}
	}
	// By whom and wherever else the class was put, it alone goes.
	for text, want := range map[string]string{
		`{"client-classes":[{"name":"a"} , CLASS]}`:                `{"client-classes":[{"name":"a"}]}`,
		`{"client-classes":[{"name":"a"},CLASS , {"name":"b"} ] }`: `{"client-classes":[{"name":"a"}, {"name":"b"} ] }`,
		`{"client-classes": [ CLASS ] , "b":1}`:                    `{"client-classes": [  ] , "b":1}`,
	} {
		j, err := parseSiteJSON(strings.ReplaceAll(text, "CLASS", testClass))
		if err != nil {
			t.Fatal(err)
		}
		if got := j.without("pxeagent_ipxe_opt1"); got != want {
			t.Errorf("%s became\n%s\nwant\n%s", text, got, want)
		}
	}
	for _, bad := range []string{``, `[]`, `null`, `{`, `{"a":1}{}`, `{"client-classes":{}}`, `{"client-classes":["a"]}`,
		`{"client-classes":[],"client-classes":[]}`,
		`{"a":1,}`, `{"a":01}`, "{\"a\":\"\xff\"}", `{"client-classes":[{"name":1}]}`, `// {}`, `{"Dhcp4":`} {
		if j, err := parseSiteJSON(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, j)
		}
	}
}

// The field of config.xml: absent and empty are kept apart.
func TestSiteField(t *testing.T) {
	for _, field := range []setting{{}, {present: true}, {true, encoded(`{}`)}, {true, encoded("{}\n ")},
		{true, encoded(`{"client-classes":[{"name":"x"}]}`)}} {
		j, err := decodeSite(field, false)
		if err != nil {
			t.Fatal(err)
		}
		with := encodeSite(j.with("pxeagent_ipxe_opt1", testClass))
		back, err := decodeSite(with, false)
		if err != nil || !with.present || with.text == "" {
			t.Fatalf("%v: %v %v", field, with, err)
		}
		if got := encodeSite(back.without("pxeagent_ipxe_opt1")); got != field {
			t.Errorf("%v came back as %v", field, got)
		}
	}
	for _, bad := range []string{"{}", "e30", "e3 0=", encoded("no JSON")} {
		if _, err := decodeSite(setting{true, bad}, false); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzSiteJSON(f *testing.F) {
	for _, text := range []string{`{}`, ` {"client-classes":[]} `,
		`{"client-classes":[{"name":"a","option-data":[{"code":67}]},{}],"x":[1,{"y":null}]}`, `{"client-classes":[`,
		wasAbsent, wasEmpty} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		j, err := parseSiteJSON(text)
		if err != nil {
			return
		}
		const name = "pxeagent_ipxe_opt1"
		if _, there := j.class(name); there {
			return
		}
		back, err := parseSiteJSON(j.with(name, testClass))
		if err != nil {
			t.Fatalf("%q is not an object: %v", j.with(name, testClass), err)
		}
		if len(back.classes) != len(j.classes)+1 || back.classes[0].name != name {
			t.Errorf("classes %+v", back.classes)
		}
		left := back.without(name)
		var was, is map[string]any
		if json.Unmarshal([]byte(text), &was) != nil || json.Unmarshal([]byte(left), &is) != nil {
			t.Fatalf("%q became %q", text, left)
		}
		if left != text && !reflect.DeepEqual(was, map[string]any{"client-classes": []any{}}) && len(j.classes) > 0 {
			t.Errorf("%q became %q", text, left)
		}
	})
}
