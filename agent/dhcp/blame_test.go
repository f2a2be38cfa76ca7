package dhcp_test

import (
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestConfigureNamesTheLineAtFault(t *testing.T) {
	runConfigure(t, []configureCase{{
		name: "a line that the plan named wins", left: nothing, err: []error{dhcp.ErrReverted},
		text: []string{`"pxelinux.0"`, "likely cause: dhcp-boot=tag:x,pxelinux.0 (x.conf:2) wins for some"},
		scene: func(s *scene) {
			s.plan = func(p *dhcp.Plan) {
				p.Problems = append(p.Problems, dhcp.Note("other", "dhcp-boot=tag:x,pxelinux.0 (x.conf:2) wins for some"),
					dhcp.Note("other", "dhcp-boot=tag:y,other.0 (x.conf:3)"))
			}
			s.wire = func(offers []firmware.Offer) []firmware.Offer {
				for i := range offers {
					if offers[i].Client == firmware.ClientBIOS && s.applied {
						offers[i].File, offers[i].Option67 = "pxelinux.0", ""
					}
				}
				return offers
			}
		},
	}})
}

func TestConfigureLooksWhetherLeasesReachNextServer(t *testing.T) {
	runConfigure(t, []configureCase{{
		name: "leases without a route to next-server", left: nothing, err: []error{dhcp.ErrRefused},
		text: []string{"machines cannot reach next-server", "outside the machine's network 192.168.50.0/24",
			"set next_server"},
		steps: []string{"plan", "preflight", "baseline"},
		scene: func(s *scene) { s.wire = leased("192.168.50.100") },
	}, {
		name: "leases in the network of next-server", left: written,
		scene: func(s *scene) { s.wire = leased("10.0.0.100") },
	}})
}
