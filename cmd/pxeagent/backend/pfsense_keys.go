package backend

import (
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/config"
)

const pfSenseName = "pfsense"

// pfSenseSettings are of a firewall. What is secret is not in it: see config.ReadSecret.
type pfSenseSettings struct {
	remote.Config
	Transport    string // auto, rest, xmlrpc
	User         string
	PasswordFile string // absolute, "-" or ""
	APIKeyFile   string // absolute, "-" or ""
}

var pfSenseAppliance = appliance{
	name: pfSenseName, product: "the pfSense firewall", what: "firewall", example: "https://fw.lan",
	login:   "dhcp.pfsense.user and dhcp.pfsense.password_file",
	console: "on its console or under Diagnostics > Command Prompt",
	of:      func(c *config.Config) *remote.Config { return &pfSenseOf(c).Config },
}

func pfSenseOf(c *config.Config) *pfSenseSettings { return config.Own[pfSenseSettings](c, pfSenseName) }

var (
	firewallPassword = config.SecretSource{
		Key: "dhcp.pfsense.password", Env: "PXEAGENT_DHCP_PFSENSE_PASSWORD",
		FileKey: "dhcp.pfsense.password_file", File: func(c config.Config) string { return pfSenseOf(&c).PasswordFile },
		Credential: "pfsense-password",
	}
	firewallAPIKey = config.SecretSource{
		Key: "dhcp.pfsense.api_key", Env: "PXEAGENT_DHCP_PFSENSE_API_KEY",
		FileKey: "dhcp.pfsense.api_key_file", File: func(c config.Config) string { return pfSenseOf(&c).APIKeyFile },
		Credential: "pfsense-api-key",
	}
)

// pfSenseConfig: a URL for HTTP boot may do harm there, so it is sent only where it is asked for.
func pfSenseConfig() config.Backend {
	b := pfSenseAppliance.config("a description, an id or a device of the firewall", pfSenseKeys, firewallPassword,
		firewallAPIKey)
	b.Check, b.SendsURL = checkPfSense, false
	return b
}

var pfSenseKeys = pfSenseAppliance.keys(config.Key{
	Name: "dhcp.pfsense.transport", Default: "auto", Flag: "transport", Arg: "WAY",
	Usage: "way in: rest (the REST package), xmlrpc (every pfSense has it) or auto",
	Into:  config.Choice(func(c *config.Config) *string { return &pfSenseOf(c).Transport }, "auto", "rest", "xmlrpc"),
}, config.Key{
	Name: "dhcp.pfsense.user", Flag: "user", Arg: "NAME",
	Usage: "user on the firewall",
	Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).User }),
}, config.Key{
	Name: "dhcp.pfsense.password_file", Flag: "password-file", Arg: "FILE", Path: true,
	Usage: "file that holds that user's password, mode 0600; - reads standard input",
	Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).PasswordFile }),
}, config.Key{
	Name: "dhcp.pfsense.api_key_file", Flag: "api-key-file", Arg: "FILE", Path: true,
	Usage: "file that holds an API key of the REST package, mode 0600; - reads standard input",
	Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).APIKeyFile }),
})

func checkPfSense(c config.Config, wrong func(key, format string, args ...any)) {
	p := pfSenseOf(&c)
	pfSenseAppliance.check(c, wrong)
	if c.DHCP.Backend == pfSenseName && p.User == "" && p.Transport == "xmlrpc" {
		wrong("dhcp.pfsense.user", "is not set; dhcp.pfsense.transport xmlrpc needs it")
	}
	if p.PasswordFile == config.Stdin && p.APIKeyFile == config.Stdin {
		wrong("dhcp.pfsense.api_key_file", "is standard input, and dhcp.pfsense.password_file as well; want one of them")
	}
}
