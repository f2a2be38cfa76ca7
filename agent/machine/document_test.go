package machine

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// put writes a file of the folder of documents.
func (w *world) put(name, text string, mode os.FileMode) {
	w.t.Helper()
	path := filepath.Join(w.dir, "provision", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		w.t.Fatal(err)
	}
}

// ask asks for a document from an address, and says what came: the text, or the beginning of the error.
func (w *world) ask(name, from string, facts boot.Facts) (string, error) {
	d, err := w.Document(Request{Name: name, Addr: addr(from), Facts: facts, Server: "http://10.0.0.7"})
	return string(d.Text), err
}

func TestDocumentsGoToTheirMachine(t *testing.T) {
	b := inventory(t, []Host{
		{Name: "mac", MACs: []string{mac1, mac2}},
		{Name: "uuid", UUIDs: []string{uuid1}},
		{Name: "fixed", MACs: []string{"52:54:00:12:34:03"}, Addresses: ranges(t, "10.0.0.33")},
		{Name: "lab", Addresses: ranges(t, "10.0.1.0/24")},
		{Name: "open", MACs: []string{"52:54:00:12:34:04"}, Profile: "open"},
	}, Profile{Name: "open", Any: true})
	w := newWorld(t, b)
	w.put("who.tmpl", "{{.Host}} {{.MAC}} {{.Addr}}", 0o644)
	tell := func(from string, f boot.Facts) { w.Asked(f, addr(from)) }
	for _, tt := range []struct {
		name  string
		setup func()
		from  string
		query boot.Facts
		want  string // "": refused
	}{
		{"nobody", nil, "10.0.0.9", boot.Facts{}, ""},
		{"who says so by the URL alone", nil, "10.0.0.9", boot.Facts{MAC: mac1}, ""},
		{"behind a router, after its script", func() { tell("10.9.0.21", boot.Facts{MAC: mac1}) }, "10.9.0.21",
			boot.Facts{}, "mac " + mac1 + " 10.9.0.21"},
		{"by UUID alone", func() { tell("10.9.0.22", boot.Facts{UUID: uuid1}) }, "10.9.0.22", boot.Facts{}, ""},
		{"no host", func() { tell("10.9.0.23", boot.Facts{MAC: "52:54:00:00:00:09"}) }, "10.9.0.23", boot.Facts{}, ""},
		{"by the network alone, after a restart of the agent", func() { w.arp["10.0.0.24"] = mac1 }, "10.0.0.24",
			boot.Facts{}, "mac " + mac1 + " 10.0.0.24"},
		{"its other card", func() {
			tell("10.0.0.25",
				boot.Facts{MAC: mac1})
			w.arp["10.0.0.25"] = mac2
		}, "10.0.0.25", boot.Facts{}, "mac " + mac1 + " 10.0.0.25"},
		{"a liar", func() {
			tell("10.0.0.26",
				boot.Facts{MAC: mac1})
			w.arp["10.0.0.26"] = "52:54:00:00:00:66"
		}, "10.0.0.26", boot.Facts{}, ""},
		{"an address that has changed hands", func() {
			tell("10.0.0.27",
				boot.Facts{MAC: mac1})
			w.arp["10.0.0.27"] = "52:54:00:12:34:04"
		}, "10.0.0.27",
			boot.Facts{}, "open 52:54:00:12:34:04 10.0.0.27"},
		{"its fixed address", nil, "10.0.0.33", boot.Facts{}, "fixed  10.0.0.33"},
		{"another address than the fixed one", func() {
			tell("10.0.0.34",
				boot.Facts{MAC: "52:54:00:12:34:03"})
		}, "10.0.0.34", boot.Facts{}, ""},
		{"in a range", nil, "10.0.1.7", boot.Facts{}, "lab  10.0.1.7"},
		{"for whoever names it", nil, "10.0.0.40", boot.Facts{MAC: "52:54:00:12:34:04"}, "open 52:54:00:12:34:04 " +
			"10.0.0.40"},
		{"long ago", func() {
			tell("10.9.0.41",
				boot.Facts{MAC: mac1})
			w.now = w.now.Add(seenTime + time.Minute)
		}, "10.9.0.41", boot.Facts{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.setup != nil {
				tt.setup()
			}
			got, err := w.ask("who", tt.from, tt.query)
			if got != tt.want || errors.Is(err, ErrNotIts) != (tt.want == "") {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestDocumentsAndTheirFunctions(t *testing.T) {
	b := inventory(
		t,
		[]Host{
			{
				Name:    "node",
				MACs:    []string{mac1},
				Profile: "p",
				Labels:  map[string]string{"rack": "a'1\"<b>\n", "key": "-----\nx\n-----"},
			},
		},
		Profile{Name: "p", Image: "debian", Canary: -1},
	)
	w := newWorld(t, b, deb)
	w.arp["10.0.0.21"] = mac1
	w.Asked(boot.Facts{MAC: mac1, Serial: "a: b`$(x)` {c}", Product: "Server é"}, addr("10.0.0.21"))
	for _, tt := range []struct{ in, want string }{
		{"{{.Server}}/{{.Profile}}/{{.Item}}/{{.DashedMAC}}", "http://10.0.0.7/p/debian-12/52-54-00-12-34-01"},
		{"{{.Serial}}|{{.Product}}", "a_ b__(x)_ _c_|Server _"},
		{"{{json .Labels.rack}}", `"a'1\"<b>\n"`},
		{"{{yaml .Labels.rack}}", `"a'1\"<b>\n"`},
		{"{{sh .Labels.rack}}", "'a'\\''1\"<b>\n'"},
		{"{{xml .Labels.rack}}", "a&#39;1&#34;&lt;b&gt;&#xA;"},
		{"k: |\n  {{indent 2 .Labels.key}}", "k: |\n  -----\n  x\n  -----"},
		{`{{base64 "a"}} {{upper "a"}} {{lower "A"}} {{default "x" ""}} {{default "x" "y"}}`, "YQ== A a x y"},
		{`{{template "common" .}}!`, "shared by node!"},
		{`{{if eq (index .Labels "none") ""}}none{{end}}`, "none"},
		{"{{.Labels.none}}", "! map has no entry for key"},
		{`{{fail "not here"}}`, "! not here"},
		{"{{.Nothing}}", "! can't evaluate field Nothing"},
		{"{{if}}", "! missing value for if"},
		{`{{range $i, $e := .Labels}}{{template "loop" .}}{{end}}{{define "loop"}}{{template "loop" .}}{{end}}`,
			"! exceeded maximum template depth"},
		{`{{define "many"}}` + strings.Repeat("x",
			1<<19) + `{{end}}` + strings.Repeat(`{{template "many"}}`, 9), "! it comes to more than 4194304 bytes"},
		{strings.Repeat("x", maxTemplate+1), "! larger than 1048576 bytes"},
		{`{{secret "root"}}`, "hunter2"},
		{`{{secret "open"}}`, "! can be read or written by others (mode 0644)"},
		{`{{secret "../root"}}`, "! invalid secret name"},
		{`{{secret "none"}}`, "! secret secrets/none not found"},
		{`{{secret "folder"}}`, "! not a regular file"},
	} {
		w.put("parts/common.tmpl", "shared by {{.Host}}", 0o644)
		w.put("secrets/root", "hunter2\n", 0o600)
		w.put("secrets/open", "hunter3\n", 0o644)
		w.put("secrets/folder/x", "", 0o600)
		w.put("doc.tmpl", tt.in, 0o644)
		got, err := w.ask("doc", "10.0.0.21", boot.Facts{})
		wrong, fails := strings.CutPrefix(tt.want, "! ")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), wrong)), !fails && (err != nil || got != tt.want):
			t.Errorf("%.80s: %q, %v; want %q", tt.in, got, err, tt.want)
		case errors.Is(err, fs.ErrNotExist):
			t.Errorf("%.80s: %v is taken for a document that is not there", tt.in, err)
		case err != nil && strings.Contains(err.Error(), "hunter"):
			t.Errorf("a secret is in an error: %v", err)
		}
	}
}

// A secret goes to none who says only by itself which machine it is.
func TestSecretsNeedProof(t *testing.T) {
	b := inventory(
		t,
		[]Host{
			{Name: "mac", MACs: []string{mac1}},
			{Name: "fixed", Addresses: ranges(t, "10.9.0.33")},
			{Name: "uuid", UUIDs: []string{uuid1}},
			{Name: "open", MACs: []string{mac2}, Profile: "open"},
		},
		Profile{Name: "open", Any: true},
	)
	w := newWorld(t, b)
	w.put("doc.tmpl", `{{secret "root"}}`, 0o644)
	w.put("secrets/root", "hunter2", 0o600)
	w.Asked(boot.Facts{MAC: mac1}, addr("10.9.0.21"))
	w.Asked(boot.Facts{UUID: uuid1}, addr("10.0.0.22"))
	w.arp["10.0.0.22"], w.arp["10.0.0.23"] = "52:54:00:00:00:05", mac1
	for from, gets := range map[string]bool{"10.9.0.21": false, "10.0.0.22": false, "10.0.0.23": true, "10.9.0.33": true} {
		got, err := w.ask("doc", from, boot.Facts{})
		if gets != (got == "hunter2") || gets != (err == nil) || !gets && !errors.Is(err, ErrNotIts) {
			t.Errorf("%s: %q, %v", from, got, err)
		}
	}
	if got, err := w.ask("doc", "10.9.0.77", boot.Facts{MAC: mac2}); got != "" || !errors.Is(err, ErrNotIts) {
		t.Errorf("%q, %v for whoever names the machine", got, err)
	}
	if d, err := w.Preview(Request{Name: "doc", Facts: boot.Facts{MAC: mac1}}); err != nil ||
		string(d.Text) != "hunter2" {
		t.Errorf("the operator sees %q, %v", d.Text, err)
	}
}

func TestNamesOfDocuments(t *testing.T) {
	w := newWorld(t, inventory(t, []Host{{Addresses: ranges(t, "0.0.0.0/0")}}))
	w.put("cloud-init/user-data.tmpl", "#cloud-config\n", 0o644)
	w.put("config.ign.tmpl", "{}", 0o644)
	w.put("autoinst.xml.tmpl", "<profile/>", 0o644)
	w.put("parts/p.tmpl", "", 0o644)
	w.put("secrets/s.tmpl", "", 0o600)
	w.put("plain", "no template", 0o644)
	if err := os.WriteFile(filepath.Join(w.dir, "outside.tmpl"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(w.dir, "outside.tmpl"), filepath.Join(w.dir, "provision",
		"link.tmpl")); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{"cloud-init/user-data": "text/plain; charset=utf-8",
		"config.ign": "application/json", "autoinst.xml": "application/xml"} {
		d, err := w.Document(Request{Name: name, Addr: netip.MustParseAddr("10.0.0.1")})
		if err != nil || d.ContentType != kind {
			t.Errorf("%s: %s, %v", name, d.ContentType, err)
		}
		for _, asked := range []string{name, strings.ToUpper(name)} {
			if found, ok := w.FindDocument(asked); found != name || !ok {
				t.Errorf("%s: found %q", asked, found)
			}
		}
	}
	for _, name := range []string{"", ".", "..", "../outside", "link", "plain", "parts/p", "secrets/s",
		"secrets/../cloud-init/user-data", "cloud-init", "cloud-init/", "/config.ign", "config.ign.tmpl",
		"a\x00b", strings.Repeat("x/", 5000)} {
		if _, err := w.ask(name, "10.0.0.1", boot.Facts{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%.40q: %v", name, err)
		}
		for _, asked := range []string{name, strings.ToUpper(name)} {
			if found, ok := w.FindDocument(asked); ok {
				t.Errorf("%.40q: found %q", asked, found)
			}
		}
	}
	w.documents = ""
	if _, ok := w.FindDocument("config.ign"); ok {
		t.Error("there is no folder")
	}
}
