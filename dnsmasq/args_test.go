package dnsmasq

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestArguments(t *testing.T) {
	args := []string{"-x", "/run/dnsmasq/dnsmasq.pid", "-kz", "-u", "dnsmasq", "-7",
		"/etc/dnsmasq.d,.dpkg-dist,.dpkg-old", "-C/etc/a.conf",
		"--conf-file=/etc/b.conf", "--dhcp-range", "10.0.0.1,10.0.0.9", "--local-service", "--domain=x", "-i", "eth1",
		"stray"}
	var got []string
	for _, d := range parseArgs(args) {
		got = append(got, d.name+"="+d.value)
	}
	want := []string{"pid-file=/run/dnsmasq/dnsmasq.pid", "-k=", "bind-interfaces=", "-u=dnsmasq",
		"conf-dir=/etc/dnsmasq.d,.dpkg-dist,.dpkg-old",
		"conf-file=/etc/a.conf", "conf-file=/etc/b.conf", "dhcp-range=10.0.0.1,10.0.0.9", "local-service=", "domain=x",
		"interface=eth1"}
	if !slices.Equal(got, want) {
		t.Errorf("read as\n%q, want\n%q", got, want)
	}
	kept := withoutFiles(args)
	if want := []string{"--pid-file=/run/dnsmasq/dnsmasq.pid", "-k", "--bind-interfaces", "-u", "dnsmasq",
		"--dhcp-range=10.0.0.1,10.0.0.9",
		"--local-service", "--domain=x", "--interface=eth1"}; !slices.Equal(kept, want) {
		t.Errorf("without files\n%q, want\n%q", kept, want)
	}
}

func TestDebianArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dnsmasq")
	if args, err := debianArgs(file); err != nil || args != nil {
		t.Errorf("without the file: %q, %v", args, err)
	}
	text := "# comment\n#CONFIG_DIR=/no\n  CONFIG_DIR=/etc/dnsmasq.d,.dpkg-dist # " +
		"where\nDNSMASQ_OPTS=\"--conf-file=/etc/alt\"\nexport DNSMASQ_OPTS=\"$DNSMASQ_OPTS --log-dhcp\"\n" +
		"DNSMASQ_EXCEPT='lo wlan0'\nIGNORE_RESOLVCONF=yes\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args, err := debianArgs(file)
	want := []string{"-I", "lo", "-I", "wlan0", "-7", "/etc/dnsmasq.d,.dpkg-dist", "--conf-file=/etc/alt", "--log-dhcp",
		"--local-service"}
	if err != nil || !slices.Equal(args, want) {
		t.Errorf("%q, %v, want %q", args, err, want)
	}
}
