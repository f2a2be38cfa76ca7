package ipxe

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
)

// Names of what is there without the user having put it there.
const (
	Undionly = "undionly.kpxe"  // BIOS, by the card's own UNDI driver
	EFI64    = "ipxe.efi"       // EFI x64, with iPXE's drivers
	EFIARM64 = "snp-arm64.efi"  // EFI ARM64, by the firmware's driver
	Autoexec = "autoexec.ipxe"  // what stock EFI builds look for beside themselves
	menuFile = "bootstrap.ipxe" // at BootstrapPath
)

// builtin makes what is served where the user has nothing of that name. Nothing in it changes later.
func (l *Library) builtin() (map[string]*content, error) {
	efi, arm := binary.IpxeEFI, binary.SNP
	if l.chain != ChainOff {
		var err error
		if efi, err = fill(efi, l.embedded()); err == nil {
			arm, err = fill(arm, l.embedded())
		}
		if err != nil {
			return nil, fmt.Errorf("embedding a script: %w", err)
		}
	}
	files := map[string]*content{}
	for _, c := range []*content{
		newContent(Undionly, boot.NBP, binary.Undionly),
		newContent(EFI64, boot.NBP, efi),
		newContent(EFIARM64, boot.NBP, arm),
		newContent(Autoexec, boot.Script, l.autoexec()),
	} {
		files[c.name] = c
	}
	return files, nil
}

// fill puts commands where an EFI binary has room for them: in the place of a comment of 131 bytes
// in the middle of its script. BIOS binaries are compressed and have no such place.
func fill(efi, commands []byte) ([]byte, error) {
	filled, err := binary.Patch(efi, commands)
	switch {
	case err != nil:
		return nil, err
	case bytes.Equal(filled, efi):
		return nil, errors.New("this build has no room for a script")
	}
	return filled, nil
}

// roomEmbedded is the length of the placeholder in bytes.
const roomEmbedded = 131

// embedded is what runs in place of the second half of the build's own script, which it must never come to: that
// asks DHCP for a file name, where the loop begins, and leaves with success, after which UEFI firmware shows its setup
// instead of going on to the disk. An interface whose switch port is slow to come up is given three rounds of DHCP.
func (l *Library) embedded() []byte {
	const dhcp, exit = "dhcp || dhcp || dhcp ||\n", " ||\nexit 1"
	if !l.chain.Embeds() {
		return []byte(dhcp + "autoboot" + exit) // what DHCP names
	}
	text := dhcp + "chain -r " + l.ScriptURL() + exit
	if len(text) > roomEmbedded {
		// A long host name: the address and a short name lead to a script that has the room.
		text = dhcp + "chain -r tftp://" + l.nextServer.String() + "/" + Autoexec + exit
	}
	return []byte(text)
}

// autoexec runs in a stock EFI build before it has asked DHCP. The interface then has the firmware's address, but is
// closed. Replacing itself (-r) with the menu lets it tell a menu that was left from one that was not found.
func (l *Library) autoexec() []byte {
	return fmt.Appendf(nil, `#!ipxe
ifopen net0 ||
isset ${net0/ip} || dhcp ||
chain -r %[1]s ||
dhcp || dhcp ||
chain -r %[1]s ||
echo No answer from %[1]s
sleep 5
exit 1
`, l.ScriptURL())
}

// breaker is what iPXE is given in place of itself. It names the menu and is not the menu, so that
// relative URLs in a user's own menu mean the same as ever.
func (l *Library) breaker() []byte {
	return fmt.Appendf(nil, `#!ipxe
chain -r %[1]s ||
echo No answer from %[1]s
sleep 5
exit 1
`, l.ScriptURL())
}
