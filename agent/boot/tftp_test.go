package boot

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded is a request of a real client, from testdata/rrq.json.
type recorded struct {
	Client   string
	Class    string
	Measured bool
	Decoded  *struct {
		File    string
		Options [][2]string `json:"options_in_order"`
	}
}

func (r recorded) shape() TFTPShape {
	s := TFTPShape{Name: r.Decoded.File}
	for _, o := range r.Decoded.Options {
		s.Options = append(s.Options, Option{o[0], o[1]})
	}
	return s
}

// want translates the recording's own word for its client.
func (r recorded) want() Class {
	switch r.Class {
	case "bios-rom-ipxe", "uefi-rom-ipxe", "ipxe-bios", "ipxe-efi", "ipxe-efi-autoexec":
		return IPXE
	case "uefi", "ipxe-efi-autoexec-fw": // the latter is sent by the firmware on iPXE's behalf
		return UEFI
	case "synthetic":
		return BIOSROM
	case "cli":
		if strings.Contains(r.Client, "byte-identical to iPXE") {
			return IPXE
		}
		return Tool
	}
	return Class(r.Class)
}

func recordings(t testing.TB) []recorded {
	t.Helper()
	raw, err := os.ReadFile("testdata/rrq.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(r recorded) bool { return r.Decoded == nil })
}

func TestClassifyRecordedRequests(t *testing.T) {
	all := recordings(t)
	if len(all) < 29 {
		t.Fatalf("only %d recordings", len(all))
	}
	for _, r := range all {
		if got := ClassifyTFTP(r.shape()); got != r.want() {
			t.Errorf("%s: %s, want %s", r.Client, got, r.want())
		}
	}
}

func TestClassifyTFTP(t *testing.T) {
	for _, tt := range []struct {
		what, name, options string
		port                uint16
		want                Class
	}{
		{"iPXE, names in capitals", "x", "BLKSIZE=1432 TSIZE=0", 0, IPXE},
		{"iPXE's options the other way round", "x", "tsize=0 blksize=1432", 0, Tool},
		{"iPXE's options and one more", "x", "blksize=1432 tsize=0 timeout=3", 0, Tool},
		{"iPXE's first option alone", "x", "blksize=1432", 0, Tool},
		{"another block size", "x", "blksize=1428 tsize=0", 0, Tool},
		{"a size where 0 belongs", "x", "blksize=1432 tsize=5", 0, Tool},
		{"gPXE", "x", "blksize=1432 tsize=0 multicast=", 0, BIOSROM},
		{"GRUB Legacy", "/boot/grub/menu.lst", "blksize=1432 tsize=0", 0, IPXE},
		{"UEFI with a jumbo frame", "x", "tsize=0 blksize=8968 windowsize=4", 0, UEFI},
		{"UEFI of a vendor that likes windows", "x", "tsize=0 blksize=1468 windowsize=16", 1892, UEFI},
		{"atftp with a window", "x", "tsize=0 blksize=1468 windowsize=16", 40112, Tool},
		{"UEFI before windowsize, probe", "x", "tsize=0 blksize=1468", 1024, UEFI},
		{"UEFI before windowsize, download", "x", "blksize=1468", 1025, UEFI},
		{"Intel UNDI, probe", "x", "tsize=0", 2070, BIOSROM},
		{"Intel UNDI, download", "x", "blksize=1456", 2071, BIOSROM},
		{"Intel of 1998", "undionly.kpxe\xff", "blksize=1456", 0, BIOSROM},
		{"an old ROM behind Kea", "undionly.kpxe\xff", "", 0, BIOSROM},
		{"Raspberry Pi 3, first", "bootcode.bin", "", 49152, RaspberryPi},
		{"Raspberry Pi 3, then", "9ffefdef/start.elf", "tsize=0", 49153, RaspberryPi},
		{"Raspberry Pi 4", "9ffefdef/start4.elf", "tsize=0 blksize=1024", 0, RaspberryPi},
		{"no board's folder", "images/start.elf", "tsize=0", 49153, Tool},
		{"curl", "x", "tsize=0 blksize=1432 timeout=6", 0, Tool},
		{"U-Boot", "pxelinux.cfg/01-52", "timeout=5 blksize=1468", 0, UBoot},
		{"U-Boot that asks for the size", "x", "timeout=5 tsize=0 blksize=1468", 0, UBoot},
		{"U-Boot with windows", "x", "timeout=5 tsize=0 blksize=1468 windowsize=8", 0, UBoot},
		{"no U-Boot: its time-out", "x", "timeout=6 blksize=1468", 0, Tool},
		{"no U-Boot: its order", "x", "blksize=1468 timeout=5", 0, Tool},
		{"an option nobody sends", "x", "frobnicate=1", 0, Unknown},
		{"a block size nobody sends", "x", "tsize=0 blksize=777", 0, Unknown},
		{"an option twice", "x", "blksize=1432 tsize=0 tsize=0", 0, Unknown},
	} {
		s := TFTPShape{Name: tt.name, Port: tt.port}
		for _, f := range strings.Fields(tt.options) {
			name, value, _ := strings.Cut(f, "=")
			s.Options = append(s.Options, Option{name, value})
		}
		if got := ClassifyTFTP(s); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
		}
	}
}

func FuzzClassifyTFTP(f *testing.F) {
	for _, r := range recordings(f) {
		s, options := r.shape(), ""
		for _, o := range s.Options {
			options += o.Name + "\x00" + o.Value + "\x00"
		}
		f.Add(s.Name, options, uint16(2070))
	}
	f.Fuzz(func(t *testing.T, name, options string, port uint16) {
		s := TFTPShape{Name: name, Port: port}
		words := strings.Split(options, "\x00")
		for i := 0; i+1 < len(words); i += 2 {
			s.Options = append(s.Options, Option{words[i], words[i+1]})
		}
		got := ClassifyTFTP(s)
		if !slices.Contains(Classes(), got) {
			t.Fatalf("%q is no class", got)
		}
		exact := len(s.Options) == 2 && strings.EqualFold(s.Options[0].Name, "blksize") && s.Options[0].Value == "1432" &&
			strings.EqualFold(s.Options[1].Name, "tsize") && s.Options[1].Value == "0"
		if (got == IPXE) != exact {
			t.Fatalf("%v: %s", s, got)
		}
	})
}
