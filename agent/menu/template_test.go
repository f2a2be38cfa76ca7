package menu

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/machine"
	"pxeagent/agent/script"
)

const own = "http/" + TemplateFile

func (s *site) menu(t *testing.T, f boot.Facts) Menu {
	t.Helper()
	m, err := s.Menu(f, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The built-in template is a template like any other.
func TestBuiltinTemplateAsOnesOwn(t *testing.T) {
	s := newSite(t, Config{})
	for _, f := range everything {
		s.put("http/"+f, "x")
	}
	for _, k := range Kinds() {
		built := s.menu(t, k.Facts)
		s.put(own, Template)
		same := s.menu(t, k.Facts)
		if diff := cmp.Diff(string(built.Script), string(same.Script)); diff != "" || same.Err != nil ||
			built.Source != "" ||
			same.Source != TemplateFile {
			t.Errorf("%s: %v, from %q\n%s", k.Name, same.Err, same.Source, diff)
		}
		if err := os.Remove(filepath.Join(s.root, own)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTemplateHasWhatTheMenuHas(t *testing.T) {
	s := newSite(
		t,
		Config{
			Settings: Settings{Title: "Rack 7"},
			Choose:   func(f boot.Facts, _ netip.Addr) machine.Choice { return machine.Choice{Host: "node-" + f.Serial} },
		},
	)
	s.put("http/memtest64.bin", "x")
	s.put("http/ipxe/parts/foot.ipxe", "#!ipxe\n:foot\necho {{.Base}} stays as it is\nexit\n")
	s.put(own, `#!ipxe
set base {{.Base}}
# {{.Title}} for {{.Choice.Host}} on {{.Facts.Platform}}: {{words "a || b"}} {{url "a b"}}
:start
menu {{.Title}}
{{range items "mem*"}}{{.Line}}
{{end}}item foot Foot
choose t && goto ${t}
{{range items "mem*"}}:{{.Key}}
{{.Commands}}
{{end}}:failed
goto start
:local
exit
{{include "parts/foot.ipxe"}}
`)
	facts := bios
	facts.Serial = "7"
	m := s.menu(t, facts)
	want := `#!ipxe
set base http://10.0.0.7:8080
# Rack 7 for node-7 on pcbios: a "||" b ${base}/a%20b
:start
menu Rack 7
item -- memtest-memtest64 Memory test (memtest64)
item foot Foot
choose t && goto ${t}
:memtest-memtest64
kernel ${base}/memtest64.bin || goto failed
boot || goto failed
:failed
goto start
:local
exit
:foot
echo {{.Base}} stays as it is
exit
`
	if diff := cmp.Diff(want, string(m.Script)); diff != "" || m.Err != nil {
		t.Errorf("%v (-want +got):\n%s", m.Err, diff)
	}
	// iPXE is asked for its facts before.
	if first := s.ask(boot.Ask{Class: boot.IPXE}); !strings.Contains(first, "##params") {
		t.Errorf("without facts:\n%s", first)
	}
}

// A broken template is not put to use: the last good one goes on, or the built-in one where there was none; and a good
// one is put to use at once.
func TestBrokenTemplateKeepsTheLastGoodMenu(t *testing.T) {
	const good = "#!ipxe\n:start\nmenu {{.Title}}\nitem local Disk\nchoose t && goto ${t}\n:local\n{{include " +
		"\"part.ipxe\"}}\nexit\n"
	broken := map[string]string{
		"syntax":           "#!ipxe\n{{.Title",
		"no such field":    "#!ipxe\n{{.Titel}}\n",
		"no such function": "#!ipxe\n{{exec \"id\"}}\n",
		"fails as it runs": "#!ipxe\n{{index .Items 99}}\n",
		"no script":        "menu x\n",
		"nothing":          "",
		"no such label":    "#!ipxe\ngoto nowhere\n",
		"no such file":     "#!ipxe\n{{include \"none.ipxe\"}}\n",
		"a file outside":   "#!ipxe\n{{include \"../../../secret\"}}\n",
		"an endless text":  "#!ipxe\n{{define \"a\"}}xxxxxxxxxxxxxxxx{{template \"a\" .}}{{end}}{{template \"a\" .}}\n",
		"a long command line": "#!ipxe\nkernel http://h/u " + strings.Repeat(
			"x",
			300,
		) + "\nmodule http://h/m " + strings.Repeat(
			"x",
			300,
		) + "\nboot\n",
		"more than a menu can be":  "#!ipxe\n{{range $n := 2000000}}echo\n{{end}}",
		"a pattern that is none":   "#!ipxe\n{{items \"[\"}}\n",
		"larger than any template": "#!ipxe\n" + strings.Repeat("#", 256<<10),
	}
	for name, text := range broken {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, Config{Settings: Settings{Title: "Rack 7"}})
			s.put("secret", "#!ipxe\n")
			built := s.menu(t, bios)
			s.put(own, text)
			first := s.menu(t, bios)
			if string(first.Script) != string(built.Script) || first.Err == nil ||
				!strings.Contains(first.Err.Error(), TemplateFile) {
				t.Errorf("at first: %v\n%s", first.Err, first.Script)
			}
			s.put("http/ipxe/part.ipxe", "echo bye")
			s.put(own, good)
			last := s.menu(t, bios)
			if last.Err != nil || !strings.Contains(string(last.Script), "menu Rack 7\n") ||
				!strings.Contains(string(last.Script), "\necho bye\n") {
				t.Fatalf("a good one: %v\n%s", last.Err, last.Script)
			}
			s.log.Reset()
			s.put(own, text)
			s.Configure(Settings{Title: "Rack 8"}) // the last good template, with what is new now
			for range 3 {
				m := s.menu(t, bios)
				if m.Err == nil || !strings.Contains(string(m.Script), "menu Rack 8\n") ||
					!strings.Contains(string(m.Script), "\necho bye\n") {
					t.Errorf("broken again: %v\n%s", m.Err, m.Script)
				}
			}
			if n := strings.Count(s.log.String(), "level=WARN"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, s.log)
			}
			s.put(own, good)
			if m := s.menu(t, bios); m.Err != nil {
				t.Errorf("put right: %v", m.Err)
			}
		})
	}
}

// Templates that were written for version 1 go on working.
func TestTemplateOfVersion1(t *testing.T) {
	choice := machine.Choice{Item: "shell", SkipMenu: true}
	s := newSite(t, Config{Choose: func(boot.Facts, netip.Addr) machine.Choice { return choice }})
	built := s.menu(t, bios)
	old := strings.Replace(Template, "{{- with .SkipMenu}}", "{{- with .Straight}}", 1)
	s.put(own, old)
	m := s.menu(t, bios)
	if string(m.Script) != string(built.Script) || m.Err != nil || old == Template || !m.SkipMenu {
		t.Errorf("%v\n%s", m.Err, m.Script)
	}
}

// What is included may break and be put right as the template itself.
func TestIncludedFileBreaks(t *testing.T) {
	s := newSite(t, Config{})
	s.put("http/ipxe/part.ipxe", "echo one")
	s.put(own, "#!ipxe\n{{include \"part.ipxe\"}}\n")
	want := func(text string, ok bool) {
		t.Helper()
		if m := s.menu(t, bios); string(m.Script) != "#!ipxe\n"+text+"\n" || (m.Err == nil) != ok {
			t.Errorf("%v\n%s", m.Err, m.Script)
		}
	}
	want("echo one", true)
	s.put("http/ipxe/part.ipxe", "goto nowhere")
	want("echo one", false)
	if err := os.Remove(filepath.Join(s.root, "http/ipxe/part.ipxe")); err != nil {
		t.Fatal(err)
	}
	want("echo one", false)
	s.put("http/ipxe/part.ipxe", "echo two")
	want("echo two", true)
}

// A user's own script is the menu of every machine, whatever else is there.
func TestOwnScriptWins(t *testing.T) {
	const text = "#!ipxe\r\nset x ${y}\r\nmenu Mine\r\nitem a A thing\r\nitem --gap -- no\r\nitem --key b b  B   " +
		"thing\r\nchoose --default b --timeout 5000 t && goto ${t}\r\n:a\r\n:b\r\n" +
		"kernel /k -B root_shadow='" + seedHash + "',smartos=true\r\n"
	s := newSite(t,
		Config{Choose: func(boot.Facts, netip.Addr) machine.Choice { t.Error("asked"); return machine.Choice{} }})
	s.put("http/ipxe/bootstrap.ipxe", text)
	s.put(own, "#!ipxe\n{{.Titel}}\n")
	m := s.menu(t, bios)
	if string(m.Script) != text || strings.Contains(string(m.Shown), seedHash) || m.Source != "ipxe/bootstrap.ipxe" ||
		m.Err != nil {
		t.Errorf("%v, from %q, shown as\n%s", m.Err, m.Source, m.Shown)
	}
	want := []Item{
		{Item: catalog.Item{Key: "a", Title: "A thing"}, Shown: true},
		{Item: catalog.Item{Key: "b", Title: "B thing"}, Shown: true, Default: true},
	}
	if diff := cmp.Diff(want, m.Items, cmpopts.IgnoreUnexported(catalog.Item{})); diff != "" || m.Title != "Mine" ||
		m.Default != "b" ||
		m.Timeout.Seconds() != 5 {
		t.Errorf("%q, %q, %v (-want +got):\n%s", m.Title, m.Default, m.Timeout, diff)
	}
	// One that a machine would hang on is not served, and that is a fault of the menu.
	s.put("http/ipxe/bootstrap.ipxe", "menu x\n")
	if err := os.Remove(filepath.Join(s.root, own)); err != nil {
		t.Fatal(err)
	}
	s.choose = nil
	if m := s.menu(t, bios); m.Err == nil || !strings.Contains(string(m.Script), "\n:local\n") {
		t.Errorf("%v\n%s", m.Err, m.Script)
	}
}

// Scripts in menu.d are items.
func TestFragments(t *testing.T) {
	s := newSite(t, Config{Settings: Settings{Default: "20-rack", Entries: []Entry{{Group: "Ours"}, {Item: "20-*"}}}})
	s.put("http/ipxe/menu.d/20-rack.ipxe", "#!ipxe\n# Title: Rack's own; tools\nshell\n")
	s.put("http/ipxe/menu.d/plain.ipxe", "#!ipxe\nshell\n")
	s.put("http/ipxe/menu.d/not a name.ipxe", "#!ipxe\n")
	s.put("http/ipxe/menu.d/README", "no script\n")
	if m := s.menu(t, bios); m.Err != nil || m.Default != "20-rack" ||
		!strings.Contains(string(m.Script), "\nitem --gap -- -- Ours\nitem -- 20-rack Rack's own; tools\n") ||
		!strings.Contains(string(m.Script),
			"\n:20-rack\nchain ${base}/ipxe/menu.d/20-rack.ipxe || goto failed\ngoto start\n") ||
		!strings.Contains(
			string(m.Script),
			"\nitem -- plain plain\n",
		) || strings.Contains(string(m.Script), "README") || script.Faults(m.Script) != nil {
		t.Errorf("%v, %v\n%s", m.Err, script.Faults(m.Script), m.Script)
	}
	s.put("http/ipxe/menu.d/bad.ipxe", "no script\n")
	s.put("http/ipxe/menu.d/shell.ipxe", "#!ipxe\n")
	m := s.menu(t, bios)
	if m.Err == nil || !strings.Contains(m.Err.Error(), "bad.ipxe is left out: ") ||
		!strings.Contains(m.Err.Error(), "shell (shell) is left out: duplicate key") {
		t.Errorf("%v", m.Err)
	}
	if strings.Contains(string(m.Script), "bad") || strings.Count(string(m.Script), "\n:shell\n") != 1 ||
		script.Faults(m.Script) != nil {
		t.Errorf("%v\n%s", script.Faults(m.Script), m.Script)
	}
}

func TestTextsAndTry(t *testing.T) {
	s := newSite(t, Config{})
	s.put("http/ipxe/menu.d/a.ipxe", "#!ipxe\ngoto nowhere\n")
	s.put("http/ipxe/part.ipxe", "echo")
	var names []string
	for _, text := range s.Texts() {
		names = append(names, text.Name)
		if text.NotIPXE {
			continue
		}
		if faults := len(script.Faults(text.Script)); text.Err != nil ||
			(faults > 0) != (text.Name == "ipxe/menu.d/a.ipxe") {
			t.Errorf("%s: %v, %d faults", text.Name, text.Err, faults)
		}
	}
	if len(names) != 8 {
		t.Errorf("%q", names)
	}
	for text, want := range map[string]string{
		"#!ipxe\n{{include \"part.ipxe\"}}\n":                            "",
		"#!ipxe\n{{.None}}\n":                                            "can't evaluate field None",
		"#!ipxe\n{{if eq .Facts.Platform \"efi\"}}goto nowhere{{end}}\n": "line 2: goto nowhere",
	} {
		var wrong string
		for _, made := range s.Try(IPXE, []byte(text)) {
			if made.Err != nil {
				wrong = made.Err.Error()
			}
		}
		if !strings.Contains(wrong, want) || (want == "") != (wrong == "") {
			t.Errorf("%q: %q, want %q", text, wrong, want)
		}
	}
	s.put("http/ipxe/bootstrap.ipxe", "no script\n")
	if texts := s.Texts(); texts[0].Name != "ipxe/bootstrap.ipxe" || len(texts) != 5 ||
		script.Faults(texts[0].Script)[0].Code != script.NotScript {
		t.Errorf("%+v", texts)
	}
}

// The first step asks for every fact in both ways, in what iPXE of 2019 understands.
func TestFirstStep(t *testing.T) {
	s := newSite(t, Config{})
	first := s.ask(boot.Ask{Class: boot.IPXE})
	for _, name := range boot.FactNames() {
		if strings.Count(first, "\nparam "+name+" ${") != 1 ||
			strings.Count(first, "?"+name+"=${")+strings.Count(first, "&"+name+"=${") != 1 {
			t.Errorf("%s is not asked for once in each way:\n%s", name, first)
		}
	}
	if f := script.Faults([]byte(first)); f != nil || script.Validate([]byte(first)) != nil {
		t.Errorf("%+v", f)
	}
	for _, line := range strings.Split(first, "\n") {
		word, _, _ := strings.Cut(line, " ")
		if (word == "chain" || word == "param") && !strings.HasSuffix(line, " ||") {
			t.Errorf("the script ends at %q where that fails", line)
		}
	}
	// Nobody who has told is asked again, even where all was empty.
	if menu := s.ask(boot.Ask{Class: boot.IPXE, Told: true}); !strings.Contains(menu, "\nmenu ") {
		t.Errorf("after telling nothing:\n%s", menu)
	}
}
