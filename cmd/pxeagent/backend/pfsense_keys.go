package backend

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"pxeagent/cmd/pxeagent/config"
)

const pfSenseName = "pfsense"

// pfSenseSettings are of a firewall. What is secret is not in it: see config.ReadSecret.
type pfSenseSettings struct {
	URL          *url.URL // https, host and port only; nil: none
	Transport    string   // auto, rest, xmlrpc
	User         string
	PasswordFile string    // absolute, "-" or ""
	APIKeyFile   string    // absolute, "-" or ""
	TLSSHA256    *[32]byte // of the certificate in DER; nil: not pinned
	CAFile       string    // absolute, or ""
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

// pfSenseConfig: it is the backend where its URL is known.
func pfSenseConfig() config.Backend {
	return config.Backend{
		Name: pfSenseName, Networks: "a description, an id or a device of the firewall",
		Keys: pfSenseKeys, Secrets: []config.SecretSource{firewallPassword, firewallAPIKey}, Check: checkPfSense,
		Auto:     func(c config.Config) bool { return pfSenseOf(&c).URL != nil },
		AutoWhen: "its url is set",
	}
}

// pfSenseKeys say how to reach it.
var pfSenseKeys = []config.Key{
	{Name: "dhcp.pfsense.url", Flag: "pfsense", Arg: "URL",
		Usage: "the firewall, such as https://fw.lan",
		Into:  config.One(func(c *config.Config) **url.URL { return &pfSenseOf(c).URL }, parseFirewallURL)},
	{Name: "dhcp.pfsense.transport", Default: "auto", Flag: "transport", Arg: "WAY",
		Usage: "way in: rest (the REST package), xmlrpc (every pfSense has it) or auto",
		Into:  config.Choice(func(c *config.Config) *string { return &pfSenseOf(c).Transport }, "auto", "rest", "xmlrpc")},
	{Name: "dhcp.pfsense.user", Flag: "user", Arg: "NAME",
		Usage: "user on the firewall",
		Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).User })},
	{Name: "dhcp.pfsense.password_file", Flag: "password-file", Arg: "FILE", Path: true,
		Usage: "file that holds that user's password, mode 0600; - reads standard input",
		Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).PasswordFile })},
	{Name: "dhcp.pfsense.api_key_file", Flag: "api-key-file", Arg: "FILE", Path: true,
		Usage: "file that holds an API key of the REST package, mode 0600; - reads standard input",
		Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).APIKeyFile })},
	{Name: "dhcp.pfsense.tls_sha256", Flag: "tls-sha256", Arg: "HEX",
		Usage: "SHA-256 of the firewall's certificate, in hex: this one is accepted, whoever signed it, and no other",
		Into:  config.One(func(c *config.Config) **[32]byte { return &pfSenseOf(c).TLSSHA256 }, config.ParseFingerprint)},
	{Name: "dhcp.pfsense.ca_file", Flag: "ca-file", Arg: "FILE", Path: true,
		Usage: "PEM file with the CA that signed the firewall's certificate; default: the system's",
		Into:  config.Text(func(c *config.Config) *string { return &pfSenseOf(c).CAFile })},
}

func checkPfSense(c config.Config, wrong func(key, format string, args ...any)) {
	p := pfSenseOf(&c)
	if c.DHCP.Backend == pfSenseName {
		if p.URL == nil {
			wrong("dhcp.pfsense.url", "is not set; dhcp.backend pfsense needs it, such as https://fw.lan")
		}
		if p.User == "" && p.Transport == "xmlrpc" {
			wrong("dhcp.pfsense.user", "is not set; dhcp.pfsense.transport xmlrpc needs it")
		}
	}
	if p.PasswordFile == config.Stdin && p.APIKeyFile == config.Stdin {
		wrong("dhcp.pfsense.api_key_file", "is standard input, and dhcp.pfsense.password_file as well; want one of them")
	}
}

// parseFirewallURL never repeats a text that may hold a password.
func parseFirewallURL(s string) (*url.URL, error) {
	if strings.Contains(s, "@") {
		return nil, errors.New("holds a user or a password; want https://HOST, " +
			"with dhcp.pfsense.user and dhcp.pfsense.password_file")
	}
	if !strings.Contains(s, "://") {
		return nil, fmt.Errorf("%q has no scheme; want https://%s", s, s)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("invalid URL %q: want one such as https://fw.lan", s)
	case u.Scheme != "https":
		return nil, fmt.Errorf("%q is not https, and would send credentials in the clear; want https://%s", s, u.Host)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has more than a host and a port; want https://%s", s, u.Host)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%q has port %s; want a number from 1 to 65535", s, p)
		}
	}
	// One firewall has one name: the journal and what is remembered of logins go by it.
	u.Path, u.Host = "", strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	return u, nil
}
