package firmware

import (
	"encoding/json"
	"testing"
)

// The numbers are those of RFC 4578 section 2.1 and of the IANA registry of processor architectures.
func TestClients(t *testing.T) {
	for name, want := range map[string]struct {
		option uint16
		arch   string
		http   bool
	}{
		"bios": {0, "bios", false}, "efi32": {6, "efi32", false}, "efi64": {7, "efi64", false}, "efi-bc": {9, "efi64", false},
		"arm64": {11, "arm64", false}, "http64": {16, "efi64", true},
		"http-arm64": {19, "arm64", true}, "ipxe": {0, "bios", false},
		"ipxe-efi64": {7, "efi64", false}, "ipxe-efi32": {6, "efi32", false}, "ipxe-arm64": {11, "arm64", false},
	} {
		var c Client
		if err := json.Unmarshal([]byte(`"`+name+`"`), &c); err != nil {
			t.Error(err)
			continue
		}
		if c.Option93() != want.option || c.Arch().String() != want.arch || c.HTTP() != want.http {
			t.Errorf("%s: option 93 %d, arch %s, HTTP %v, want %+v", name, c.Option93(), c.Arch(), c.HTTP(), want)
		}
		if text, err := json.Marshal(c); err != nil || string(text) != `"`+name+`"` {
			t.Errorf("%s in JSON: %s, %v", name, text, err)
		}
	}
	if len(Clients()) != 8 || len(Arches()) != int(NumArch) {
		t.Errorf("%d clients, %d architectures", len(Clients()), len(Arches()))
	}
	for c, want := range map[Client]string{ClientBIOS: "ipxe", ClientEFI64: "ipxe-efi64", ClientEFIBC: "ipxe-efi64",
		ClientEFI32: "ipxe-efi32", ClientARM64: "ipxe-arm64", ClientHTTP64: "ipxe-efi64", ClientIPXE: "ipxe",
		ClientIPXEARM64: "ipxe-arm64"} {
		if got := c.Chained(); got.String() != want || !got.IsIPXE() || got.kind() != kindIPXE {
			t.Errorf("%s becomes %s, want %s", c, got, want)
		}
	}
	// Values from elsewhere must not end the program.
	if last := ClientIPXEARM64 + 1; NumClient.String() != "client(8)" || last.String() != "client(35)" ||
		NumArch.String() != "arch(5)" {
		t.Errorf("%v, %v", NumClient, NumArch)
	}
}
