package backend

import (
	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/dnsmasq/opnsense"
)

// The codes that only OPNsense has.
var (
	OtherDaemon = cli.Code{Name: "other-dhcp-server", Exit: cli.ExitRefused,
		Text: "another DHCP server of the firewall leases the addresses there than the configured one; nothing was written"}
	NoFunction = cli.Code{Name: "no-such-api", Exit: cli.ExitUnavailable,
		Text: "the DHCP server's API has no such function: its version is too old, or the API is off"}
)

const (
	opnSenseDHCP  = "Services > Dnsmasq DNS & DHCP on the firewall"
	opnSenseUsers = "System > Access on the firewall"
)

// opnSenseRefusals are of plans that must not be carried out.
var opnSenseRefusals = []cli.Rule{
	refused("no-dhcp", NoDHCP, "give the interface a range of addresses first: "+opnSenseDHCP+", DHCP ranges"),
	refused("dhcp-off", DHCPOff,
		"turn a DHCP server on there first: "+opnSenseDHCP+", General, or Services > Kea DHCP"),
	refused("kea", OtherDaemon, "set dhcp.opnsense.server (--opnsense-server) to auto or kea"),
	refused("dnsmasq", OtherDaemon, "set dhcp.opnsense.server (--opnsense-server) to auto or dnsmasq"),
	refused("ha-secondary", Secondary,
		"name the primary in dhcp.opnsense.url (--opnsense); it sends its settings to this one when they are synchronized"),
	refused("manual-config", cli.Refused,
		"turn manual configuration off: Services > Kea DHCP > Kea DHCPv4 on the firewall; or add network boot to its file"),
	refused("kea-version", cli.Refused,
		"update OPNsense to 26.7.2 or later, or lease the addresses with Dnsmasq",
		"or send one file to all: undionly.kpxe as every boot.files, serve.universal: true, chain: tftp and "+
			"dhcp.http_boot: off"),
	refused("unsafe-text", cli.Refused, "correct or delete the entry that it names: "+opnSenseDHCP),
	refused("tag-taken", cli.Refused, "rename or delete the tag that it names: "+opnSenseDHCP+", DHCP tags"),
	refused("tag-in-use", cli.Refused, "take the tag out of the entry that it names: "+opnSenseDHCP),
}

func opnSenseHints() []cli.Rule {
	return append([]cli.Rule{
		cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
			"by hand, for OPNsense: "+opnSenseDHCP+": delete the entries whose description begins with pxeagent "+
				"(DHCP boot, DHCP options and its matches), then the tags whose names do (DHCP tags), and press Apply",
			"with Kea: Services > Kea DHCP > Kea DHCPv4 on the firewall; in the subnet take away such options, next server, "+
				"TFTP server and boot file, then delete the options; then Apply"),
		cli.Ending(dhcp.ErrReload, cli.Restart, opnSenseDHCP+", Log File, says why"),
		cli.On(opnsense.ErrKey, cli.Usage,
			"give the file as OPNsense gave it; or write both lines yourself: `key=` and `secret=`, each with its value"),
		cli.On(opnsense.ErrReadOnly, ReadOnly,
			"take the privilege \"Deny config write\" (user-config-readonly) from the key's user or its groups: "+opnSenseUsers),
		cli.On(opnsense.ErrNoAPI, NoFunction,
			"OPNsense 25.7 or later is needed: System > Firmware on the firewall says which it is",
			"see that dhcp.opnsense.url (--opnsense) is its own web page, and not a proxy that passes some paths only"),
		cli.On(opnsense.ErrValidation, Rejected,
			"the text in it is the firewall's own; what had been written before was put back"),
		cli.On(opnsense.ErrStopped, cli.Restart,
			opnSenseDHCP+", Log File, says why; an entry that somebody else saved and did not apply can be the cause"),
		cli.On(opnsense.ErrNoInterface, cli.NoInterface,
			"`pxeagent opnsense interfaces` lists them; an identifier or a description does"),
		cli.On(opnsense.ErrAPI, Server, "System > Log Files > Backend and Web GUI on the firewall may say more"),
		cli.On(remote.ErrPrivilege, Privilege,
			"give it to a group of the key's user: "+opnSenseUsers+", Groups, Privileges; the guide opnsense.md has the steps",
			"if it has it, the group's source networks do not have this machine's address"),
		cli.On(remote.ErrCredential, Login,
			"make a new key and put it into dhcp.opnsense.key_file: "+opnSenseUsers+", Users, the key icon; its secret is "+
				"shown once",
			"it is not sent again until it changes"),
	}, opnSenseAppliance.hints(opnSenseKey)...)
}
