// Package ipxe is iPXE itself: the built-in binaries, what is embedded in them, and builds of the user's own.
package ipxe

// Chain is how iPXE is kept from loading itself again for ever, where a DHCP server sends it
// the same boot file as it sends firmware.
type Chain string

const (
	ChainAuto  Chain = "auto"  // every guard that applies
	ChainDHCP  Chain = "dhcp"  // the DHCP server tells iPXE apart and sends it the script's URL
	ChainEmbed Chain = "embed" // the NBP carries a script
	ChainTFTP  Chain = "tftp"  // the server answers iPXE's request for an NBP with the script
	ChainOff   Chain = "off"   // none
)

// Chains lists every Chain.
func Chains() []Chain { return []Chain{ChainAuto, ChainDHCP, ChainEmbed, ChainTFTP, ChainOff} }

// TellsDHCP: a DHCP server that can tell iPXE apart is to send it the script's URL.
func (c Chain) TellsDHCP() bool { return c == ChainAuto || c == ChainDHCP }

// Embeds: built-in NBPs that have room for a script carry one that leads to the menu.
func (c Chain) Embeds() bool { return c == ChainAuto || c == ChainEmbed }

// Breaks: a request of iPXE for an NBP is answered with the script.
func (c Chain) Breaks() bool { return c == ChainAuto || c == ChainTFTP }
