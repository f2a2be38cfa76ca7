package opnsense

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// keaBoot is what was recorded, with all that Kea can be told.
func keaBoot(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: netip.MustParseAddr(next), Script: "http://" + next + "/ipxe/bootstrap.ipxe"}
	b.NBP[firmware.BIOS], b.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	b.URL[firmware.EFI64] = "http://" + next + "/ipxe.efi"
	return b
}

// recordedOptions are the option entries that a real OPNsense took.
func recordedOptions(t *testing.T) []keaOption {
	t.Helper()
	text, err := os.ReadFile("opnsensetest/testdata/kea-26.7.2-calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []keaOption
	for _, m := range regexp.MustCompile(`addOption (\{.*\}) -> (\{.*\})`).FindAllStringSubmatch(string(text), -1) {
		var sent struct{ Option keaOption }
		if err := json.Unmarshal([]byte(m[1]), &sent); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m[2], "saved") {
			list = append(list, sent.Option)
		}
	}
	if len(list) != 5 {
		t.Fatalf("%d options are recorded", len(list))
	}
	return list
}

// The entries are those that a real OPNsense took, but for their descriptions, and one more: BIOS has an entry of its
// own, so that no other architecture is sent its file.
func TestKeaOptionsAsRecorded(t *testing.T) {
	want := []keaOption{{Code: "67", Encoding: "string", Data: "undionly.kpxe", Force: "1", MatchCode: "93",
		MatchEncoding: "uint16", MatchData: "0000"}}
	for _, o := range recordedOptions(t) {
		want = append(want, o.content())
	}
	list := keaOptions(keaBoot("10.77.0.7"), "lan")
	var got []keaOption
	seen := map[string]bool{}
	for _, o := range list {
		got = append(got, o.content())
		if seen[o.Description] || len(o.Description) > 255 || !strings.HasPrefix(o.Description, "pxeagent lan ") {
			t.Errorf("description %q", o.Description)
		}
		seen[o.Description] = true
	}
	if !slices.Equal(got, want) {
		t.Errorf("the options are\n%s\nwant\n%s", lines(got), lines(want))
	}
	if !seen["pxeagent lan efi64 7 ipxe.efi"] {
		t.Errorf("the descriptions are %v", seen)
	}
	if !strings.HasPrefix(list[len(list)-1].Description, "pxeagent lan ipxe ") {
		t.Errorf("the last option is %q, not that for iPXE", list[len(list)-1].Description)
	}
}

func lines[T any](list []T) string {
	var b strings.Builder
	for _, o := range list {
		fmt.Fprintf(&b, "%+v\n", o)
	}
	return b.String()
}

const testScope = "kea 10.77.0.0/24"

// A content has one entry; another content has another one, so that nothing that is in use is changed.
func TestAssign(t *testing.T) {
	first := assign(testScope, keaOptions(keaBoot("10.77.0.7"), "lan"), nil)
	for i, o := range first {
		if !isOwn(testScope, o.UUID) || slices.ContainsFunc(first[:i], func(p keaOption) bool { return p.UUID == o.UUID }) {
			t.Errorf("%q has the uuid %s", o.Description, o.UUID)
		}
	}
	again := assign(testScope, keaOptions(keaBoot("10.77.0.7"), "another name"), first)
	if !slices.Equal(again, first) {
		t.Errorf("the same options are not found again:\n%s", lines(again))
	}
	next := assign(testScope, keaOptions(keaBoot("10.77.0.8"), "lan"), first)
	for i, o := range next {
		same := o.Data == first[i].Data
		if same != (o.UUID == first[i].UUID) {
			t.Errorf("%q is %s, and was %s with %q", o.Data, o.UUID, first[i].UUID, first[i].Data)
		}
	}

	// Somebody edits one, and takes the description of another: they are left alone.
	edited := slices.Clone(first)
	edited[1].Data = "other.efi"
	foreign := keaOption{UUID: "c632b5d1-7fd0-4aed-b08f-49372ce5cb6c", Code: "67", Description: first[2].Description}
	edited[2] = foreign
	all := slices.Clone(edited)
	got := assign(testScope, keaOptions(keaBoot("10.77.0.7"), "lan"), all)
	if !slices.Equal(all, edited) {
		t.Error("the firewall's options were changed")
	}
	for i, o := range got {
		if i != 1 && i != 2 && o != first[i] {
			t.Errorf("option %d is %+v, want %+v", i, o, first[i])
		}
	}
	if o := got[1]; o.UUID == first[1].UUID || o.Description != first[1].Description+" (2)" || !isOwn(testScope, o.UUID) {
		t.Errorf("in place of the edited one: %+v", o)
	}
	if o := got[2]; o.UUID != first[2].UUID || o.Description != first[2].Description+" (2)" {
		t.Errorf("beside one with the same description: %+v", o)
	}
}

// What is written is read as it was meant, whatever else is set.
func TestKeaBootRoundTrip(t *testing.T) {
	full := keaBoot("10.77.0.7")
	for _, a := range firmware.Arches() {
		full.NBP[a] = a.String() + ".efi"
		if a != firmware.BIOS {
			full.URL[a] = "http://10.77.0.7/" + a.String() + ".efi"
		}
	}
	bios := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7")}
	bios.NBP[firmware.BIOS] = "pxelinux.0"
	for _, b := range []dhcp.Boot{keaBoot("10.77.0.7"), full, bios} {
		v := keaView{Interface: "lan", Subnet: keaSubnet{Subnet: "10.77.0.0/24", Each: true}}
		r := v.want(b)
		s, err := r.state()
		if err != nil || s.Boot != b {
			t.Errorf("%v: it is read as %+v", err, dhcp.Diff(b, s.Boot))
		}
		back, err := decodeKea(s.Raw)
		if err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%v: the record is read as %+v", err, back)
		}
		if v.edited(r) != "" {
			t.Errorf("it is said to be edited: %s", v.edited(r))
		}
	}
	for what, change := range map[string]func(r *keaRecord){
		"an architecture's second number": func(r *keaRecord) { r.Options = slices.Delete(r.Options, 2, 3) },
		"another file for it":             func(r *keaRecord) { r.Options[2].Data = "other.efi" },
	} {
		v := keaView{Interface: "lan", Subnet: keaSubnet{Subnet: "10.77.0.0/24", Each: true}}
		r := v.want(keaBoot("10.77.0.7"))
		change(&r)
		if b := r.boot(); b.NBP[firmware.EFI64] != "" || b.NBP[firmware.BIOS] == "" || v.edited(r) == "" {
			t.Errorf("without %s: %+v, edited: %s", what, b, v.edited(r))
		}
	}
	// One boot file of the subnet is for all.
	r := keaRecord{keaFields: keaFields{NextServer: "10.77.0.7", BootFile: "undionly.kpxe"}}
	if b := r.boot(); b.NBP[firmware.ARM64] != "undionly.kpxe" || b.URL != [firmware.NumArch]string{} || b.Script != "" {
		t.Errorf("a subnet's boot file says %+v", b)
	}
}

func FuzzKeaRows(f *testing.F) {
	f.Add([]byte(`{"uuid":"x","subnet_id":"1","subnet":"10.77.0.0/24","option":"a,b","next_server":"10.77.0.7"}`))
	f.Add([]byte(`{"uuid":"x","subnet":"10.77.0.1/24","option":[],"pools":null,"option_data":{"routers":""}}`))
	f.Add([]byte(`{"code":67,"encoding":"string","data":"x","match_code":"93","match_encoding":"hex","match_data":"7"}`))
	f.Add([]byte(`{"next_server":"10.77.0.7","options":[{"code":"67","match_code":"93","match_data":"FFFFF"}]}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		var s keaSubnet
		var o keaOption
		if json.Unmarshal(row, &s) == nil && s.network().IsValid() && s.network() != s.network().Masked() {
			t.Errorf("%s: network %v", row, s.network())
		}
		if json.Unmarshal(row, &o) == nil {
			text, err := json.Marshal(o)
			var again keaOption
			if err != nil || json.Unmarshal(text, &again) != nil || again != o {
				t.Errorf("%s is read again as %+v, %v", row, again, err)
			}
		}
		r, err := decodeKea(row)
		if err != nil {
			return
		}
		text, err := r.encode()
		again, err2 := decodeKea(text)
		text2, err3 := again.encode()
		if err := errors.Join(err, err2, err3); err != nil || !bytes.Equal(text2, text) {
			t.Errorf("%s is written again as %s, %v", text, text2, err)
		}
	})
}
