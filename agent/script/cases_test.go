package script

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// efi and bios are machines as the daemon knows them.
var (
	bios = Machine{Settings: map[string]string{"platform": "pcbios", "buildarch": "i386", "next-server": "10.0.0.7"}}
	efi  = Machine{Settings: map[string]string{"platform": "efi", "buildarch": "x86_64", "next-server": "10.0.0.7"}}
)

func run(t testing.TB, text string, m Machine) Report {
	t.Helper()
	return Run([]byte(text), parseURL(t, "http://10.0.0.7/boot/menu.ipxe"), m, nil)
}

// urls are the files of a report, with a ? behind those that are optional.
func (r Report) urls() string {
	var all []string
	for _, ref := range r.References {
		u := strings.TrimPrefix(ref.URL, "http://10.0.0.7")
		if !ref.Required {
			u += "?"
		}
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return strings.Join(all, " ")
}

// codes are the findings of a report, as line:code.
func (r Report) codes() string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%d:%s", f.Line, f.Code))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// What sites write, and what it fetches.
func TestReferences(t *testing.T) {
	for _, c := range []struct {
		name, script string
		machine      Machine
		urls         string
		unknown      int
	}{
		{"both architectures", "cpuid --ext 29 && set arch x86_64 || set arch i386\nkernel /os/${arch}/vmlinuz\nboot\n", bios,
			"/os/x86_64/vmlinuz /os/i386/vmlinuz", 0},
		{"both architectures on a processor of 64 bits",
			"cpuid --ext 29 && set arch x86_64 || set arch i386\nkernel /os/${arch}/vmlinuz\nboot\n",
			Machine{LongMode: true}, "/os/x86_64/vmlinuz", 0},
		{"another bit", "cpuid 29 && set f a || set f b\nkernel /${f}\nboot\n", Machine{LongMode: true}, "/a /b", 0},
		{"architecture by platform", "iseq ${platform} efi && set f e || set f p\nkernel /${f}\nboot\n", efi, "/e", 0},
		{"an image by its name", "imgfetch --name linux /live/vmlinuz\nimgselect linux\nimgargs linux quiet\nboot linux\n",
			bios,
			"/live/vmlinuz", 0},
		{"what || catches", "chain --autofree boot.cfg ||\nchain host/default.ipxe || goto menu\n:menu\nexit\n", bios,
			"/boot/boot.cfg? /boot/host/default.ipxe?", 0},
		{"next-server", "set boot-url http://${next-server}\nkernel ${boot-url}/vmlinuz\ninitrd ${boot-url}/initrd\nboot\n",
			bios,
			"/vmlinuz /initrd", 0},
		{"one kernel line for every item", "menu\nitem a A\nitem b B\nchoose x || exit\ngoto ${x}\n" +
			":a\nset kernel /a/vmlinuz\ngoto go\n:b\nset kernel /b/vmlinuz\ngoto go\n:go\nkernel ${kernel}\nboot\n", bios,
			"/a/vmlinuz /b/vmlinuz", 0},
		{"the choice is a part of the name",
			"menu\nitem 13 Thirteen\nitem 12 Twelve\nchoose ver || exit 0\nkernel /os-${ver}/vmlinuz\nboot\n",
			bios, "/os-13/vmlinuz /os-12/vmlinuz", 0},
		{"goto or chain", ":start\nmenu Main\nitem linux Linux\nitem tools Tools\nchoose menu || goto bye\ngoto ${menu} " +
			"||\n" +
			"chain ${menu}.ipxe || goto start\n:bye\nexit 0\n", bios, "/boot/linux.ipxe? /boot/tools.ipxe?", 0},
		{"by the machine's address", "kernel /hosts/${net0/mac:hexhyp}/vmlinuz ||\nchain /default.ipxe\n", bios,
			"/default.ipxe", 1},
		{"options with values",
			"menu -n m T\nitem -m m --key 0x61 -k a b Text\nitem --form m f F\nsanboot --drive 0x80 -e extra /disk.iso\n", bios,
			"/disk.iso", 0},
		{"a shim is for UEFI", "kernel /k\nshim /shimx64.efi ||\nboot\n", bios, "/k", 0},
		{"the same under UEFI", "kernel /k\nshim /shimx64.efi ||\nboot\n", efi, "/k /shimx64.efi?", 0},
		{"what cannot be known goes both ways",
			"iseq ${manufacturer} HP && goto hp ||\nchain /other\nexit\n:hp\nchain /hp\n", bios,
			"/hp /other", 0},
		{"a test that was made already",
			"iseq ${asset} a && set f /a || set f /b\niseq ${asset} a && imgfetch ${f} || imgfetch /c\n", bios,
			"/a? /c", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, "#!ipxe\n"+c.script, c.machine)
			if r.urls() != c.urls || len(r.Unknown) != c.unknown || !r.Complete {
				t.Errorf(
					"%s\ngot  %s, %d unknown, complete %t\nwant %s, %d",
					c.script,
					r.urls(),
					len(r.Unknown),
					r.Complete,
					c.urls,
					c.unknown,
				)
			}
			for _, f := range r.Findings {
				if f.Level == Error {
					t.Errorf("false error: %+v", f)
				}
			}
		})
	}
}

// A file is missed where the script cannot do without it, or the item that was chosen cannot.
func TestBroken(t *testing.T) {
	r := run(t, "#!ipxe\nchain own.ipxe || goto menu\n:menu\nchain common.ipxe ||\nmenu\nitem a A\nitem b B\nitem c C\n"+
		"choose x || exit\ngoto ${x}\n:a\nkernel /a || goto menu\ninitrd /a.img || initrd /a2.img || goto menu\nboot || "+
		"goto menu\n"+
		":b\nchain tool.efi || goto menu\ngoto menu\n:c\nsanboot /c.iso || goto menu\n", bios)
	var broken []string
	for _, ref := range r.References {
		if ref.Broken() {
			broken = append(broken, ref.Item+" "+strings.TrimPrefix(ref.URL, "http://10.0.0.7"))
		}
	}
	slices.Sort(broken)
	want := []string{"a /a", "a /a2.img", "b /boot/tool.efi", "c /c.iso"}
	if !slices.Equal(broken, want) || len(r.References) != 7 {
		t.Errorf("got %v of %+v, want %v", broken, r.References, want)
	}
}

// What is wrong is found where it is.
func TestFindings(t *testing.T) {
	for _, c := range []struct{ name, script, codes string }{
		{"unknown command", "kernal /a\n", "2:unknown-command"},
		{"unknown option", "kernel --nam x /a\n", "2:unknown-option"},
		{"a dash is an option", "echo ---- menu ----\n", "2:unknown-option"},
		{"arguments", "iseq a\n", "2:arguments"},
		{"label", "goto nowhere\n", "2:no-label"},
		{"label, caught", "goto nowhere ||\n", "2:no-label"},
		{"label of a setting, caught", "set l nowhere\ngoto ${l} ||\n", ""},
		{"label in dead code", "exit\ngoto nowhere\n", "3:no-label 3:unreachable"},
		{"label with a colon", ":a\ngoto :b ||\n", "3:label-colon"},
		{"same label", "goto a\n:a\nexit\n:a\necho x\n", "5:same-label 6:unreachable"},
		{"semicolon", "imgfetch /a; imgfetch /b\n", "2:semicolon"},
		{"inc", "set n 0\ninc n ||\n", "3:inc-of-string"},
		{"isset", "isset u || imgfetch /b\n", "2:isset-of-name"},
		{"empty", "chain ${u} ||\n", "2:empty-uri"},
		{"backslash", "imgfetch /a \\", "2:open-backslash"},
		{"params", "imgfetch /a##params\n", "2:params-missing"},
		{"default", "menu\nitem a A\nchoose --default b x ||\n", "4:no-item"},
		{"no menu", "item a A\n", "2:no-menu"},
		{"escape", "menu\nitem a A\nchoose x\n", "4:uncaught"},
		{"relative", "dhcp ||\nimgfetch a\n", "3:relative-after-dhcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := run(t, "#!ipxe\n"+c.script, bios); r.codes() != c.codes {
				t.Errorf("%s\ngot  %s\nwant %s\n%+v", c.script, r.codes(), c.codes, r.Findings)
			}
		})
	}
	r := run(t, "#!ipxe\nkernal /a\n", bios)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, "did you mean kernel?") {
		t.Errorf("%+v", r.Findings)
	}
}

// A branch that leaves the script in failure is reported; a file that could not be fetched is not such a branch.
func TestFailures(t *testing.T) {
	r := run(t, "#!ipxe\nimgfetch /a\nmenu\nitem a A\nchoose x\npoweroff\n", bios)
	if !slices.Equal(r.Failures, []int{5}) {
		t.Errorf("failures %v, want line 5 alone", r.Failures)
	}
}

// Scripts that would run for ever, or in more ways than there are atoms, end.
func TestBounds(t *testing.T) {
	var menus strings.Builder
	menus.WriteString("#!ipxe\n:start\n")
	for i := range 40 {
		fmt.Fprintf(&menus, "iseq ${asset%d:string} x%d && set a%d 1 ||\nprompt && set b%d 1 ||\n", i, i, i, i)
	}
	for i := range 40 {
		fmt.Fprintf(&menus, "isset ${a%d} && isset ${b%d} ||\n", i, i)
	}
	menus.WriteString("goto start\n")
	for name, text := range map[string]string{
		"counts":  "#!ipxe\n:r\ninc n\ngoto r\n",
		"doubles": "#!ipxe\nset a xx\n:r\nset a ${a}${a}\ngoto r\n",
		"itself":  "#!ipxe\nset a ${b}\nset b ${a}\nset d $\nset a ${d}{a}\necho ${a}\n",
		"forks":   menus.String(),
	} {
		r := run(t, text, bios)
		if name == "forks" && r.Complete {
			t.Error("all of 2^80 ways were followed")
		}
	}
	loop := func(string) (Chained, bool) {
		return Chained{Text: []byte("#!ipxe\nchain x.ipxe\nimgfetch /a\n")}, true
	}
	if r := Run([]byte("#!ipxe\nchain x.ipxe\n"), parseURL(t, "http://10.0.0.7/x.ipxe"), bios, loop); r.Complete {
		t.Error("scripts that chain each other were followed to the end")
	}
}

func FuzzRun(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Script, v.Served["c.ipxe"])
	}
	f.Add(
		"#!ipxe\nmenu\nitem a${net0/mac} A\nchoose --default ${x} y && goto ${y} || shell\n:a\nsanboot "+
			"http://h/${y:uristring}\n",
		"#!ipxe\nexit ${n}\n",
	)
	f.Fuzz(func(t *testing.T, text, chained string) {
		text = "#!ipxe\n" + strings.TrimPrefix(text, "#!ipxe\n")
		load := func(string) (Chained, bool) { return Chained{Text: []byte(chained)}, chained != "" }
		r := Run([]byte(text), parseURL(t, "http://10.0.0.7/boot/menu.ipxe"), efi, load)
		lines := max(strings.Count(text, "\n"), strings.Count(chained, "\n")) + 1
		for _, ref := range r.References {
			if !isKnown(ref.URL) || ref.Line < 1 || ref.Line > lines || ref.Role == "" {
				t.Errorf("reference %+v in %d lines", ref, lines)
			}
		}
		// Whichever files there are: what is fetched then was named before, when nothing was known of them.
		m := efi
		m.There = func(u string) (there, known bool) { return len(u)%2 == 0, true }
		for _, ref := range Run([]byte(text), parseURL(t, "http://10.0.0.7/boot/menu.ipxe"), m, load).References {
			same := func(o Reference) bool { return o.URL == ref.URL && o.Line == ref.Line && o.Script == ref.Script }
			if r.Complete && !slices.ContainsFunc(r.References, same) {
				t.Errorf("%+v is fetched, and no way names it", ref)
			}
		}
		for _, found := range r.Findings {
			if found.Line < 1 || found.Line > lines || found.Code == "" || strings.ContainsAny(found.Text, markOpen+markClose) {
				t.Errorf("finding %+v in %d lines", found, lines)
			}
		}
	})
}

// Where it is known which files are there, each fetch has one result, and what comes of the script is known.
func TestSucceeds(t *testing.T) {
	for script, want := range map[string]bool{
		"kernel /k || goto e\nboot\n:e\nexit 1\n":              false,
		"kernel /there || goto e\nboot\n:e\nexit 1\n":          true,
		"kernel /k || kernel /there || exit 1\nboot\nexit 1\n": true,
		"chain /k || goto e\nexit\n:e\nreboot\n":               false,
		"chain /k ||\nexit\n":                                  true,
		"sanboot /there || goto e\n:e\nexit 1\n":               true,
		"sanboot /k || goto e\n:e\nexit 1\n":                   false,
		"chain /there/tool.efi || exit 1\nexit 1\n":            true,
		"exit 1\n": false,
	} {
		m := bios
		m.There = func(u string) (there, known bool) { return strings.Contains(u, "/there"), true }
		if r := run(t, "#!ipxe\n"+script, m); r.Succeeds != want || !r.Complete {
			t.Errorf("%q: succeeds %v, want %v", script, r.Succeeds, want)
		}
		if m.There = nil; script != "exit 1\n" && !run(t, "#!ipxe\n"+script, m).Succeeds {
			t.Errorf("%q: never succeeds, where nothing is known", script)
		}
	}
}
