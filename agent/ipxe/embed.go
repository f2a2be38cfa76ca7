package ipxe

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"github.com/tinkerbell/ipxedust/binary"
)

// A switch port under spanning tree forwards 30 s after its link came up, and one of a LAG may be later; so the rounds
// of DHCP in an embedded script last at least 32 s even where each fails at once. Without an answer a card takes 15 s
// of a round, without a link as long again.
const (
	rounds     = 4
	roundPause = 11 // seconds
)

// Destination is where iPXE is sent.
type Destination struct {
	Script     string     // URL of the script that every machine runs first; it can stand in a script as it is
	NextServer netip.Addr // where machines reach the same by TFTP
}

// NewDestination fails if nextServer is not an address that machines can reach.
func NewDestination(script string, nextServer netip.Addr) (Destination, error) {
	if !nextServer.IsValid() || nextServer.IsUnspecified() || nextServer.Zone() != "" {
		return Destination{}, fmt.Errorf("invalid next-server %q: want an address that machines can reach", nextServer)
	}
	return Destination{script, nextServer}, nil
}

// EmbedScript is the script that is to be compiled into iPXE (EMBED=), in full. It asks DHCP on each card in turn, in
// several rounds, goes to the menu by its absolute URL, and where that does not answer, to whatever the DHCP server
// names as next-server: a binary outlives the address that was compiled into it. A person who is there is given a shell
// in the end. A machine that nobody watches is left to its firmware, and by an error: after success UEFI shows its
// setup instead of going on to the disk.
func (d Destination) EmbedScript() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!ipxe\n# Go to %s\n", d.Script)
	d.writeRounds(&b)
	return b.Bytes()
}

// Autoexec runs in a stock EFI build before it has asked DHCP, and as the second step of an embedded script. In the
// former the interface has the firmware's address, but is closed. Replacing itself (-r) with the menu lets it tell a
// menu that was left from one that was not found.
func (d Destination) Autoexec() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!ipxe\nifopen net0 ||\nisset ${net0/ip} && chain -r %s ||\n", d.Script)
	d.writeRounds(&b)
	return b.Bytes()
}

// writeRounds writes the rounds of DHCP with what follows them. A card whose DHCP server led nowhere is closed, lest
// its routes stay in the way of the next. At next-server there is most likely another agent's autoexec.ipxe; where it
// is this one's, it has nothing to say that is not tried here, and asking it would never end. With next-server empty
// iseq would want a word.
func (d Destination) writeRounds(b *bytes.Buffer) {
	fmt.Fprintf(b, `set round:int32 1
:round
set n:int32 0
:card
isset ${net${n}/mac} || goto rest
dhcp net${n} || goto next
chain -r %[1]s ||
iseq at-${next-server} at-%[2]s || chain -r tftp://${next-server}/%[3]s ||
:next
ifclose net${n} ||
inc n
goto card
:rest
iseq ${round} %[4]d && goto lost ||
echo Round ${round} of %[4]d did not reach %[1]s
inc round
sleep %[5]d
goto round
:lost
echo Cannot reach %[1]s
prompt --timeout 10000 Press a key for the iPXE shell && shell ||
exit 1
`, d.Script, d.NextServer, Autoexec, rounds, roundPause)
}

// The placeholder in an EFI binary, and what a script in it begins and ends with.
const (
	roomEmbedded    = 131 // bytes
	placeholderDHCP = "dhcp || dhcp || dhcp ||\n"
	placeholderExit = "exit 1"
)

// short is what runs in place of the second half of the build's own script, which it must never come to: that
// asks DHCP for a file name, where the loop begins, and leaves with success, after which UEFI firmware shows its setup
// instead of going on to the disk. Three rounds of DHCP without an answer last 45 s, for the sake of slow switch ports.
func (d Destination) short(chain Chain) []byte {
	const dhcp, exit = placeholderDHCP, placeholderExit
	switch {
	case !chain.Embeds():
		return []byte(dhcp + "autoboot ||\n" + exit) // what DHCP names
	case d.TwoSteps():
		return []byte(dhcp + "chain -r tftp://" + d.NextServer.String() + "/" + Autoexec + " ||\n" + exit)
	}
	text := dhcp + d.toMenu()
	// next-server besides, where there is the room.
	if besides := "chain tftp://${next-server}/" + Autoexec + " ||\n"; len(text)+len(besides)+len(exit) <= roomEmbedded {
		text += besides
	}
	return []byte(text + exit)
}

func (d Destination) toMenu() string { return "chain -r " + d.Script + " ||\n" }

// TwoSteps: the menu's URL has a long host name and does not fit into the placeholder. The address and a short name
// lead to a script that has the room.
func (d Destination) TwoSteps() bool {
	return len(placeholderDHCP)+len(d.toMenu())+len(placeholderExit) > roomEmbedded
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

// Breaker is the loop breaker: it is what iPXE is given in place of itself. It names the menu and is not the menu, so
// that relative URLs in a user's own menu mean the same as ever.
func (d Destination) Breaker() []byte {
	return fmt.Appendf(nil, `#!ipxe
chain -r %[1]s ||
echo No answer from %[1]s
sleep 5
exit 1
`, d.Script)
}
