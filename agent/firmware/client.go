package firmware

import "fmt"

// Arch is a client system architecture that can be sent a boot file of its own.
// It is an index into Boot.NBP and Boot.URL, not the number on the wire: several
// values of DHCP option 93 (RFC 4578 section 2.1) share one Arch.
type Arch uint8

const (
	BIOS  Arch = iota // option 93 value 0
	EFI32             // 6; HTTP 15
	EFI64             // 7 and 9; HTTP 16
	ARM32             // 10; HTTP 18
	ARM64             // 11; HTTP 19
	// NumArch is how many there are.
	NumArch
)

var archNames = [NumArch]string{"bios", "efi32", "efi64", "arm32", "arm64"}

// String returns the name used in flags, JSON and metrics: "bios", "efi64", …
func (a Arch) String() string {
	if a < NumArch {
		return archNames[a]
	}
	return fmt.Sprintf("arch(%d)", uint8(a))
}

// Arches lists every Arch in order.
func Arches() []Arch { return []Arch{BIOS, EFI32, EFI64, ARM32, ARM64} }

// Client is a kind of DHCP client; pxeagent checks what each is offered on the wire.
type Client uint8

const (
	ClientBIOS      Client = iota // a BIOS ROM: option 93 value 0
	ClientEFI64                   // UEFI x64 firmware: 7
	ClientEFIBC                   // UEFI x64 that sends the BC value: 9
	ClientEFI32                   // UEFI IA32 firmware: 6
	ClientARM64                   // UEFI ARM64 firmware: 11
	ClientHTTP64                  // UEFI HTTP boot on x64: 16, option 60 HTTPClient
	ClientHTTPARM64               // UEFI HTTP boot on ARM64: 19, option 60 HTTPClient
	ClientIPXE                    // iPXE on BIOS: 0, user class iPXE, option 175
	// NumClient is how many there are.
	NumClient
)

// iPXE as UEFI has loaded it. Only what comes after an NBP needs them: see Chained.
const (
	ClientIPXE64    Client = 32 + iota // iPXE on UEFI x64: 7, user class iPXE, option 175
	ClientIPXE32                       // on UEFI IA32: 6
	ClientIPXEARM64                    // on UEFI ARM64: 11
)

// known is what is known of a Client.
type known struct {
	name   string
	arch   Arch
	option uint16
}

var chained = []known{{"ipxe-efi64", EFI64, 7}, {"ipxe-efi32", EFI32, 6}, {"ipxe-arm64", ARM64, 11}}

var clients = [NumClient]known{
	ClientBIOS:      {"bios", BIOS, 0},
	ClientEFI64:     {"efi64", EFI64, 7},
	ClientEFIBC:     {"efi-bc", EFI64, 9},
	ClientEFI32:     {"efi32", EFI32, 6},
	ClientARM64:     {"arm64", ARM64, 11},
	ClientHTTP64:    {"http64", EFI64, 16},
	ClientHTTPARM64: {"http-arm64", ARM64, 19},
	ClientIPXE:      {"ipxe", BIOS, 0},
}

// of is what is known of c.
func (c Client) of() (known, bool) {
	switch {
	case c < NumClient:
		return clients[c], true
	case c >= ClientIPXE64 && int(c-ClientIPXE64) < len(chained):
		return chained[c-ClientIPXE64], true
	}
	return known{}, false
}

// Clients lists every Client in order, but for those that others become.
func Clients() []Client {
	all := make([]Client, NumClient)
	for i := range all {
		all[i] = Client(i)
	}
	return all
}

// String returns the name used in tables, JSON and metrics: "bios", "efi64", "efi-bc", "http64",
// "http-arm64", "ipxe", …
func (c Client) String() string {
	if of, has := c.of(); has {
		return of.name
	}
	return fmt.Sprintf("client(%d)", uint8(c))
}

// MarshalText makes a Client its name in JSON.
func (c Client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is the opposite of MarshalText.
func (c *Client) UnmarshalText(text []byte) error {
	for _, known := range append(Clients(), ClientIPXE64, ClientIPXE32, ClientIPXEARM64) {
		if known.String() == string(text) {
			*c = known
			return nil
		}
	}
	return fmt.Errorf("unknown client %q", text)
}

// Arch is the architecture of c.
func (c Client) Arch() Arch { of, _ := c.of(); return of.arch }

// Option93 is what c sends as client system architecture, RFC 4578 section 2.1.
func (c Client) Option93() uint16 { of, _ := c.of(); return of.option }

// IsIPXE reports whether c is iPXE itself.
func (c Client) IsIPXE() bool { return c == ClientIPXE || c >= ClientIPXE64 }

// Chained is what c becomes when its NBP is iPXE, which asks DHCP again and tells its platform in option 93.
func (c Client) Chained() Client {
	switch {
	case c.IsIPXE():
		return c
	case c.Arch() == EFI64:
		return ClientIPXE64
	case c.Arch() == EFI32:
		return ClientIPXE32
	case c.Arch() == ARM64:
		return ClientIPXEARM64
	}
	return ClientIPXE
}

// HTTP reports whether c asks for UEFI HTTP boot (option 60 starts with HTTPClient).
func (c Client) HTTP() bool { return c == ClientHTTP64 || c == ClientHTTPARM64 }

// kind is the implementation of network boot that stands for c.
func (c Client) kind() kind {
	switch {
	case c.IsIPXE():
		return kindIPXE
	case c.HTTP():
		return kindEDK2HTTP
	case c.Arch() == BIOS:
		return kindBIOS
	}
	return kindEDK2
}
