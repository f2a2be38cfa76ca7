package opnsensetest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The lists of Kea's section.
var (
	subnets = &section{module: "kea", root: "subnet4", path: "subnets.subnet4", sort: "subnet", check: checkSubnet,
		rows:     func(c *Config) rows { return list[Subnet]{&c.Kea.Subnets} },
		defaults: map[string]string{"option_data_autocollect": "1", "match-client-id": "1"},
		choices:  map[string]choices{"option": theKeaOptions}, before: collect,
		hide: func(f *Firewall) (fields []string) {
			if !f.since(26, 7, 2) {
				fields = append(fields, "subnet_id")
			}
			if !f.since(26, 1, 5) {
				fields = append(fields, "option")
			}
			return fields
		}}
	keaOptions = &section{module: "kea", root: "option", path: "options.option", check: checkKeaOption,
		rows:     func(c *Config) rows { return list[KeaOption]{&c.Kea.Options} },
		defaults: map[string]string{"encoding": "hex"}}
)

func theKeaOptions(f *Firewall) map[string]string {
	all := map[string]string{}
	for _, o := range f.conf.Kea.Options {
		all[o.UUID] = o.Description
	}
	return all
}

// collect rewrites what all subnets with option_data_autocollect tell from the interfaces' addresses, whichever of them
// is set.
func collect(c *Config) {
	for i := range c.Kea.Subnets {
		s := &c.Kea.Subnets[i]
		net, err := netip.ParsePrefix(s.Subnet)
		if err != nil || s.Autocollect != "1" {
			continue
		}
		for _, i := range c.Interfaces {
			if i.Address.IsValid() && net.Contains(i.Address.Addr()) {
				own := i.Address.Addr().String()
				s.Routers, s.NameServers, s.NTPServers = own, own, own
				break
			}
		}
	}
}

var noQuotes = regexp.MustCompile(`^[^\n"]*$`)

func checkSubnet(f *Firewall, c *Config, row map[string]string, uuid string, say func(field, message string)) {
	if _, err := netip.ParsePrefix(row["subnet"]); row["subnet"] == "" {
		say("subnet", required)
	} else if err != nil {
		say("subnet", wantAddress)
	}
	if slices.ContainsFunc(c.Kea.Subnets, func(s Subnet) bool { return s.Subnet == row["subnet"] && s.UUID != uuid }) {
		say("subnet", "Subnet must be unique.")
	}
	if id, shown := row["subnet_id"]; shown && id == "" {
		say("subnet_id", required)
	}
	if a, err := netip.ParseAddr(row["next_server"]); row["next_server"] != "" && (err != nil || !a.Is4()) {
		say("next_server", wantAddress)
	}
	for _, field := range []string{"option_data.tftp_server_name", "option_data.boot_file_name"} {
		if !noQuotes.MatchString(row[field]) {
			say(field, doesNot)
		}
	}
	for _, uuid := range split(row["option"]) {
		if !slices.ContainsFunc(c.Kea.Options, func(o KeaOption) bool { return o.UUID == uuid }) {
			say("option", notInList(uuid))
		}
	}
}

// encodings are those that an option takes besides hex; others take any.
var encodings = map[string]string{
	"3": "ipv4-address", "6": "ipv4-address", "12": "string", "42": "ipv4-address", "43": "hex", "60": "string",
	"61": "hex", "66": "string", "67": "string", "77": "hex", "93": "uint16", "94": "hex", "97": "hex", "124": "hex",
}

func checkKeaOption(_ *Firewall, c *Config, row map[string]string, uuid string, say func(field, message string)) {
	for _, field := range []string{"code", "encoding", "data", "description"} {
		if row[field] == "" {
			say(field, required)
		}
	}
	for _, field := range []string{"code", "match_code"} {
		if n, err := strconv.Atoi(row[field]); row[field] != "" && (err != nil || n < 1 || n > 254) {
			say(field, notInList(row[field]))
		}
	}
	checkData(row["code"], row["encoding"], row["data"], func(message string) { say("data", message) })
	const both = "Match code and match data must either both be set or left empty."
	switch code, data := row["match_code"], row["match_data"]; {
	case code != "" && data == "":
		say("match_data", both)
	case code == "" && data != "":
		say("match_code", both)
	case data != "" && row["match_encoding"] == "":
		say("match_encoding", "Field is required when match data is set.")
	default:
		checkData(code, row["match_encoding"], data, func(message string) { say("match_data", message) })
	}
	same := func(o KeaOption) bool { return o.Description == row["description"] && o.UUID != uuid }
	if slices.ContainsFunc(c.Kea.Options, same) {
		say("description", "Description must be unique.")
	}
}

var hexPairs = regexp.MustCompile(`^([0-9A-F]{2})+$`)

// checkData says what is wrong with the data of an option.
func checkData(code, encoding, data string, say func(message string)) {
	if data == "" {
		return
	}
	if only := encodings[code]; only != "" && encoding != only && encoding != "hex" {
		say(fmt.Sprintf("Encoding '%s' is not valid for option %s, use %s or hex.", encoding, code, only))
		return
	}
	if _, err := encode(encoding, data); err != "" {
		say(err)
	}
}

// encode is the data of an option in hex, as Kea is told it, or what is wrong with it.
func encode(encoding, data string) (hex, wrong string) {
	switch encoding {
	case "hex":
		if !hexPairs.MatchString(data) {
			return "", "Hex value must contain uppercase hexadecimal byte pairs."
		}
		return data, ""
	case "string":
		if strings.ContainsAny(data, `'"`) {
			return "", "String must not contain quotes."
		}
		return fmt.Sprintf("%X", data), ""
	case "uint8", "uint16", "uint32":
		bits, _ := strconv.Atoi(encoding[4:])
		n, err := strconv.ParseUint(data, 10, 64)
		if err != nil {
			return "", "Value must be a positive integer."
		}
		return fmt.Sprintf("%0*X", bits/4, n), ""
	case "ipv4-address":
		for _, text := range split(data) {
			a, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil || !a.Is4() {
				return "", "Invalid IPv4 address: " + text
			}
			hex += fmt.Sprintf("%X", a.AsSlice())
		}
		return hex, ""
	}
	return "", "Unsupported encoding type. Use hex for complex options."
}

func (f *Firewall) getKea(q request) answer {
	if q.post {
		return ok([]any{})
	}
	k := f.conf.Kea
	return ok(m{"dhcpv4": m{
		"general": m{
			"enabled": number(k.Enabled), "manual_config": number(k.Manual),
			"interfaces":                  selection(f.conf.interfaceNames(), strings.Join(k.Interfaces, ",")),
			"service_sockets_max_retries": "", "service_sockets_retry_wait_time": "", "valid_lifetime": "4000",
			"decline_probation_period": "", "fwrules": "1",
			"dhcp_socket_type": selection(map[string]string{"udp": "udp", "raw": "raw"}, "raw"),
		},
		"ha":            m{"enabled": "0", "this_server_name": "", "max_unacked_clients": "2"},
		"this_hostname": "OPNsense",
	}})
}

func (f *Firewall) setKea(q request) answer {
	fields, there, wrong := q.root("dhcpv4")
	switch {
	case wrong:
		return fellOver
	case !there:
		return failed
	}
	next := f.conf.clone()
	k := &next.Kea
	for name, set := range map[string]func(string){
		"general.enabled":       func(v string) { k.Enabled = v == "1" },
		"general.manual_config": func(v string) { k.Manual = v == "1" },
		"general.interfaces":    func(v string) { k.Interfaces = split(v) },
	} {
		if value, there := fields[name]; there {
			set(value)
		}
	}
	collect(&next)
	return f.commit(next, m{"result": "saved"})
}
