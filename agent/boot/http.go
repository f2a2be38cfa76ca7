package boot

import "strings"

// agents are beginnings of User-Agent headers, in lower case, and what sends them.
var agents = []struct {
	prefix string
	class  Class
}{
	{"ipxe/", IPXE},
	{"uefihttpboot/", UEFI}, // EDK II, which most firmware is made from
	{"grub ", GRUB},
	{"u-boot/", UBoot},
	{"syslinux/", PXELinux}, // lpxelinux.0
	{"curl/", Tool}, {"libcurl", Tool}, {"wget", Tool}, {"mozilla/", Tool}, {"go-http-client/", Tool},
	{"python", Tool}, {"prometheus/", Tool}, {"fetch libfetch", Tool}, {"aria2/", Tool}, {"httpie/", Tool},
	{"busybox", Tool}, {"kube-probe/", Tool}, {"powershell/", Tool}, {"debian apt-http", Tool},
}

// ClassifyHTTP says what sent a request by HTTP, going by its User-Agent header. The header is
// whatever the client likes: it may choose between files that anyone may have, and no more.
// gPXE is Unknown: it does not run iPXE's scripts.
func ClassifyHTTP(userAgent string) Class {
	ua := strings.TrimSpace(userAgent)
	for _, a := range agents {
		if len(ua) >= len(a.prefix) && strings.EqualFold(ua[:len(a.prefix)], a.prefix) {
			return a.class
		}
	}
	// Vendors put their name before: "Acme UefiHttpBoot/1.0".
	if strings.Contains(strings.ToLower(ua), "uefihttpboot") {
		return UEFI
	}
	return Unknown
}
