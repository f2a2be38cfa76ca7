package imagetest

import (
	"fmt"
	"strings"
	"testing"
)

// What the mirrors have of each system: names and places are the makers' own, contents are short texts.

// SmartOS is the archive of a platform image.
func SmartOS(t testing.TB, stamp string) []byte {
	archive := strings.Repeat("boot_archive of "+stamp+"\n", 2000)
	top := "platform-" + stamp + "/"
	return TGZ(t,
		Entry{Name: top}, Entry{Name: top + "root.password", Body: "secret\n"},
		Entry{Name: top + "i86pc/kernel/amd64/unix", Body: "unix of " + stamp, Mode: 0o4755},
		Entry{Name: top + "i86pc/amd64/boot_archive", Body: archive},
		Entry{Name: top + "i86pc/amd64/boot_archive.hash", Body: Sum("sha1", []byte(archive)) + "\n"},
	)
}

// PublishSmartOS publishes a version as newer ones are: with a branch in the archive's name, and both lists. It is the
// latest.
func (m *Mirror) PublishSmartOS(t testing.TB, stamp string) {
	name, archive := "platform-release-20260101-"+stamp+".tgz", SmartOS(t, stamp)
	m.Put(stamp+"/"+name, archive)
	m.Put(stamp+"/md5sums.txt", []byte(SumLine("md5", name, archive)))
	m.Put(
		stamp+"/sha256sums.txt",
		[]byte(SumLine("sha256", "smartos-"+stamp+".iso", []byte("iso"))+SumLine("sha256", name, archive)),
	)
	m.Put(stamp+"/SINGLE_USER_ROOT_PASSWORD.txt", []byte("correct horse\n"))
	m.Put("latest", []byte("/Joyent_Dev/public/SmartOS/"+stamp+"\n"))
}

// PublishOldSmartOS publishes a version as those of 2013 are.
func (m *Mirror) PublishOldSmartOS(t testing.TB, stamp string) {
	name, archive := "platform-"+stamp+".tgz", SmartOS(t, stamp)
	m.Put(stamp+"/"+name, archive)
	m.Put(stamp+"/md5sums.txt", []byte(SumLine("md5", name, archive)))
	m.Put("latest", []byte("/Joyent_Dev/public/SmartOS/"+stamp+"\n"))
}

// PublishMemtest publishes memtest86+.
func (m *Mirror) PublishMemtest(t testing.TB, version string) {
	name := "mt86plus_" + version + ".binaries.zip"
	archive := Zip(
		t,
		Entry{Name: "memtest32.bin", Body: "32 bios"},
		Entry{Name: "memtest64.bin", Body: "64 bios"},
		Entry{Name: "memtest32.efi", Body: "32 efi"},
		Entry{Name: "memtest64.efi", Body: "64 efi"},
	)
	m.Put("download/v"+version+"/"+name, archive)
	m.Put("download/v"+version+"/sha256sum.txt", []byte(SumLine("sha256", name, archive)))
	m.Put(
		"",
		[]byte(
			`<a href="/download/v6.20/mt86plus_6.20.binaries.zip">old</a> <a href="/download/v`+version+`/`+name+`">new</a>`,
		),
	)
}

// PublishDebian publishes an installer, with its list's own checksum in InRelease.
func (m *Mirror) PublishDebian(suite, arch string) {
	at := "dists/" + suite + "/main/installer-" + arch + "/current/images/"
	linux, initrd := []byte("linux "+arch), []byte("initrd "+arch)
	m.Put(at+"netboot/debian-installer/"+arch+"/linux", linux)
	m.Put(at+"netboot/debian-installer/"+arch+"/initrd.gz", initrd)
	list := SumLine("sha256", "./netboot/gtk/debian-installer/"+arch+"/linux", []byte("another")) +
		SumLine(
			"sha256",
			"./netboot/debian-installer/"+arch+"/initrd.gz",
			initrd,
		) + SumLine("sha256", "./netboot/debian-installer/"+arch+"/linux", linux)
	if arch == "amd64" {
		shim := []byte("shim of Debian")
		m.Put(at+"netboot/debian-installer/amd64/bootnetx64.efi", shim)
		list += SumLine("sha256", "./netboot/debian-installer/amd64/bootnetx64.efi", shim)
	}
	m.Put(at+"SHA256SUMS", []byte(list))
	release := fmt.Sprintf(
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nSuite: stable\nCodename: %s\nMD5Sum:\n %s %d "+
			"main/installer-%s/current/images/SHA256SUMS\nSHA256:\n %s %d main/installer-%[4]s/current/images/SHA256SUMS\n",
		suite,
		Sum("md5", []byte(list)),
		len(list),
		arch,
		Sum("sha256", []byte(list)),
		len(list),
	)
	m.Put("dists/"+suite+"/InRelease", []byte(release))
	m.Put("dists/stable/InRelease", []byte(release))
}

// PublishUbuntu publishes a point release.
func (m *Mirror) PublishUbuntu(t testing.TB, release, point string) {
	netboot, iso := "ubuntu-"+point+"-netboot-amd64.tar.gz", "ubuntu-"+point+"-live-server-amd64.iso"
	archive := TGZ(
		t,
		Entry{Name: "./"},
		Entry{Name: "./amd64/"},
		Entry{Name: "./amd64/linux", Body: "linux"},
		Entry{Name: "./amd64/initrd", Body: "initrd"},
		Entry{Name: "./amd64/pxelinux.0", Body: "pxelinux"},
		Entry{Name: "./amd64/bootx64.efi", Body: "shim of Ubuntu"},
	)
	m.Put(release+"/"+netboot, archive)
	m.Put(release+"/"+iso, []byte("the iso"))
	m.Put(
		release+"/SHA256SUMS",
		[]byte(SumLine("sha256", "*"+iso, []byte("the iso"))+SumLine("sha256", "*"+netboot, archive)),
	)
	m.Put("", []byte(`<a href="20.04/">20.04</a> <a href="23.10/">23.10</a> <a href="`+release+`/">`+release+`</a>`))
}

// PublishFedora publishes a release.
func (m *Mirror) PublishFedora(release, arch string) {
	at := "releases/" + release + "/Everything/" + arch + "/os/"
	info := "[checksums]\n"
	for _, name := range []string{"images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "images/install.img"} {
		m.Put(at+name, []byte(name))
		info += name + " = sha256:" + Sum("sha256", []byte(name)) + "\n"
	}
	m.Put(at+".treeinfo", []byte(info))
	m.Put("releases/", []byte(`<a href="9/">9/</a><a href="`+release+`/">`+release+`/</a><a href="test/">test/</a>`))
}

// PublishAlpine publishes a netboot archive.
func (m *Mirror) PublishAlpine(t testing.TB, version, arch string) {
	branch := version[:strings.LastIndexByte(version, '.')]
	var entries []Entry
	for _, f := range []string{"vmlinuz-lts", "initramfs-lts", "modloop-lts", "vmlinuz-virt", "initramfs-virt",
		"modloop-virt"} {
		entries = append(entries, Entry{Name: "boot/" + f, Body: f})
	}
	name, archive := "alpine-netboot-"+version+"-"+arch+".tar.gz", TGZ(t, entries...)
	at := "v" + branch + "/releases/" + arch + "/"
	m.Put(at+name, archive)
	m.Put(at+name+".sha256", []byte(SumLine("sha256", name, archive)))
	m.Put(
		"latest-stable/releases/"+arch+"/latest-releases.yaml",
		[]byte("---\n-\n  branch: v"+branch+"\n  version: "+version+"\n"),
	)
}

// PublishFlatcar publishes a version as Flatcar does: lists of several kinds in one file.
func (m *Mirror) PublishFlatcar(version, usr string) {
	for _, name := range []string{"flatcar_production_pxe.vmlinuz", "flatcar_production_pxe_image.cpio.gz"} {
		body := []byte(name)
		m.Put(usr+"/"+version+"/"+name, body)
		m.Put(
			usr+"/"+version+"/"+name+".DIGESTS",
			[]byte(
				"# MD5 HASH\n"+SumLine(
					"md5",
					name,
					body,
				)+"# SHA1 HASH\n"+SumLine(
					"sha1",
					name,
					body,
				)+"# SHA512 HASH\n"+SumLine(
					"sha512",
					name,
					body,
				),
			),
		)
	}
	m.Put(usr+"/current/version.txt", []byte("FLATCAR_BUILD=4230\nFLATCAR_VERSION="+version+"\n"))
}

// PublishTalos publishes a release; asking for the latest one is answered with a redirect to its page, as GitHub does.
func (m *Mirror) PublishTalos(version string) {
	list := ""
	for _, name := range []string{"vmlinuz-amd64", "initramfs-amd64.xz", "vmlinuz-arm64", "initramfs-arm64.xz"} {
		m.Put("download/"+version+"/"+name, []byte(name))
		list += SumLine("sha256", name, []byte(name))
	}
	m.Put("download/"+version+"/sha256sum.txt", []byte(list))
	m.PutFile("latest", &File{Redirect: m.URL + "/releases/tag/" + version})
	m.Put("releases/tag/"+version, []byte("<html>"))
}

// PublishUbuntuARM publishes a point release as cdimage.ubuntu.com has it: below the release's code name.
func (m *Mirror) PublishUbuntuARM(t testing.TB, codename, release, point string) {
	netboot, iso := "ubuntu-"+point+"-netboot-arm64.tar.gz", "ubuntu-"+point+"-live-server-arm64.iso"
	archive := TGZ(
		t,
		Entry{Name: "./arm64/"},
		Entry{Name: "./arm64/linux", Body: "linux"},
		Entry{Name: "./arm64/initrd", Body: "initrd"},
	)
	at := codename + "/release/"
	m.Put(at+netboot, archive)
	m.Put(at+iso, []byte("the iso"))
	m.Put(at+"SHA256SUMS", []byte(SumLine("sha256", "*"+iso, []byte("the iso"))+SumLine("sha256", "*"+netboot, archive)))
	m.Put("", []byte(`<a href="`+codename+`/">`+codename+`</a> <a href="`+release+`/">`+release+`</a>`))
}

// PublishMemtest8 publishes memtest86+ as since version 8: one file for BIOS and EFI, and no list of checksums.
func (m *Mirror) PublishMemtest8(t testing.TB, version string) {
	digits := strings.ReplaceAll(version, ".", "")
	var entries []Entry
	for _, cpu := range []string{"x86_64", "i586", "la64"} {
		entries = append(entries, Entry{Name: "mt86p_" + digits + "_" + cpu, Body: cpu})
	}
	name := "mt86plus_" + version + ".binaries.zip"
	m.Put("download/v"+version+"/"+name, Zip(t, entries...))
	m.Put(
		"",
		[]byte(
			`<a href="/download/v7.20/mt86plus_7.20.binaries.zip">old</a> <a href="/download/v`+version+`/`+name+`">new</a>`,
		),
	)
}

// PublishTalosFactory publishes what Image Factory makes of a schematic.
func (m *Mirror) PublishTalosFactory(schematic, version string) {
	for _, name := range []string{"kernel-amd64", "initramfs-amd64.xz"} {
		m.Put(schematic+"/"+version+"/"+name, []byte(name))
	}
}

// PublishUnpackedSmartOS publishes a version as netboot.smartos.org does.
func (m *Mirror) PublishUnpackedSmartOS(stamp string) {
	at := stamp + "/platform/i86pc/"
	archive := []byte("boot_archive of " + stamp)
	m.Put(at+"kernel/amd64/unix", []byte("unix of "+stamp))
	m.Put(at+"amd64/boot_archive", archive)
	m.Put(at+"amd64/boot_archive.hash", []byte(Sum("sha1", archive)+"\n"))
}
