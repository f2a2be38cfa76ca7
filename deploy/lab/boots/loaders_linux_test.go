package boots

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// Loaders other than iPXE, from Debian's packages, with the menus that are made for them.

const (
	pxelinux    = "/usr/lib/PXELINUX/pxelinux.0"
	syslinux    = "/usr/lib/syslinux/modules/bios/"
	grubNet     = "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"
	dhcpNames   = site.Leasing + "dhcp-boot=" // and a name
	grubMenu    = "/grub/grub.cfg"
	debianARM   = "debian/bookworm/debian-installer/arm64/"
	debianItem  = "debian-bookworm-arm64"
	bothItem    = "memtest-memtest86_x64"
	uBootMAC    = "52:52:52:52:52:52" // that Debian's U-Boot for QEMU sends whatever the card has
	defaultItem = "menu:\n  timeout: 1s\n  default: "
)

// pxelinux is loaded by a ROM, finds its menu by the card's MAC, and boots Multiboot kernels by its own module: what
// SmartOS is told is to the letter what iPXE would tell it.
func TestPXELinuxBoots(t *testing.T) {
	lab.NeedFile(t, pxelinux, syslinux+"menu.c32")
	s := newEmptyRoom(t, site.Addr, dhcpNames+"pxelinux.0,,"+site.Addr+"\n", defaultItem+"smartos-"+stamp+
		"\n  console: ttya\n")
	s.copy(pxelinux, "root/tftp/pxelinux.0")
	for _, module := range []string{"ldlinux", "menu", "mboot", "libutil", "libcom32"} {
		s.copy(syslinux+module+".c32", "root/tftp/"+module+".c32")
	}
	noise := s.smartos(1<<20 + 17)
	s.Serve()
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:06:01"})
	s.fetches(
		step{proto: "tftp", file: "pxelinux.cfg/01-52-54-00-77-06-01", class: "pxelinux", artifact: "script"},
		step{proto: "tftp", file: "/http/" + unix, class: "pxelinux", artifact: "kernel"},
		step{proto: "tftp", file: "/http/" + archive, class: "pxelinux", artifact: "image"},
	)
	got := hear(m)
	const args = `-B console=ttya,ttya-mode="115200,8,n,1,-",smartos=true`
	want := told{"/http/" + unix + " " + args, []module{newModule("/http/"+archive, noise)}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(told{}, module{})); diff != "" {
		t.Errorf("what the kernel was told (-want +got)\n%s", diff)
	}
	if said := s.lastBoot(m.QEMU.MAC); said.Item != "smartos-"+stamp || said.Result != "booted" {
		t.Errorf("the daemon saw %+v", said)
	}
}

// Debian's GRUB for networks is loaded by UEFI, and finds its menu without a file on the server.
func TestGRUBBoots(t *testing.T) {
	lab.NeedFile(t, grubNet)
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, dhcpNames+"grubx64.efi,,"+site.Addr+"\n", defaultItem+bothItem+
		"\n  items:\n    - item: "+bothItem+"\n      args: rack=\"7\n")
	s.copy(grubNet, "root/tftp/grubx64.efi")
	s.Write("root/http/memtest86+x64.bin", h.bios)
	s.Write("root/http/memtest86+x64.efi", h.efi)
	s.Serve()
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:06:02", UEFI: true})
	s.fetches(nbpByTFTP, step{proto: "tftp", file: "grub.cfg", class: "grub", artifact: "script"},
		step{proto: "tftp", file: "/http/memtest86+x64.efi", class: "grub", artifact: "kernel"})
	if got := hear(m); !strings.HasSuffix(got.kernel, `rack="7`) {
		t.Errorf("the kernel was told %q", got.kernel)
	}
	b := s.lastBoot(m.QEMU.MAC)
	if b.Item != bothItem || b.Firmware != "uefi" || len(b.Stages) != 3 {
		t.Errorf("the daemon saw %+v", b)
	}
	if warned := strings.Count(s.Agent.Output(), "level=WARN msg=served"); warned != 0 {
		t.Errorf("%d files that GRUB tries are warned of", warned)
	}
}

// GRUB under UEFI goes to the machine's own disk, and says so first.
func TestGRUBGoesToTheDisk(t *testing.T) {
	lab.NeedFile(t, grubNet)
	lab.NeedQEMU(t)
	h := newHerald(t)
	s := newEmptyRoom(t, site.Addr, dhcpNames+"grubx64.efi,,"+site.Addr+"\n", "menu:\n  timeout: 1s\n")
	s.copy(grubNet, "root/tftp/grubx64.efi")
	s.Write("disk/EFI/BOOT/BOOTX64.EFI", h.efi)
	s.Serve()
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:06:07", UEFI: true, Args: []string{
		"-drive", "if=none,id=disk,format=raw,readonly=on,file=fat:" + s.Path("disk"),
		"-device", "virtio-blk-pci,drive=disk,bootindex=2", // OVMF knows no disks besides those in its order
	}})
	s.Agent.WaitOutput(bootLimit, step{file: "/ipxe/local", class: "grub"}.pattern())
	hear(m)
	if b := s.lastBoot(m.QEMU.MAC); b.Result != boot.LocalDisk || b.At != boot.StageScript {
		t.Errorf("the daemon saw %+v", b)
	}
}

// arm64Herald is a kernel for ARM64 that says on the serial port that it runs, and then all text in its device tree,
// its command line among it. It begins with the header of Linux's Image, by which U-Boot knows it.
func arm64Herald() string {
	const header, says = 64, "\r\nherald of arm64\r\n\x00"
	code := []uint32{
		0xb9400401,             // ldr w1, [x0, #4]: the length of the device tree
		0x5ac00821,             // rev w1, w1
		0xd2a12002,             // movz x2, #0x900, lsl #16: the serial port
		0x10000000 | 15<<5 | 3, // adr x3, says
		0x38401464,             // ldrb w4, [x3], #1
		0x34000000 | 3<<5 | 4,  // cbz w4, to the device tree
		0xb9000044,             // str w4, [x2]
		0x17fffffd,             // b to ldrb
		0x38401404,             // ldrb w4, [x0], #1
		0x51008085,             // sub w5, w4, #' '
		0x710178bf,             // cmp w5, #'~'-' '
		0x54000048,             // b.hi, over the next
		0xb9000044,             // str w4, [x2]
		0x71000421,             // subs w1, w1, #1
		0x54ffff41,             // b.ne to ldrb
		0xd503207f,             // wfi
		0x17ffffff,             // b to wfi
		0xd503201f,             // nop
	}
	image := make([]byte, header)
	binary.LittleEndian.PutUint32(image, 0x14000000|header/4) // b, over the header
	binary.LittleEndian.PutUint64(image[16:], 0x10000)        // the size in memory
	binary.LittleEndian.PutUint64(image[24:], 1<<3)           // it runs anywhere
	copy(image[56:], "ARM\x64")
	for _, word := range code {
		image = binary.LittleEndian.AppendUint32(image, word)
	}
	return string(image) + says
}

// U-Boot's pxe get finds the menu by the card's MAC, and boots from it kernel and initrd.
func TestUBootBoots(t *testing.T) {
	lab.NeedARM(t)
	s := newEmptyRoom(t, site.Addr, site.Leasing, defaultItem+debianItem+"\n  items:\n    - item: "+debianItem+
		"\n      args: rack=7\n")
	s.Write("root/http/"+debianARM+"linux", arm64Herald())
	s.Write("root/http/"+debianARM+"initrd.gz", strings.Repeat("initrd", 1000))
	s.Serve()
	m := s.Seg.BootARM(lab.QEMU{MAC: uBootMAC})
	m.WaitOutput(bootLimit, `Hit any key to stop autoboot`)
	m.Type(" ")
	m.WaitOutput(bootLimit, `=> `)
	m.Type("setenv autoload no; dhcp && pxe get && pxe boot\r")
	s.fetches(
		step{proto: "tftp", file: "pxelinux.cfg/01-52-52-52-52-52-52", class: "u-boot", artifact: "script"},
		step{proto: "tftp", file: "/http/" + debianARM + "linux", class: "u-boot", artifact: "kernel"},
		step{proto: "tftp", file: "/http/" + debianARM + "initrd.gz", class: "u-boot", artifact: "image"},
	)
	m.WaitOutput(bootLimit, `herald of arm64\r\n.*linux,initrd-end`)
	m.WaitOutput(bootLimit, `herald of arm64\r\n.*rack=7`)
	if b := s.lastBoot(m.QEMU.MAC); b.Item != debianItem || b.Result != "booted" || b.Firmware != "u-boot" ||
		b.Arch != "arm64" {
		t.Errorf("the daemon saw %+v", b)
	}
}

// UEFI on ARM64 comes to iPXE's menu by PXE and by HTTP boot.
func TestARM64MachineBoots(t *testing.T) {
	t.Parallel()
	for name, byHTTP := range map[string]bool{"by PXE": false, "by HTTP": true} {
		t.Run(name, func(t *testing.T) {
			if byHTTP {
				needLong(t)
			}
			lab.NeedARM(t)
			// DHCP as dnsmasq.md has it, and the URL for arch 19.
			s := newEmptyRoom(t, site.Addr, site.Leasing+`dhcp-match=set:arm64,option:client-arch,11
dhcp-match=set:armhttp,option:client-arch,19
dhcp-match=set:ipxe,175
dhcp-boot=tag:arm64,tag:!ipxe,snp-arm64.efi,,`+site.Addr+`
dhcp-boot=tag:armhttp,tag:!ipxe,http://`+site.Addr+`/snp-arm64.efi
dhcp-option-force=tag:armhttp,tag:!ipxe,60,HTTPClient
dhcp-boot=tag:ipxe,http://`+site.Addr+`/ipxe/bootstrap.ipxe
`, "")
			s.Serve()
			mac, nbp := "52:54:00:77:06:04", nbpByTFTP
			if byHTTP {
				mac, nbp = "52:54:00:77:06:05", nbpByHTTP
			}
			m := s.Seg.BootARM(lab.QEMU{MAC: mac, UEFI: true, HTTPBoot: byHTTP})
			for _, h := range []step{nbp, menuByHTTP} {
				s.Agent.WaitOutput(bootLimit, h.pattern())
			}
			m.WaitOutput(bootLimit, `Boot from the local disk`)
			if b := s.lastBoot(mac); b.Arch != "arm64" || b.At != "script" {
				t.Errorf("the daemon saw %+v", b)
			}
		})
	}
}

// OVMF has an entry for PXE and then one for HTTP. A machine that was sent to its disk comes by both, and waits at the
// menu once; that is one boot.
func TestUEFIMachineGoesToItsDiskOnce(t *testing.T) {
	needLong(t)
	s := newEmptyRoom(t, site.Addr, site.Leasing, "menu:\n  timeout: 2s\n")
	s.Serve()
	s.Must(0, "configure")
	m := s.Seg.Boot(lab.QEMU{MAC: "52:54:00:77:06:06", UEFI: true})
	for _, h := range []step{nbpByTFTP, menuByHTTP, {file: "/ipxe/local", class: "ipxe"}, nbpByHTTP} {
		s.Agent.WaitOutput(bootLimit, h.pattern())
	}
	const toDisk = `file=/ipxe/local class=ipxe`
	s.Agent.WaitOutput(bootLimit, `(?s)`+toDisk+`.*`+toDisk)
	// What the menu shows is an item that is chosen; of a menu that sends on at once nothing is seen.
	if n := strings.Count(m.Output(), "Switch off"); n != 1 {
		t.Errorf("the menu was shown %d times", n)
	}
	var list struct{ Boots []boot.Boot }
	if err := json.Unmarshal([]byte(s.Get("/api/v1/boots?mac="+m.QEMU.MAC)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Boots) != 1 || list.Boots[0].Result != boot.LocalDisk {
		t.Errorf("the daemon saw %+v", list.Boots)
	}
}
