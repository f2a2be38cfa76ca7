package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinkerbell/ipxedust/binary"

	"pxeagent/agent/boot"
	"pxeagent/agent/ipxe"
)

// short is what a table of guards says, in few words.
func short(all []LoopGuards) []string {
	var out []string
	for _, r := range all {
		used := ""
		for _, w := range r.Guards {
			if w.Used {
				used += " " + w.Name
			}
		}
		out = append(out, fmt.Sprintf("%s: %s ends it by %q of%s", r.Machine, r.NBP, r.Ends(), used))
	}
	return out
}

func TestExplain(t *testing.T) {
	dnsmasq, pfSense := LoopGuard{"dhcp", true, "it can"}, LoopGuard{"dhcp", false, "it cannot"}
	for _, tc := range []struct {
		name  string
		chain ipxe.Chain
		tells LoopGuard
		want  []string
	}{
		{"auto with Dnsmasq", ipxe.ChainAuto, dnsmasq, []string{
			`BIOS: undionly.kpxe ends it by "dhcp" of dhcp tftp`,
			`UEFI x64: ipxe.efi ends it by "embed" of embed dhcp autoexec tftp`,
			`UEFI ARM64: snp-arm64.efi ends it by "embed" of embed dhcp autoexec tftp`,
			`UEFI HTTP: ipxe.efi ends it by "embed" of embed dhcp autoexec http`,
			`UEFI HTTP ARM64: snp-arm64.efi ends it by "embed" of embed dhcp autoexec http`}},
		{"auto with pfSense", ipxe.ChainAuto, pfSense, []string{
			`BIOS: undionly.kpxe ends it by "tftp" of tftp`,
			`UEFI x64: ipxe.efi ends it by "embed" of embed autoexec tftp`,
			`UEFI ARM64: snp-arm64.efi ends it by "embed" of embed autoexec tftp`,
			`UEFI HTTP: ipxe.efi ends it by "embed" of embed autoexec http`,
			`UEFI HTTP ARM64: snp-arm64.efi ends it by "embed" of embed autoexec http`}},
		{"embed", ipxe.ChainEmbed, dnsmasq, []string{
			`BIOS: undionly.kpxe ends it by "" of`,
			`UEFI x64: ipxe.efi ends it by "embed" of embed autoexec`,
			`UEFI ARM64: snp-arm64.efi ends it by "embed" of embed autoexec`,
			`UEFI HTTP: ipxe.efi ends it by "embed" of embed autoexec`,
			`UEFI HTTP ARM64: snp-arm64.efi ends it by "embed" of embed autoexec`}},
		{"tftp", ipxe.ChainTFTP, dnsmasq, []string{
			`BIOS: undionly.kpxe ends it by "tftp" of tftp`,
			`UEFI x64: ipxe.efi ends it by "tftp" of autoexec tftp`,
			`UEFI ARM64: snp-arm64.efi ends it by "tftp" of autoexec tftp`,
			`UEFI HTTP: ipxe.efi ends it by "http" of autoexec http`,
			`UEFI HTTP ARM64: snp-arm64.efi ends it by "http" of autoexec http`}},
		{"off", ipxe.ChainOff, dnsmasq, []string{
			`BIOS: undionly.kpxe ends it by "" of`,
			`UEFI x64: ipxe.efi ends it by "" of autoexec`,
			`UEFI ARM64: snp-arm64.efi ends it by "" of autoexec`,
			`UEFI HTTP: ipxe.efi ends it by "" of autoexec`,
			`UEFI HTTP ARM64: snp-arm64.efi ends it by "" of autoexec`}},
	} {
		all := newSite(t, Config{Chain: tc.chain}).Explain(tc.tells, LoopGuard{"url", true, "it does"})
		if diff := cmp.Diff(tc.want, short(all)); diff != "" {
			t.Errorf("%s:\n%s", tc.name, diff)
		}
		for _, r := range all {
			for _, w := range r.Guards {
				if w.Why == "" ||
					!w.Used && w.Name != "dhcp" && w.Name != "embed" &&
						!strings.Contains(w.Why, "chain: "+string(tc.chain)) {
					t.Errorf("%s, %s: %+v", tc.name, r.Machine, w)
				}
			}
		}
	}
}

func TestExplainLooksAtTheUsersFiles(t *testing.T) {
	s := newSite(t, Config{Except: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}})
	s.put("tftp/undionly.kpxe", string(binary.Undionly))
	all := s.Explain(LoopGuard{Name: "dhcp", Why: "it cannot"}, LoopGuard{})
	bios, efi := all[0], all[1]
	if bios.Own != s.root+"/tftp/undionly.kpxe" || bios.Guards[0].Used ||
		!strings.Contains(bios.Guards[0].Why, "your own file") ||
		bios.Ends() != "tftp" {
		t.Errorf("%+v", bios)
	}
	if efi.Own != "" || !strings.Contains(efi.Guards[3].Why, "but not in [10.9.0.0/16]") {
		t.Errorf("%+v", efi)
	}
	// With a record of its build it is known what is in it.
	s.put("tftp/undionly.kpxe", "made")
	sum := sha256.Sum256([]byte("made"))
	record, err := json.Marshal(
		ipxe.Built{SHA256: hex.EncodeToString(sum[:]), Source: "/src/ipxe", Script: "mine.ipxe"},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.put("tftp/undionly.kpxe.built.json", string(record))
	bios = s.Explain(LoopGuard{Name: "dhcp", Why: "it cannot"}, LoopGuard{})[0]
	if !bios.Guards[0].Used || !strings.Contains(bios.Guards[0].Why, "mine.ipxe") || bios.Ends() != "embed" {
		t.Errorf("%+v", bios)
	}
}

// What is said of one name for all is what Open does.
func TestExplainUniversal(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := newSite(t, Config{Universal: on})
		all := s.Explain(LoopGuard{}, LoopGuard{"url", false, "nobody sends it"})
		for i, asker := range []struct {
			class boot.Class
			proto boot.Proto
		}{{boot.BIOSROM, boot.TFTP}, {boot.UEFI, boot.TFTP}, {boot.UEFI, boot.TFTP}, {boot.UEFI, boot.HTTP}} {
			r := all[i]
			w := r.Before[len(r.Before)-1]
			// the other firmware's
			told := map[bool]string{true: ipxe.EFI64, false: ipxe.Undionly}[r.NBP == ipxe.Undionly]
			f, _ := s.read(&boot.Ask{Proto: asker.proto, Class: asker.class, Name: told})
			if w.Name != "universal" || w.Used != (f.Name == r.NBP) || !strings.Contains(w.Why, r.NBP) {
				t.Errorf("universal %v, %s: %+v, and asked for %s it serves %s", on, r.Machine, w, told, f.Name)
			}
			if url := r.Before[0]; (url.Name == "url") != (asker.proto == boot.HTTP) {
				t.Errorf("%s: %+v", r.Machine, r.Before)
			}
		}
	}
}
