package dhcp_test

import (
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

func TestAbilities(t *testing.T) {
	want := dhcp.Boot{Script: "http://10.0.0.5/s"}
	want.NBP[firmware.BIOS], want.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	want.URL[firmware.EFI64] = "http://10.0.0.5/ipxe.efi"
	without := func(change func(*dhcp.Boot)) dhcp.Boot {
		b := want
		change(&b)
		return b
	}
	for _, c := range []struct {
		can  dhcp.Abilities
		sent dhcp.Boot
	}{
		{dhcp.Abilities{}, want},
		{dhcp.Abilities{NoURL: true}, without(func(b *dhcp.Boot) { b.URL[firmware.EFI64] = "" })},
		{dhcp.Abilities{OneNBP: true}, without(func(b *dhcp.Boot) { b.NBP[firmware.EFI64] = "undionly.kpxe" })},
		{dhcp.Abilities{NoScript: true}, without(func(b *dhcp.Boot) { b.Script = "" })},
	} {
		if got := c.can.Of(want); got != c.sent {
			t.Errorf("%+v sends %+v, want %+v", c.can, got, c.sent)
		}
	}
}

// With one boot file for all, it is for BIOS. HTTP boot and iPXE do not go by it.
func TestUnfit(t *testing.T) {
	one := dhcp.Abilities{OneNBP: true}
	for c, want := range map[firmware.Client]bool{
		firmware.ClientBIOS: false, firmware.ClientEFI64: true, firmware.ClientEFIBC: true, firmware.ClientEFI32: true,
		firmware.ClientARM64: true, firmware.ClientHTTP64: false, firmware.ClientIPXE: false, firmware.ClientIPXE64: false,
	} {
		if one.Unfit(c) != want || (dhcp.Abilities{}).Unfit(c) {
			t.Errorf("%s: unfit %v, want %v", c, one.Unfit(c), want)
		}
	}
}
