package opnsense

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
)

// recordedCalls are the requests of a recording as texts in which tags have their names in place of uuids, in order.
// A call is told by its table, and what has no value is left out.
func recordedCalls(t *testing.T, file string) []string {
	t.Helper()
	recording, err := os.ReadFile("opnsensetest/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var list []entry
	call := regexp.MustCompile(`settings/set(Tag|Option|Boot)/(\S+) (\{.*\}) -> \{"result": "saved"\}`)
	for _, m := range call.FindAllStringSubmatch(string(recording), -1) {
		var body map[table]map[string]text
		if err := json.Unmarshal([]byte(m[3]), &body); err != nil {
			t.Fatal(err)
		}
		list = append(list, newEntry(table(strings.ToLower(m[1])), m[2], body[table(strings.ToLower(m[1]))]))
	}
	return describe(list)
}

func describe(list []entry) []string {
	names := map[string]string{"": ""}
	for _, e := range list {
		if e.Table == tags {
			names[e.UUID] = e.Fields["tag"]
		}
	}
	var texts []string
	for _, e := range list {
		var fields []string
		for _, c := range columns[e.Table] {
			v := e.Fields[c]
			if name := names[v]; name != "" {
				v = name
			}
			if v != "" {
				fields = append(fields, c+"="+v)
			}
		}
		texts = append(texts, string(e.Table)+" "+strings.Join(fields, " "))
	}
	slices.Sort(texts[:len(texts)-1])
	return texts
}

// What is written is what a real OPNsense was given, whose Dnsmasq sent each kind of machine its file.
func TestEntriesAsRecorded(t *testing.T) {
	want := dhcp.Boot{NextServer: netip.MustParseAddr("10.77.0.7"), Script: "http://10.77.0.7/ipxe/bootstrap.ipxe"}
	want.NBP[firmware.BIOS], want.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	want.NBP[firmware.ARM64], want.URL[firmware.EFI64] = "snp-arm64.efi", "http://10.77.0.7/ipxe.efi"
	got := describe(own{"lan"}.entries(want))
	for _, file := range []string{"4-arch-http-ipxe.txt", "v26.1-arch-http-ipxe.txt", "v25.7-arch-http-ipxe.txt"} {
		if recorded := recordedCalls(t, file); !slices.Equal(got, recorded) {
			t.Errorf("%s:\n%s\nwritten is\n%s", file, strings.Join(recorded, "\n"), strings.Join(got, "\n"))
		}
	}
}

// A record is what its entries say, in whatever order they stand, but for iPXE's boot entry.
func TestState(t *testing.T) {
	o := own{"opt1"}
	want := dhcptest.FullBoot("10.77.0.5")
	list := o.entries(want)
	s, edited, err := o.state(list)
	if err != nil || edited != "" || s.Boot != want {
		t.Fatalf("%+v, %q, %v", s.Boot, edited, err)
	}
	back, err := decode(s.Raw)
	if err != nil || len(back) != len(list) {
		t.Fatalf("read back: %d entries of %d, %v", len(back), len(list), err)
	}
	boots := slices.IndexFunc(list, func(e entry) bool { return e.Table == "boot" })
	turned := slices.Clone(list)
	slices.Reverse(turned[boots : len(turned)-1])
	if same, edited, err := o.state(turned); err != nil || edited != "" || !same.Same(s) {
		t.Errorf("another order of what does not matter: %q, %v", edited, err)
	}
	slices.Reverse(turned[boots:])
	if first, edited, err := o.state(turned); err != nil || edited == "" || first.Same(s) {
		t.Errorf("iPXE's entry stands first: %q, %v", edited, err)
	}
	for name, change := range map[string]func([]entry) []entry{
		"a tag is missing":   func(l []entry) []entry { return l[1:] },
		"another file":       func(l []entry) []entry { l[len(l)-1].Fields["filename"] = "x"; return l },
		"one more condition": func(l []entry) []entry { l[len(l)-1].Fields["tag"] += ",x"; return l },
		"another next-server": func(l []entry) []entry {
			l[len(l)-1].Fields["address"] = "10.77.0.6"
			return l
		},
	} {
		copied, err := decode(s.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if now, edited, err := o.state(change(copied)); err != nil || now.Same(s) ||
			edited == "" && name != "another file" {
			t.Errorf("%s: %q, %v", name, edited, err)
		}
	}
	if none, edited, err := o.state(nil); err != nil || edited != "" || none.Raw != nil {
		t.Errorf("no entries: %+v, %q, %v", none, edited, err)
	}
}

// Names of tags are what OPNsense takes up to 26.1.8, and no two kinds share one.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, iface := range []string{"lan", "opt1", "opt_2"} {
		o := own{iface}
		for _, e := range o.entries(everything()) {
			if seen[e.UUID] || !o.has(e.UUID) || (own{"opt9"}).has(e.UUID) {
				t.Errorf("uuid of %+v", e)
			}
			seen[e.UUID] = true
			if name := e.Fields["tag"]; e.Table == tags {
				if seen[name] || !regexp.MustCompile(`^pxeagent[0-9A-Za-z]+$`).MatchString(name) {
					t.Errorf("tag is called %q", name)
				}
				seen[name] = true
			}
		}
	}
	if got := (own{"lan"}).tag("efi64"); got != "pxeagentlanefi64" {
		t.Errorf("a tag is called %q", got)
	}
}

// apply does steps as the firewall does: a new entry goes last, one that is set keeps its place, and a tag that is used
// stays.
func apply(now []entry, steps []step) ([]entry, error) {
	now = slices.Clone(now)
	for _, s := range steps {
		for _, id := range s.del {
			if slices.ContainsFunc(now, func(e entry) bool {
				return s.table == tags && strings.Contains(e.Fields["tag"]+e.Fields["set_tag"], id)
			}) {
				return nil, fmt.Errorf("tag %s is in use", id)
			}
			now = slices.DeleteFunc(now, func(e entry) bool { return e.UUID == id })
		}
		if s.del != nil {
			continue
		}
		for _, need := range []string{"tag", "set_tag"} {
			id := s.set.Fields[need]
			if s.table != tags && id != "" && !slices.ContainsFunc(now, func(e entry) bool { return e.UUID == id }) {
				return nil, errors.New("a tag does not exist")
			}
		}
		if n := slices.IndexFunc(now, func(e entry) bool { return e.UUID == s.set.UUID }); n >= 0 {
			now[n] = s.set
		} else {
			now = append(now, s.set)
		}
	}
	return now, nil
}

// From each state to each other, steps lead there, and what is there after any of them is between the two.
func TestSteps(t *testing.T) {
	o := own{"lan"}
	next := "10.77.0.5"
	small := dhcp.Boot{NextServer: netip.MustParseAddr(next)}
	noScript, other := dhcptest.FullBoot(next), dhcptest.FullBoot("10.77.0.6")
	small.NBP[firmware.ARM64], small.Script = "a.efi", "http://10.77.0.5/a"
	noScript.Script = ""
	other.NBP[firmware.EFI32], other.URL[firmware.EFI64] = "", ""
	states := map[string][]entry{"nothing": nil, "full": o.entries(dhcptest.FullBoot(next)), "small": o.entries(small),
		"no script": o.entries(noScript), "other": o.entries(other)}
	first := slices.Clone(states["full"])
	boots := slices.IndexFunc(first, func(e entry) bool { return e.Table == "boot" })
	first = slices.Concat(first[:boots], first[len(first)-1:], first[boots:len(first)-1])
	states["ipxe first"] = first
	for from, now := range states {
		for to, target := range states {
			raw := func(list []entry) dhcp.State {
				s, err := o.encode(list)
				if err != nil {
					t.Fatal(err)
				}
				return dhcp.State{Raw: s}
			}
			steps := o.steps(now, o.canonical(target))
			for n := range steps {
				half, err := apply(now, steps[:n+1])
				if err != nil {
					t.Fatalf("%s to %s, step %d: %v", from, to, n, err)
				}
				if !o.between(raw(half), raw(now), raw(target)) {
					t.Errorf("%s to %s: what is there after step %d is not between", from, to, n)
				}
				// A run that goes on from there gets there as well.
				if end, err := apply(half, o.steps(half, o.canonical(target))); err != nil || !raw(end).Same(raw(target)) {
					t.Errorf("%s to %s, cut after step %d and started again: %v", from, to, n, err)
				}
			}
			end, err := apply(now, steps)
			if err != nil || !raw(end).Same(raw(target)) {
				t.Errorf("%s to %s: %v, %v", from, to, describe(end), err)
			}
			if from == to && len(steps) > 0 {
				t.Errorf("%s takes %d steps to itself", from, len(steps))
			}
		}
	}
	somebodys := slices.Clone(states["full"])
	somebodys[len(somebodys)-1] = newEntry("boot", o.bootUUID("ipxe"), map[string]text{"filename": "theirs"})
	a, _, errA := o.state(somebodys)
	b, _, errB := o.state(states["full"])
	if o.between(a, b, dhcp.State{}) || errors.Join(errA, errB) != nil {
		t.Error("somebody's file is between")
	}
}
