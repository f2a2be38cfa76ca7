package boot

import (
	"path"
	"strconv"
	"strings"
)

// Option is one option of a TFTP request (RFC 2347), as sent.
type Option struct{ Name, Value string }

// TFTPShape is what a TFTP read request shows of its sender.
type TFTPShape struct {
	Name    string   // the file, as sent
	Options []Option // in the order sent
	Port    uint16   // the UDP port it came from, 0 where unknown
}

// ClassifyTFTP tells by the shape of a read request what sent it.
//
// Every iPXE sends exactly blksize=1432, tsize=0, in that order, and no ROM was seen to. Three others send the
// same bytes and are taken for it: busybox's `tftp -b 1432`, gPXE where it leaves out its multicast option, and
// GRUB Legacy, which asks for menu files and not for what iPXE boots from.
func ClassifyTFTP(r TFTPShape) Class {
	names, value := shape(r.Options)
	block, port := value["blksize"], r.Port
	switch names {
	case "blksize tsize":
		switch {
		case value["tsize"] != "0":
		case block == "1432":
			return IPXE
		case block == "1024":
			return GRUB
		}
		return Tool
	case "blksize tsize multicast":
		return BIOSROM // gPXE: runs #!gpxe, so it must not be taken for iPXE
	case "tsize blksize windowsize", "blksize windowsize", "tsize windowsize", "windowsize":
		// EDK2 asks for 4 unless the vendor changed it, and counts its ports up from 1024.
		if value["windowsize"] == "4" || uefiPort(port) {
			return UEFI
		}
		return Tool
	case "tsize blksize":
		switch {
		case value["tsize"] != "0":
			return Tool
		case block == "1408":
			return PXELinux
		case block == "1024":
			return RaspberryPi
		case block == "1456" || intelPort(port):
			return BIOSROM
		case block == "1468": // EDK2 from before windowsize
			return UEFI
		case block == "1432" || block == "512": // atftp, curl; seen from no ROM
			return Tool
		}
		return Unknown
	case "blksize":
		switch {
		case block == "1456" || intelPort(port) || strings.HasSuffix(r.Name, "\xff"):
			return BIOSROM
		case block == "1468":
			return UEFI
		}
		return Tool
	case "tsize", "":
		switch {
		case raspberryName(r.Name):
			return RaspberryPi
		case intelPort(port) || strings.HasSuffix(r.Name, "\xff"):
			return BIOSROM
		}
		return Tool // busybox; tftp-hpa and atftp without options
	case "timeout blksize", "timeout tsize blksize", "timeout blksize windowsize", "timeout tsize blksize windowsize":
		// No other boot loader leaves the time-out to the server.
		if value["timeout"] == "5" && (block == "1468" || block == "512") && (value["tsize"] == "" || value["tsize"] == "0") {
			return UBoot
		}
		return Tool
	}
	if _, ok := value["timeout"]; ok {
		return Tool // no firmware leaves the time-out to the server: curl, atftp, pin/tftp
	}
	return Unknown
}

// shape joins the options' names in lower case. Where one comes twice its first value counts.
func shape(options []Option) (string, map[string]string) {
	names := make([]string, len(options))
	value := make(map[string]string, len(options))
	for i, o := range options {
		names[i] = strings.ToLower(o.Name)
		if _, twice := value[names[i]]; !twice {
			value[names[i]] = o.Value
		}
	}
	return strings.Join(names, " "), value
}

// uefiPort: EDK2 begins at a port between 1024 and 2047 and adds one with each request.
func uefiPort(p uint16) bool { return p >= 1024 && p < 2048 }

// intelPort: the Intel UNDI ROM, and VMware's copy of it, probes from 2070 and loads from 2071.
func intelPort(p uint16) bool { return p == 2070 || p == 2071 }

// raspberryName reports whether a Raspberry Pi's boot ROM asks for such a file, at the top or in the folder named by
// the board's serial number.
func raspberryName(name string) bool {
	dir, base := path.Split(strings.TrimPrefix(name, "/"))
	if dir != "" {
		serial := strings.TrimSuffix(dir, "/")
		if _, err := strconv.ParseUint(serial, 16, 32); err != nil || len(serial) != 8 {
			return false
		}
	}
	switch base {
	case "bootcode.bin", "bootsig.bin", "config.txt", "cmdline.txt", "autoboot.txt", "boot.img", "boot.sig",
		"recovery.elf", "recover4.elf", "pieeprom.sig", "pieeprom.upd", "vl805.sig", "dt-blob.bin":
		return true
	}
	for _, p := range [][2]string{{"start", ".elf"}, {"fixup", ".dat"}, {"bcm27", ".dtb"}, {"kernel", ".img"}} {
		if strings.HasPrefix(base, p[0]) && strings.HasSuffix(base, p[1]) {
			return true
		}
	}
	return false
}
