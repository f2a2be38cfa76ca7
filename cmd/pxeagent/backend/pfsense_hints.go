package backend

import (
	"errors"

	"pxeagent/agent/dhcp"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense"
)

// The codes that only pfSense has.
var (
	NotPfSense = cli.Code{Name: "not-pfsense", Exit: cli.ExitNotFound,
		Text: "what answers at the firewall's address is not a pfSense"}
	NoPackage = cli.Code{Name: "no-rest-package", Exit: cli.ExitUnavailable,
		Text: "the REST package is not installed on the firewall"}
	Firewall = cli.Code{Name: "firewall-error", Exit: cli.ExitUnavailable,
		Text: "the firewall answered and did not do what it was asked"}
)

var pfSenseCodes = []cli.Code{
	Login, Privilege, ReadOnly, Certificate, Unapplied, NoDHCP, DHCPOff, Relay,
	Secondary, NotPfSense, NoPackage, Unavailable, Timeout, Unreachable, Firewall,
}

// useAuto is for where chain: dhcp cannot be had of a pfSense.
const useAuto = "use chain: auto (--chain): iPXE is then told from a ROM as it asks for files, and the firewall " +
	"need not know"

// pfSenseRefusals are of plans that must not be carried out.
var pfSenseRefusals = []cli.Rule{
	refused("unapplied", Unapplied, unappliedHint),
	refused("no-dhcp", NoDHCP, "turn the DHCP server on there first: Services > DHCP Server on the firewall"),
	refused("dhcp-off", DHCPOff, "turn it on there first: Services > DHCP Server on the firewall"),
	refused("relay", Relay,
		"configure the DHCP server that it relays to, or turn the relay off: Services > DHCP Relay on the firewall"),
	refused("ha-secondary", Secondary,
		"name the primary in dhcp.pfsense.url (--pfsense); it copies its settings to this one"),
	refused("script-isc", cli.Refused, useAuto,
		"or choose Kea: System > Advanced > Networking on the firewall, DHCP Options, Server Backend"),
	refused("script-version", cli.Refused, useAuto, "or update the firewall"),
	refused("kea-custom-unreadable", cli.Refused, useAuto,
		"or correct the custom configuration: Services > DHCP Server > Settings on the firewall"),
}

var pfSenseHints = append([]cli.Rule{
	cli.Ending(dhcp.ErrNoJournal, cli.NoJournal,
		"by hand, for pfSense: Services > DHCP Server, the interface, Network Booting; "+
			"Diagnostics > Backup & Restore > Config History shows what was there"),
	cli.Ending(dhcp.ErrReload, cli.Restart, "on pfSense, Status > System Logs > DHCP says why"),
	cli.On(pfsense.ErrNoCredential, cli.Usage,
		"name the user in dhcp.pfsense.user (--user) and a file with its password in dhcp.pfsense.password_file "+
			"(--password-file, - for standard input), or set "+firewallPassword.Env,
		"with the REST package, an API key does as well: dhcp.pfsense.api_key_file (--api-key-file) or "+firewallAPIKey.Env),
	cli.On(pfsense.ErrCredential, Login,
		"correct the user, the password or the API key; it is not sent again until it changes, because the firewall shuts "+
			"out an address after some failed logins",
		"if it is right: the user may be disabled or not local, or the REST package does not take this kind of login "+
			"(System > REST API > Settings); then correct that and use --retry-auth",
		"where this address is shut out already, nothing answers any more: the firewall lists it under Diagnostics > "+
			"Tables, sshguard"),
	cli.On(pfsense.ErrPrivilege, Privilege,
		"give the user that privilege: System > User Manager on the firewall, the user, Effective Privileges; it equals "+
			"root, so use a user of its own",
		"the other way in needs another privilege: dhcp.pfsense.transport rest or xmlrpc (--transport)",
		"by XML-RPC the firewall counts this as a failed login, and shuts out an address after some of them"),
	cli.On(pfsense.ErrNotAllowed, Privilege,
		"let this machine's address in: System > REST API > Access Lists on the firewall, or the proxy before it"),
	cli.On(pfsense.ErrNoPackage, NoPackage,
		"use what every pfSense has: dhcp.pfsense.transport auto or xmlrpc (--transport), with a user and a password; or "+
			"install the package"),
	cli.On(pfsense.ErrReadOnly, ReadOnly,
		"turn read-only mode off: System > REST API > Settings on the firewall; or use dhcp.pfsense.transport xmlrpc "+
			"(--transport)"),
	cli.On(pfsense.ErrUnavailable, Unavailable,
		"turn the REST API on: System > REST API > Settings on the firewall; or use dhcp.pfsense.transport xmlrpc "+
			"(--transport)"),
	cli.On(pfsense.ErrGateway, Unavailable,
		"PHP on the firewall, or what a proxy before it asks, is not there or is slow: run it again, which finds out what "+
			"became of a change",
		"if it stays so: option 16 of the firewall's console restarts PHP-FPM, option 11 its web server"),
	cli.On(pfsense.ErrTimeout, Timeout,
		"look whether it works at all; a change may have been carried out, and running it again finds out",
		"a firewall that has shut this address out after failed logins is silent as well: Diagnostics > Tables, sshguard"),
	cli.On(pfsense.ErrNotPfSense, NotPfSense,
		"see that dhcp.pfsense.url (--pfsense) is the address of pfSense's own web page, https://HOST[:PORT]"),
	cli.On(pfsense.ErrNoInterface, cli.NoInterface,
		"`pxeagent pfsense interfaces` lists them; a description, an id or a device does"),
	cli.On(pfsense.ErrAmbiguous, cli.NoInterface, "`pxeagent pfsense interfaces` lists them; the id is unique"),
	cli.On(pfsense.ErrUnapplied, Unapplied, unappliedHint),
	cli.On(pfsense.ErrNoSection, NoDHCP, "turn the DHCP server on there first: Services > DHCP Server on the firewall"),
	cli.On(pfsense.ErrStopped, cli.Restart,
		"Status > System Logs > DHCP on the firewall says why; Status > Services starts it"),
	cli.On(pfsense.ErrUnfit, cli.Refused, useAuto,
		"Kea names the place: it may be in what the site itself has in Services > DHCP Server > Settings"),
	cli.On(pfsense.ErrProgram, Firewall,
		"look at the PHP errors on the firewall (Diagnostics > Crash Reporter), and whether its disk is full"),
}, pfSenseAppliance.hints(firewallPassword)...)

const unappliedHint = "apply or discard them first: Services > DHCP Server on the firewall shows who has something " +
	"to apply"

// refused is a rule for the plan's problem of that code.
func refused(problem string, code cli.Code, hints ...string) cli.Rule {
	return cli.Rule{
		Is: func(err error) bool {
			var r *dhcp.RefusedError
			return errors.As(err, &r) && r.Problem.Code == problem
		},
		Code:  code,
		Hints: func(error) []string { return hints },
	}
}
