package dhcp

import "pxeagent/agent/firmware"

// Abilities are what of a Boot a DHCP server can send, whatever is configured. The zero Abilities send all of it.
type Abilities struct {
	NoURL    bool `json:"no_url,omitempty"`    // no URL reaches UEFI HTTP boot
	OneURL   bool `json:"one_url,omitempty"`   // every architecture is sent one URL, that of UEFI x64
	OneNBP   bool `json:"one_nbp,omitempty"`   // every architecture is sent the boot file of BIOS
	NoScript bool `json:"no_script,omitempty"` // iPXE is sent what firmware is sent
}

// Unfit reports whether c is sent a boot file that is not for its architecture, as the server cannot send another.
func (a Abilities) Unfit(c firmware.Client) bool {
	return a.OneNBP && c.Arch() != firmware.BIOS && !c.HTTP() && !c.IsIPXE()
}

// Of is what is sent of want: what machines can be expected to be offered where want is configured.
func (a Abilities) Of(want Boot) Boot {
	if a.NoURL {
		want.URL = [firmware.NumArch]string{}
	}
	if a.OneURL {
		want.URL = [firmware.NumArch]string{firmware.EFI64: want.URL[firmware.EFI64]}
	}
	if a.OneNBP {
		for i, name := range want.NBP {
			if name != "" {
				want.NBP[i] = want.NBP[firmware.BIOS]
			}
		}
	}
	if a.NoScript {
		want.Script = ""
	}
	return want
}
