package opnsense

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/deploy/lab"
	"pxeagent/dnsmasq/dnsmasqtest"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
)

// keaConf is what of Kea's configuration has to do with network boot.
type keaConf struct {
	Dhcp4 struct {
		Subnets []struct {
			Subnet     string `json:"subnet"`
			NextServer string `json:"next-server"`
			Options    []struct {
				Name string `json:"name"`
				Data string `json:"data"`
			} `json:"option-data"`
		} `json:"subnet4"`
		Classes []struct {
			Name string `json:"name"`
			Test string `json:"test"`
		} `json:"client-classes"`
		Hooks []struct {
			Parameters struct {
				Options []struct {
					Code      int    `json:"code"`
					Supersede string `json:"supersede"`
				} `json:"options"`
			} `json:"parameters"`
		} `json:"hooks-libraries"`
	} `json:"Dhcp4"`
}

// asDnsmasq is the configuration for the first subnet in lines of Dnsmasq, where the last one that matches wins as
// well. So the suite needs no Kea, which takes seconds to start; TestKeaOnTheWire has a real one.
func asDnsmasq(text []byte) (string, error) {
	var c keaConf
	if err := json.Unmarshal(text, &c); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintln(&b, "dhcp-range=10.77.0.100,10.77.0.199")
	for _, class := range c.Dhcp4.Classes {
		var code, data string
		if n, _ := fmt.Sscanf(class.Test, "option[%2s].hex == 0x%s", &code, &data); n != 2 {
			continue
		}
		switch code {
		case "93":
			n, err := strconv.ParseUint(data, 16, 16)
			if err != nil {
				return "", err
			}
			data = strconv.FormatUint(n, 10)
		case "77":
			data = "iPXE"
		}
		fmt.Fprintf(&b, "dhcp-match=set:%s,%s,%s\n", class.Name, code, data)
	}
	sub := c.Dhcp4.Subnets[0]
	next := sub.NextServer
	if next == "" {
		next = "10.77.0.1"
	}
	for _, o := range sub.Options {
		if o.Name == "boot-file-name" {
			fmt.Fprintf(&b, "dhcp-boot=%s,%s,%s\n", o.Data, next, next)
		}
	}
	for _, h := range c.Dhcp4.Hooks {
		for _, o := range h.Parameters.Options {
			fields := strings.FieldsFunc(o.Supersede, func(r rune) bool { return strings.ContainsRune("(),' ", r) })
			// ifelse member SUBNET and member OPTION 0xDATA; those of others have no option.
			if len(fields) != 7 || o.Code != 67 && o.Code != 60 {
				continue
			}
			data, err := hex.DecodeString(strings.TrimPrefix(fields[6], "0x"))
			if err != nil {
				return "", err
			}
			if o.Code == 67 {
				fmt.Fprintf(&b, "dhcp-boot=tag:%s,%s,%s,%s\n", fields[5], data, next, next)
			} else {
				fmt.Fprintf(&b, "dhcp-option-force=tag:%s,60,%s\n", fields[5], data)
			}
		}
	}
	return b.String(), nil
}

func TestKeaConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		daemon, err := dnsmasqtest.Start("lan", netip.MustParseAddr("10.77.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(daemon.Close)
		f, _ := stand(t, opnsensetest.Options{Config: keaSite(), LoadKea: func(text []byte) error {
			conf, err := asDnsmasq(text)
			if err != nil {
				return err
			}
			return daemon.Load(conf)
		}})
		edits := 0
		return dhcptest.Backend{
			Open:  func(t testing.TB) dhcp.Server { return openAt(t, f) },
			Args:  dhcptest.RemoteArgs(f),
			Wants: []dhcp.Boot{dhcptest.FullBoot("10.77.0.5"), dhcptest.FullBoot("10.77.0.6"), keaBoot("10.77.0.7")},
			EditOwn: func(_ testing.TB, edit int) {
				f.Edit(func(c *opnsensetest.Config) { personEdits(c, edit) })
				f.Apply()
			},
			EditOthers: func(testing.TB) {
				edits++
				f.Edit(func(c *opnsensetest.Config) {
					c.Kea.Options[0].Data = fmt.Sprintf("10.77.0.%d", 100+edits)
					c.Kea.Subnets[0].Pools = fmt.Sprintf("10.77.0.100-10.77.0.%d", 150+edits)
					c.Kea.Subnets[1].BootFileName = fmt.Sprintf("guest.%d", edits)
				})
			},
			Own:     func(t testing.TB) []byte { own, _ := keaParts(t, f); return own },
			Others:  func(t testing.TB) []byte { _, others := keaParts(t, f); return others },
			Written: func(testing.TB) string { return fmt.Sprint(f.Writes()) },
			Loaded:  func(testing.TB) string { return fmt.Sprint(f.KeaLoads()) },
			Probe:   dhcptest.Relayed(daemon.Addr()),
		}
	})
}

// personEdits sets the subnet's own fields, and the data of one of our options if there are any.
func personEdits(c *opnsensetest.Config, edit int) {
	s := &c.Kea.Subnets[0]
	s.NextServer = fmt.Sprintf("10.77.0.%d", 20+edit)
	s.TFTPServerName, s.BootFileName = s.NextServer, fmt.Sprintf("person%d.0", edit)
	scope := keaSubnet{Subnet: s.Subnet}.scope()
	for i, o := range c.Kea.Options {
		if isOwn(scope, o.UUID) {
			c.Kea.Options[i].Data = fmt.Sprintf("person%d.efi", edit)
			return
		}
	}
}

// keaParts are the record of pxeagent, and all else, with options that are left over.
func keaParts(t testing.TB, f *opnsensetest.Firewall) (own, others []byte) {
	t.Helper()
	c := f.Config()
	scope := keaSubnet{Subnet: c.Kea.Subnets[0].Subnet}.scope()
	s := &c.Kea.Subnets[0]
	r := keaRecord{keaFields: keaFields{NextServer: s.NextServer, TFTPServer: s.TFTPServerName, BootFile: s.BootFileName}}
	s.NextServer, s.TFTPServerName, s.BootFileName = "", "", ""
	s.Routers, s.NameServers, s.NTPServers = "", "", "" // with auto collect the firewall writes them by itself
	var foreign []string
	for _, uuid := range strings.FieldsFunc(s.Option, func(r rune) bool { return r == ',' }) {
		i := slices.IndexFunc(c.Kea.Options, func(o opnsensetest.KeaOption) bool { return o.UUID == uuid })
		if !isOwn(scope, uuid) || i < 0 {
			foreign = append(foreign, uuid)
			if i >= 0 && len(r.Options) > 0 && (keaOption{Code: c.Kea.Options[i].Code}).boots() {
				r.Behind = append(r.Behind, uuid)
			}
			continue
		}
		o := c.Kea.Options[i]
		r.Options = append(r.Options, keaOption{o.UUID, o.Code, o.Encoding, o.Data, o.Force, o.MatchCode, o.MatchEncoding,
			o.MatchData, o.Description})
		c.Kea.Options = slices.Delete(c.Kea.Options, i, i+1)
	}
	s.Option, c.Kea.Options = "", append([]opnsensetest.KeaOption{}, c.Kea.Options...)
	own, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	others, err = json.Marshal([]any{c, uuids(c.Kea), foreign})
	if err != nil {
		t.Fatal(err)
	}
	return own, others
}
