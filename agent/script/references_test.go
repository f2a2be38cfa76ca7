package script

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestReferencesOfAScript(t *testing.T) {
	base, err := url.Parse("http://10.0.0.7:8080/ipxe/bootstrap.ipxe")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		script  string
		want    []Reference
		unknown int
	}{
		"nothing is named": {"#!ipxe\nmenu x\nitem a A\nchoose t && goto ${t}\n:a\nexit\n", nil, 0},
		"settings, twice expanded": {"#!ipxe\nset root http://10.1.1.7\nset base ${root}/smartos\nkernel ${base}/unix -B console=text\nmodule ${base}/boot_archive\n",
			[]Reference{{Kernel, "http://10.1.1.7/smartos/unix"}, {Image, "http://10.1.1.7/smartos/boot_archive"}}, 0},
		"relative to the script": {"#!ipxe\nkernel ../vmlinuz quiet\ninitrd /initrd.gz\n",
			[]Reference{{Kernel, "http://10.0.0.7:8080/vmlinuz"}, {Image, "http://10.0.0.7:8080/initrd.gz"}}, 0},
		"several commands on a line": {"#!ipxe\nkernel http://a/k || goto failed\ninitrd --name x http://a/i && boot\n",
			[]Reference{{Kernel, "http://a/k"}, {Image, "http://a/i"}}, 0},
		"options and their values": {"#!ipxe\nimgfetch -n name --timeout 5 http://a/f\nchain --autofree --replace http://a/next.ipxe\n",
			[]Reference{{Image, "http://a/f"}, {Script, "http://a/next.ipxe"}}, 0},
		"only the machine knows":        {"#!ipxe\nchain http://a/${net0/mac}.ipxe\n", nil, 1},
		"a setting that names itself":   {"#!ipxe\nset a ${a}x\nkernel http://h/${a}\n", nil, 1},
		"a setting that doubles itself": {"#!ipxe\nset a http://h/\n" + strings.Repeat("set a ${a}${a}\n", 5000) + "kernel ${a}\n", nil, 1},
		"each once, comments not": {"#!ipxe\nkernel http://a/k\nkernel http://a/k # again\n# kernel http://a/no\n",
			[]Reference{{Kernel, "http://a/k"}}, 0},
		"an image by its name": {"#!ipxe\nsanboot --drive 0x80\nboot kernel\n", nil, 0},
		"a URL that is no URL": {"#!ipxe\nkernel http://a:b:c/%zz\n", nil, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, unknown := References([]byte(test.script), base)
			if !slices.Equal(got, test.want) || unknown != test.unknown {
				t.Errorf("got %v and %d unknown, want %v and %d", got, unknown, test.want, test.unknown)
			}
		})
	}
}

func FuzzReferences(f *testing.F) {
	f.Add([]byte("#!ipxe\nset a ${b}\nset b ${a}\nkernel ${a}${b}\n"))
	f.Add([]byte("#!ipxe\nset x ${x}${x}${x}\ninitrd -n ${x"))
	base, err := url.Parse("http://10.0.0.7/x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		refs, _ := References(script, base)
		if len(refs) > maxReferences {
			t.Errorf("%d references", len(refs))
		}
		for _, r := range refs {
			if u, err := url.Parse(r.URL); err != nil || u.Scheme == "" {
				t.Errorf("%q is not absolute: %v", r.URL, err)
			}
		}
	})
}
