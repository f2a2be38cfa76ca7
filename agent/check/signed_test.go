package check_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pxeagent/agent/check"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/watch"
	"pxeagent/deploy/lab"
)

// With Signatures the walk says who signed what firmware is sent, and goes on to what a shim loads.
func TestSignaturesOfWhatIsServed(t *testing.T) {
	const shimFile, grubFile = "/usr/lib/shim/shimx64.efi.signed", "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"
	lab.NeedFile(t, shimFile, grubFile)
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	shim := map[string]string{"tftp/shimx64.efi": read(shimFile)}
	whole := map[string]string{"tftp/shimx64.efi": read(shimFile), "tftp/grubx64.efi": read(grubFile)}
	for name, c := range map[string]struct {
		files map[string]string
		nbp   string
		want  []string // a line of each step after the offer; it begins so
	}{
		"unsigned": {nil, "ipxe.efi", []string{"true nbp /ipxe.efi unsigned: machines with Secure Boot on refuse it",
			"true script "}},
		"shim and GRUB": {whole, "shimx64.efi", []string{
			"true nbp /shimx64.efi signed by Microsoft's CAs of 2011 and 2023; shim of generation ",
			"true nbp /grubx64.efi the shim's second stage: signed by Debian Secure Boot CA: firmware refuses it",
			"true script /grub/grub.cfg GRUB's menu"}},
		"a shim alone": {shim, "shimx64.efi", []string{
			"true nbp /shimx64.efi signed by Microsoft's", "false nbp /grubx64.efi the shim's second stage: "}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, base := serve(t, ipxe.ChainAuto, c.files)
			cfg.Signatures = true
			files := ipxe.BootFiles()
			files[firmware.EFI64] = c.nbp
			steps := check.Walk(t.Context(), cfg, []firmware.Client{firmware.ClientEFI64},
				offers(watch.Desired(loopback, base, ipxe.ChainAuto, files), false))
			if len(steps) < 1+len(c.want) {
				t.Fatalf("%+v", steps)
			}
			for i, want := range c.want {
				s := steps[i+1]
				what := s.What[strings.LastIndex(s.What[:len(s.What)-1], cfg.NextServer.String())+len(cfg.NextServer.String()):]
				what = what[strings.Index(what, "/"):]
				if got := fmt.Sprintf("%v %s %s %s", s.OK, s.Stage, what, s.Text); !strings.HasPrefix(got, want) {
					t.Errorf("step %d is\n%s\nwant\n%s", i+1, got, want)
				}
			}
			if c.nbp != "ipxe.efi" && len(steps) != 1+len(c.want) {
				t.Errorf("it goes on: %+v", steps[1+len(c.want):])
			}
		})
	}
}
