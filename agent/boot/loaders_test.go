package boot

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	viaShim = "0:01 a uefi nbp shimx64.efi, 0:02 a uefi none/optional revocations_sku.efi, 0:03 a uefi nbp grubx64.efi"
	viaGRUB = viaShim + ", 0:05 a grub none/optional /grub/x86_64-efi/command.lst, 0:06 a grub script /grub/grub.cfg " +
		"=local"
	// What the firmware of a machine does that is sent to its disk by PXE, and then has an entry for HTTP.
	toDisk = "0:03 a uefi nbp ipxe.efi, 0:10 a ipxe script /ipxe/bootstrap.ipxe, " +
		"0:11 a ipxe script /ipxe/bootstrap.ipxe +m =local, 0:41 a ipxe script /ipxe/local +m"
	thenHTTP = toDisk + ", 0:55 a uefi nbp /ipxe.efi, 1:00 a ipxe script /ipxe/bootstrap.ipxe"
	uBoot    = "0:01 a u-boot script pxelinux.cfg/01-52-54-00-00-00-6d =local"
	pxeLinux = "0:01 a bios-rom nbp pxelinux.0, 0:02 a pxelinux other ldlinux.c32, 0:03 a pxelinux script " +
		"pxelinux.cfg/01-52-54-00-00-00-6d =local"
)

// Loaders other than iPXE are in the timeline, with their stages and ends.
func TestTrackerFollowsOtherLoaders(t *testing.T) {
	for _, tc := range []struct {
		name, story string
		want        []string
		stages      string // of the last boot
	}{
		{"shim and GRUB", viaGRUB + ", 0:20 a grub kernel http/os/vmlinuz, 0:30 a grub image http/os/initrd, " +
			"0:31 a grub image http/os/modules.img", []string{"booted image a"}, "nbp script kernel image"},
		{"GRUB to the disk", viaGRUB + ", 0:36 a grub script ipxe/local", []string{"local_disk script a"}, "nbp script"},
		{"U-Boot", uBoot + ", 0:12 a u-boot kernel http/os/vmlinuz, 0:20 a u-boot image u-boot//http/os/initrd, " +
			"0:21 a u-boot image http/os/modules.img, 0:22 a u-boot none/optional http/os/dtbs/board.dtb",
			[]string{"booted image a"}, "script kernel image"},
		{"U-Boot, power cut at its kernel", uBoot + ", 0:12 a u-boot kernel http/os/vmlinuz, " +
			strings.ReplaceAll(uBoot, "0:01", "0:40"), []string{"stalled kernel a", "script a"}, "script"},
		{"GRUB that iPXE chains, which waits at its menu", uefiToMenu +
			", 0:20 a ipxe nbp /grubx64.efi, 0:22 a grub script " +
			"/grub/grub.cfg =local, 1:00 x, 1:01 a grub kernel http/os/vmlinuz, 1:02 a grub image http/os/initrd, 1:03 a grub " +
			"image http/os/modules.img", []string{"booted image a"}, "nbp script kernel image"},
		{"U-Boot that loads iPXE", "0:01 a u-boot nbp snp-arm64.efi, 0:05 a ipxe script snp-arm64.efi ^",
			[]string{"script a"}, "nbp script"},
		{"pxelinux", pxeLinux + ", 0:10 a pxelinux kernel http/os/vmlinuz, 0:11 a pxelinux image http/os/initrd, 0:12 a " +
			"pxelinux image http/os/modules.img", []string{"booted image a"}, "nbp script kernel image"},
		{"a ROM that is iPXE loads pxelinux, twice", "0:01 a ipxe nbp pxelinux.0, 0:03 a pxelinux script " +
			"pxelinux.cfg/default =os, 1:01 a ipxe nbp pxelinux.0", []string{"stalled script a", "nbp a"}, "nbp"},
		{"pxelinux to the disk, nobody chooses", pxeLinux + ", 5:04 x", []string{"local_disk script a"}, "nbp script"},
		{"pxelinux to the disk at once", pxeLinux + "!", []string{"local_disk script a"}, "nbp script"},
		{"pxelinux waits at its menu", strings.ReplaceAll(pxeLinux, "=local", "=os") + ", 5:04 x",
			[]string{"stalled script a"}, "nbp script"},
		{"a power cut in the NBP", "0:31 a uefi nbp/timeout ipxe.efi ~30, 0:40 a uefi nbp ipxe.efi",
			[]string{"nbp a"}, "nbp"},
		{"a power cut at iPXE's menu, which DHCP named", toDisk[:strings.LastIndex(toDisk, ",")] +
			", 1:00 a ipxe script /ipxe/bootstrap.ipxe", []string{"stalled script mac-m", "script mac-m"}, "script"},
		{"a script leads back to the menu", toDisk[:strings.LastIndex(toDisk, ",")] +
			", 0:20 a ipxe script /mine.ipxe, 0:21 a ipxe script /ipxe/bootstrap.ipxe", []string{"script mac-m"}, "nbp script"},
	} {
		s := tell(t, TrackerConfig{Wants: wantsInitrd}, tc.story)
		if got := s.told(); !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
			continue
		}
		var last Boot
		for _, b := range s.boots {
			if b.ID > last.ID {
				last = b
			}
		}
		var stages []string
		for _, p := range last.Stages {
			stages = append(stages, string(p.Stage))
		}
		if got := strings.Join(stages, " "); got != tc.stages {
			t.Errorf("%s: stages %q, want %q", tc.name, got, tc.stages)
		}
	}
}

// A machine that is switched off while it is sent its NBP begins another boot, and what was being sent is the first's.
func TestPowerCutInTheNBP(t *testing.T) {
	s := tell(t, TrackerConfig{}, "0:01 a uefi other boot.wim, 0:02 a uefi nbp pxelinux.0")
	cut := Transfer{Ask: Ask{Proto: TFTP, Class: UEFI, Name: "ipxe.efi"}, Artifact: NBP, Outcome: TimedOut, Bytes: 9000,
		Start: loopStart.Add(3 * time.Second), Took: 40 * time.Second}
	cut.Client = clientOf("a", 1025)
	s.Begin(&cut.Ask, cut.Start)
	s.more("0:20 a uefi nbp ipxe.efi")
	s.End(&cut)
	s.take()
	if got := s.told(); !slices.Equal(got, []string{"stalled nbp a", "nbp a"}) ||
		!strings.Contains(s.ended[0].Note, "in the middle of ipxe.efi") {
		t.Errorf("%q, %+v", got, s.ended)
	}
}

// What a person is told of a boot that did not come through is what the requests show.
func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name, story  string
		result       Result
		says, saysNo string
	}{
		{"refused by Secure Boot", "0:03 a uefi nbp ipxe.efi, 5:04 x", Stalled,
			"stopped after ipxe.efi was loaded whole and asked for nothing: likely Secure Boot", "IA32"},
		{"refused by Secure Boot, by both ways", "0:03 a uefi nbp ipxe.efi, 0:20 a uefi nbp /ipxe.efi, 5:21 x", Stalled,
			"likely Secure Boot", ""},
		{"a BIOS machine is never told of it", "0:03 a bios-rom nbp undionly.kpxe, 5:04 x", Stalled,
			"a card that iPXE has no driver for", "Secure Boot"},
		{"IA32", "0:03 a uefi nbp undionly.kpxe, 5:04 x", Stalled, "undionly.kpxe, a BIOS file: likely it is IA32", "Secure"},
		{"shim is refused", "0:03 a uefi nbp shimx64.efi, 5:04 x", Stalled, "2011", ""},
		{"no second stage", "0:01 a uefi nbp shimx64.efi, 0:03 a uefi none/not_found grubx64.efi, 0:09 x", Broken,
			"shim found no second stage", ""},
		{"GRUB without grub.cfg", viaShim + ", 0:05 a grub none/optional /grub/grub.cfg-01-52-54-00-00-00-6d, " +
			"0:06 a grub none/not_found /grub/grub.cfg, 0:12 x", Broken, "GRUB found no grub.cfg", "shim"},
		{"GRUB that looks elsewhere", viaShim + ", 0:05 a grub none/optional /EFI/x86_64-efi/command.lst, 5:06 x", Stalled,
			"GRUB started and found no grub.cfg", "Secure"},
		{"GRUB by HTTP", "0:01 a uefi nbp /shimx64.efi, 0:02 a uefi nbp //grubx64.efi, 5:06 x", Stalled,
			"by UEFI HTTP boot", ""},
		{"pxelinux without a configuration", "0:01 a bios-rom nbp pxelinux.0, 0:02 a pxelinux none/optional " +
			"pxelinux.cfg/0A, 0:03 a pxelinux none/not_found pxelinux.cfg/default, 0:09 x", Broken,
			"pxelinux found no configuration", ""},
		{"pxelinux without its module", "0:01 a bios-rom nbp pxelinux.0, 0:02 a pxelinux none/not_found ldlinux.c32, 0:09 x",
			Broken, "pxelinux found no ldlinux.c32", ""},
		{"U-Boot without a configuration", "0:01 a u-boot none/optional pxelinux.cfg/0A, 0:03 a u-boot none/not_found " +
			"pxelinux.cfg/default, 0:09 x", Broken, "U-Boot found no configuration", "pxelinux found"},
		{"the boot file is missing", "0:01 a uefi none/not_found ipxee.efi, 0:06 x", Broken,
			"the boot file that its firmware was told to fetch is not there", ""},
		{"a person at iPXE's menu has time", uefiToMenu + ", 0:20 a ipxe none/not_found /os/vmlinuz, 0:40 x", UnderWay, "",
			""},
		{"what loaders try does not fail a boot", viaGRUB + ", 0:07 a grub none/optional /grub/fonts/unicode.pf2, 0:40 x",
			UnderWay, "", ""},
	} {
		s := tell(t, TrackerConfig{}, tc.story)
		if tc.result == UnderWay {
			if len(s.ended) != 0 || len(s.boots) != 1 {
				t.Errorf("%s: %+v", tc.name, s.ended)
			}
			continue
		}
		if len(s.ended) != 1 {
			t.Errorf("%s: %d boots ended", tc.name, len(s.ended))
			continue
		}
		b := s.ended[0]
		if b.Result != tc.result || !strings.Contains(b.Note, tc.says) || tc.saysNo != "" &&
			strings.Contains(b.Note, tc.saysNo) {
			t.Errorf("%s: %s: %s", tc.name, b.Result, b.Note)
		}
	}
}

// Forged requests for what is not there are not told of quickly, however many come.
func TestMissingBootFilesUnderFlood(t *testing.T) {
	s := tell(t, TrackerConfig{}, "0:00 x")
	for i := range 200 {
		tr := Transfer{Ask: Ask{Proto: TFTP, Class: UEFI, Name: "x.efi", Client: clientOf(string([]byte{byte(i)}), 1024)},
			Artifact: NoFile, Outcome: NotFound, Start: loopStart}
		s.End(&tr)
	}
	s.more("0:30 x")
	if len(s.ended) != 0 {
		t.Errorf("%d boots were told of", len(s.ended))
	}
}

// A machine that is sent to its disk and comes by its firmware's other way is one boot.
func TestBothWaysOfFirmwareAreOneBoot(t *testing.T) {
	for name, tc := range map[string]struct {
		story string
		want  []string
		ended string // of the first boot, minutes and seconds after it began
	}{
		"sent on": {thenHTTP +
			", 1:01 a ipxe script /ipxe/bootstrap.ipxe +m =local!, 1:02 a ipxe script /ipxe/local +m, 1:30 x",
			[]string{"local_disk script mac-m"}, "1m0s"},
		"a one-time boot was set": {thenHTTP +
			", 1:01 a ipxe script /ipxe/bootstrap.ipxe +m =os!, 1:02 a ipxe kernel /os/vmlinuz",
			[]string{"local_disk script mac-m", "kernel mac-m"}, "39s"},
		"too late": {toDisk + ", 1:55 a uefi nbp /ipxe.efi, 2:00 a ipxe script /ipxe/bootstrap.ipxe",
			[]string{"local_disk script mac-m", "script mac-m"}, "39s"},
		"the same way": {toDisk + ", 0:55 a uefi nbp ipxe.efi, 1:00 a ipxe script /ipxe/bootstrap.ipxe",
			[]string{"local_disk script mac-m", "script mac-m"}, "39s"},
		"PXE again, after both": {thenHTTP + ", 1:01 a ipxe script /ipxe/bootstrap.ipxe +m =local!, 1:02 a ipxe script " +
			"/ipxe/local +m, 1:20 a uefi nbp ipxe.efi", []string{"local_disk script mac-m", "nbp mac-m"}, "1m0s"},
	} {
		s := tell(t, TrackerConfig{}, tc.story)
		if got := s.told(); !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tc.want)
		}
		b := s.ended[0]
		for _, now := range s.boots {
			if now.ID == b.ID {
				b = now
			}
		}
		if took := b.Ended.Sub(b.Started).String(); took != tc.ended || len(s.ended) != 1 {
			t.Errorf("%s: %d boots ended, the first after %s", name, len(s.ended), took)
		}
	}
}

func TestMenuNames(t *testing.T) {
	for name, want := range map[string]MenuName{
		"/grub/grub.cfg":                       {GRUB: true, Dir: "grub", Last: true},
		`grub\grub.cfg-01-52-54-00-AB-34-56`:   {GRUB: true, Dir: "grub", MAC: "52:54:00:ab:34:56"},
		"GRUB.CFG-C0A80001":                    {GRUB: true},
		"a//pxelinux.cfg/01-52-54-00-12-34-56": {Dir: "a", MAC: "52:54:00:12:34:56"},
		"pxelinux.cfg/default":                 {Last: true},
		"/pxelinux.cfg/default-arm-qemu-virt":  {ARM: true},
		"pxelinux.cfg/C0A80001":                {},
	} {
		if got, ok := ParseMenuName(name); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "pxelinux.cfg", "default", "pxelinux.cfg/C0A8", "grub.cfg.tmpl",
		"grub/grub.cfg-01-52",
		"pxelinux.cfg/../default", "xpxelinux.cfg/default"} {
		if n, ok := ParseMenuName(name); ok {
			t.Errorf("%q: %+v", name, n)
		}
	}
}

func TestOptional(t *testing.T) {
	for want, names := range map[bool][]string{
		true: {"revocations_sku.efi", "/revocations_sbat.efi", "EFI/shim_certificate_0.efi", "/grub/x86_64-efi/command.lst",
			"boot/grub/i386-pc/fs.lst", "/grub/grub.cfg-01-52-54-00-12-34-56", "grub/grub.cfg-C0A8", "pxelinux.cfg/C0A8",
			"pxelinux.cfg/b8945908-d6a6-41a9-611d-74a6ab80b83d", "pxelinux.cfg/default-arm-qemu", "boot.scr.uimg",
			"http/debian/dtbs/vendor/board.dtb", "0A4D0032.img", "/grub/fonts/unicode.pf2"},
		false: {"grub/grub.cfg", "pxelinux.cfg/default", "grubx64.efi", "ipxe.efi", "vmlinuz", "ldlinux.c32", "debian.img",
			"grub/x86_64-efi/linux.mod", "revocations.txt", ""},
	} {
		for _, name := range names {
			if got := Optional(name); got != want {
				t.Errorf("%q: %v", name, got)
			}
		}
	}
}
