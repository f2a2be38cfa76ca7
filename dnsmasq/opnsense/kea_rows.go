package opnsense

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// keaOption is an option entry of Kea: what is sent in the option Code, to machines that send MatchData in the option
// MatchCode. All values are texts in OPNsense. Kea compares the whole of one option, and knows no presence: iPXE is
// found by its user class (77) and not, as elsewhere, by its option 175.
type keaOption struct {
	UUID          string `json:"uuid"`
	Code          string `json:"code"`
	Encoding      string `json:"encoding"`
	Data          string `json:"data"`
	Force         string `json:"force"` // "1": also to machines that do not ask for it
	MatchCode     string `json:"match_code"`
	MatchEncoding string `json:"match_encoding"`
	MatchData     string `json:"match_data"`
	Description   string `json:"description"` // OPNsense wants it unique
}

const (
	optVendor    = "60"
	optTFTP      = "66"
	optBootFile  = "67"
	optUserClass = "77"
	optArch      = "93"
	httpClient   = "HTTPClient"
)

// UnmarshalJSON reads a row of a search, or a record.
func (o *keaOption) UnmarshalJSON(b []byte) error {
	var m map[string]text
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	f := func(name string) string { return string(m[name]) }
	*o = keaOption{
		UUID: f("uuid"), Code: f("code"), Encoding: f("encoding"), Data: f("data"), Force: f("force"),
		MatchCode: f("match_code"), MatchEncoding: f("match_encoding"), MatchData: f("match_data"),
		Description: f("description"),
	}
	return nil
}

// userClass is what iPXE sends as its user class.
var userClass = strings.ToUpper(hex.EncodeToString([]byte("iPXE")))

// content is the option without what tells it from another one that does the same.
func (o keaOption) content() keaOption {
	o.UUID, o.Description = "", ""
	return o
}

// what are the option's values, for its uuid.
func (o keaOption) what() []string {
	return []string{o.Code, o.Encoding, o.Data, o.Force, o.MatchCode, o.MatchEncoding, o.MatchData}
}

// keaOptions are those that say b, without uuids, and with what describes each. Of two that match the last one wins, so
// that for iPXE is last.
func keaOptions(b dhcp.Boot, network string) []keaOption {
	var list []keaOption
	add := func(code, data, kind string, match func(*keaOption)) {
		o := keaOption{Code: code, Encoding: "string", Data: data, Force: "1",
			Description: "pxeagent " + network + " " + kind + " " + data}
		match(&o)
		list = append(list, o)
	}
	for _, r := range dnsmasq.Rules(b) {
		if r.IPXE() {
			add(optBootFile, r.File, r.Kind, func(o *keaOption) {
				o.MatchCode, o.MatchEncoding, o.MatchData = optUserClass, "hex", userClass
			})
			continue
		}
		for _, n := range r.Arches {
			arch := func(o *keaOption) { o.MatchCode, o.MatchEncoding, o.MatchData = optArch, "uint16", archText(n) }
			kind := fmt.Sprintf("%s %d", r.Kind, n)
			add(optBootFile, r.File, kind, arch)
			if r.Vendor != "" {
				add(optVendor, r.Vendor, kind, arch)
			}
		}
	}
	return list
}

// archText is the number of an architecture. PHP takes the text 0 for "not set", and would refuse it.
func archText(n uint16) string {
	if n == 0 {
		return "0000"
	}
	return strconv.Itoa(int(n))
}

// arch is the number in option 93 that the option is for. OPNsense has it as a number, or as hex.
func (o keaOption) arch() (n uint16, ok bool) {
	base := 10
	if o.MatchEncoding == "hex" {
		base = 16
	}
	v, err := strconv.ParseUint(o.MatchData, base, 16)
	return uint16(v), err == nil && o.MatchCode == optArch
}

// isFor tells whether the option is for machines of a rule.
func (o keaOption) isFor(r dnsmasq.Rule) bool {
	if r.IPXE() {
		return o.MatchCode == optUserClass && o.MatchData == userClass
	}
	n, ok := o.arch()
	return ok && slices.Contains(r.Arches, n)
}

// boots reports whether the option has to do with network boot.
func (o keaOption) boots() bool {
	return slices.Contains([]string{"43", optVendor, optTFTP, optBootFile, "150", "175"}, o.Code)
}

// assign gives the options that are wanted their uuids and descriptions: those of an own one that says the same
// already, else new ones. all are the firewall's. So nothing that is in use is changed: another content is another
// entry, and one write of the subnet puts all new ones in the place of the old.
func assign(scope string, want, all []keaOption) []keaOption {
	used := map[string]bool{}
	for i, w := range want {
		for _, o := range all {
			if isOwn(scope, o.UUID) && !used[o.UUID] && o.content() == w.content() {
				want[i] = o
				break
			}
		}
		used[want[i].UUID] = true
	}
	for i, w := range want {
		if w.UUID != "" {
			continue
		}
		taken := func(is func(keaOption) bool) bool {
			return slices.ContainsFunc(all, is) || slices.ContainsFunc(want, is)
		}
		for n := 1; w.UUID == "" || taken(func(o keaOption) bool { return o.UUID == w.UUID }); n++ {
			w.UUID = ownUUID(scope, append(w.what(), strconv.Itoa(n))...)
		}
		first := w.Description
		for n := 2; taken(func(o keaOption) bool { return o.UUID != "" && o.Description == w.Description }); n++ {
			w.Description = fmt.Sprintf("%s (%d)", first, n)
		}
		want[i] = w
	}
	return want
}
