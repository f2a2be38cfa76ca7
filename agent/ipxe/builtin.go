package ipxe

import (
	"fmt"

	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/script"
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
		newContent(catalog.LocalPath[1:], boot.Script, []byte(script.Magic+"\n")),
	} {
		files[c.name] = c
	}
	return files, nil
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
