package boot

import (
	"slices"
	"testing"
)

func TestClassifyHTTP(t *testing.T) {
	for _, tc := range []struct {
		userAgent string
		want      Class
	}{
		{"iPXE/1.0.0+git-20190125.36a4c85-5.1", IPXE},
		{"iPXE/1.21.1+ (g4bd0)", IPXE},
		{"ipxe/2.0.0", IPXE},
		{"UefiHttpBoot/1.0", UEFI},
		{"Acme Firmware UefiHttpBoot/1.0", UEFI},
		{"GRUB 2.06-13+deb12u1", GRUB},
		{"Syslinux/6.04", PXELinux},
		{"curl/7.88.1", Tool},
		{"Wget/1.21.3", Tool},
		{"Wget", Tool}, // busybox
		{"fetch libfetch/2.0", Tool},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", Tool},
		{"Go-http-client/1.1", Tool},
		{"python-requests/2.31", Tool},
		{"Prometheus/2.42.0", Tool},
		{"gPXE/1.0.1", Unknown},
		{"not iPXE/1.0", Unknown},
		{"iPXE", Unknown},
		{"", Unknown},
		{"\x00\xff", Unknown},
	} {
		if got := ClassifyHTTP(tc.userAgent); got != tc.want {
			t.Errorf("ClassifyHTTP(%q) = %s, want %s", tc.userAgent, got, tc.want)
		}
	}
}

func FuzzClassifyHTTP(f *testing.F) {
	f.Add("iPXE/1.0")
	f.Add("x UefiHttpBoot/1.0")
	f.Fuzz(func(t *testing.T, ua string) {
		if got := ClassifyHTTP(ua); !slices.Contains(Classes(), got) {
			t.Errorf("ClassifyHTTP(%q) = %q: not one of Classes", ua, got)
		}
	})
}
