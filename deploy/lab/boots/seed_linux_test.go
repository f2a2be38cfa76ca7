package boots

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/deploy/lab"
)

const (
	stamp   = "20130808T195337Z"
	unix    = "smartos/" + stamp + "/platform/i86pc/kernel/amd64/unix"
	archive = "smartos/" + stamp + "/platform/i86pc/amd64/boot_archive"
	// bySeed are the arguments that the kernel is given in testdata/seed.
	bySeed = `-B console=text,root_shadow='$5$rbGKkqrW$c3rJPrkCPAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA',smartos=true`
)

// smartos puts a herald where SmartOS has its kernel, and something large and uneven where it has its boot archive,
// which it returns.
func (s *room) smartos(length int) string {
	s.T.Helper()
	s.Write("root/http/"+unix, newHerald(s.T).bios)
	noise := make([]byte, length)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	s.Write("root/http/"+archive, string(noise))
	return string(noise)
}

// told is what a kernel at SmartOS's place must have been told, to the letter.
func (s *room) smartosTold(args, noise string) told {
	url := "http://" + s.Addr + "/"
	return told{url + unix + " " + args, []module{newModule(url+archive, noise)}}
}

// A person's menu of 2013 on that person's network, whose firewall tells everyone undionly.kpxe. It is served to the
// letter, and its items are chosen with keys.
func TestTheMenuOfTheSeed(t *testing.T) {
	isc.needs(t)
	lab.NeedFile(t, memtestBIOS)
	menu, err := os.ReadFile("testdata/seed/bootstrap.ipxe")
	if err != nil {
		t.Fatal(err)
	}
	s := newEmptyRoom(t, "10.1.1.7", "", "")
	s.Write("root/http/ipxe/bootstrap.ipxe", string(menu))
	s.copy(memtestBIOS, "root/http/memtest86/memtest86-5.01")
	noise := s.smartos(3<<20 + 17)
	s.Serve()
	s.behind(isc, "10.77.0.", "10.1.1.")
	if got := s.Get("/ipxe/bootstrap.ipxe"); got != string(menu) {
		t.Fatalf("the menu was changed on its way:\n%s", cmp.Diff(string(menu), got))
	}
	whole := menuByHTTP
	whole.says = fmt.Sprintf("bytes=%d ", len(menu))

	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:02:01"})
	first := "Boot SmartOS (" + stamp + ")"
	choose(
		m,
		first,
		first+" noimport",
		"Boot SmartOS (20130405T010449Z)",
		"Boot SmartOS (20130405T010449Z) noimport",
		"Memtest86+ 5.01",
	)
	s.bootsMemtest(m, brokenTFTP, whole, step{proto: "http", file: "/memtest86/memtest86-5.01"})
	m.Stop()

	m = s.bootUndionly("52:54:00:77:02:02")
	choose(m, first)
	got := s.boots(
		m,
		firstLoaded,
		step{proto: "http", file: "/" + unix, artifact: "kernel"},
		step{proto: "http", file: "/" + archive},
	)
	if diff := cmp.Diff(s.smartosTold(bySeed, noise), got, cmp.AllowUnexported(told{}, module{})); diff != "" {
		t.Errorf("what the kernel was told (-want +got)\n%s", diff)
	}
}

// The generated menu does the same, with root's password from a file.
func TestTheGeneratedMenuBootsSmartOS(t *testing.T) {
	s := newEmptyRoom(t, "10.1.1.7", "", "menu:\n  default: smartos-"+stamp+"\n  root_shadow_file: shadow\n")
	s.Write("shadow", `$5$rbGKkqrW$c3rJPrkCPAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA`+"\n")
	if err := os.Chmod(s.Path("shadow"), 0o600); err != nil {
		t.Fatal(err)
	}
	noise := s.smartos(3<<20 + 17)
	s.Serve()
	s.behind(dnsmasq, "10.77.0.", "10.1.1.")
	item, rescue := "SmartOS "+stamp, "SmartOS "+stamp+", rescue: no pool is imported"
	for _, c := range []struct {
		mac   string
		items []string
		args  string
	}{
		{"52:54:00:77:02:03", []string{item}, bySeed},
		{"52:54:00:77:02:04", []string{item, rescue}, strings.Replace(bySeed, "smartos=true", "noimport=true", 1)},
	} {
		m := s.Seg.Boot(lab.QEMU{MAC: c.mac})
		choose(m, c.items...)
		got := s.boots(m, brokenTFTP, menuByHTTP, step{proto: "http", file: "/" + archive})
		if diff := cmp.Diff(s.smartosTold(c.args, noise), got, cmp.AllowUnexported(told{}, module{})); diff != "" {
			t.Errorf("what the kernel was told (-want +got)\n%s", diff)
		}
		m.Stop()
	}
}
