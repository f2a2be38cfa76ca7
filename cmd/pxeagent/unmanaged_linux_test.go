package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/deploy/lab/site"
)

// Where somebody else configures the DHCP server, machines that boot are in order, and those that do not are not: for
// probe, check, the watch and its metrics alike.
func TestSomebodyElsesDHCPServer(t *testing.T) {
	t.Parallel()
	const here = "dhcp-match=set:bios,option:client-arch,0\n"
	for name, c := range map[string]struct {
		lines string
		files map[string]string // below root
		probe cli.Code
		check cli.Code
		says  string // check, of what is wrong
		step  string // what check_ok is 0 for; "": nothing
	}{
		"all machines are sent here": {
			lines: here + "dhcp-boot=tag:bios,undionly.kpxe,,10.77.0.7\ndhcp-boot=tag:!bios,ipxe.efi,,10.77.0.7\n",
			probe: cli.Done, check: cli.Done,
		},
		"another boot loader": {
			lines: here + "dhcp-boot=tag:bios,pxelinux.0,,10.77.0.7\n",
			files: map[string]string{"tftp/pxelinux.0": "\xfa\xfc\x00 a program"},
			probe: cli.Done, check: cli.Done,
		},
		"a file that is not there": {
			lines: here + "dhcp-boot=tag:bios,undionly.kpxe,,10.77.0.7\ndhcp-boot=tag:!bios,gone.efi,,10.77.0.7\n",
			probe: cli.Done, check: cli.Wrong, says: "gone.efi", step: "nbp",
		},
		"a file that UEFI cannot run": {
			lines: "dhcp-boot=undionly.kpxe,,10.77.0.7\n",
			probe: cli.Wrong, check: cli.Wrong, says: "not an EFI program", step: "nbp",
		},
		"a menu that leads to the local disk": {
			lines: "dhcp-boot=undionly.kpxe,,10.77.0.7\npxe-service=0,Local\n",
			probe: cli.Wrong, check: cli.Wrong, says: "sends the ROM to the local disk", step: "offer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := site.New(t, site.Leasing+c.lines, "probe:\n  interval: 1h\n")
			s.Write("pxeagent.yaml", strings.Replace(s.Read("pxeagent.yaml"), "backend: dnsmasq", "backend: none", 1))
			for path, text := range c.files {
				s.Write("root/"+path, text)
			}
			s.Serve()
			s.Must(c.probe.Exit, "probe")
			if out := s.Must(c.check.Exit, "check"); !strings.Contains(out, c.says) {
				t.Errorf("check does not say %q:\n%s", c.says, out)
			}
			s.Agent.WaitOutput(20*time.Second, `msg=check iface=eth1 result=(\w+)`)
			want := map[bool]float64{true: 1, false: 0}
			if got := s.Metric("pxeagent_dhcp_in_sync"); got != want[c.probe == cli.Done] {
				t.Errorf("dhcp_in_sync is %v", got)
			}
			for _, step := range []string{"offer", "nbp", "script", "files"} {
				got := s.Metric("pxeagent_check_ok", fmt.Sprintf(`step=%q`, step))
				if step == c.step && got != 0 || c.step == "" && got != 1 {
					t.Errorf("check_ok of %s is %v", step, got)
				}
			}
			var status struct {
				Networks []struct {
					Result  string
					Clients []struct{ Name, Reason, Doubt string }
				}
			}
			if err := json.Unmarshal([]byte(s.Get("/api/v1/status")), &status); err != nil || len(status.Networks) != 1 {
				t.Fatalf("status: %v", err)
			}
			if got := status.Networks[0].Result; (got == "ok") != (c.check == cli.Done) {
				t.Errorf("the page says %q", got)
			}
			for _, client := range status.Networks[0].Clients {
				if client.Reason == "" {
					t.Errorf("%s has no reason", client.Name)
				}
			}
		})
	}
}
