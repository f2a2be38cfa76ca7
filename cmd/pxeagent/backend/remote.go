package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// The codes that every DHCP server has that is asked over the network.
var (
	Login = cli.Code{Name: "login-refused", Exit: cli.ExitPermission,
		Text: "the DHCP server refused the user, the password or the API key, now or before; a refused one is not sent again"}
	Privilege = cli.Code{Name: "no-privilege", Exit: cli.ExitPermission,
		Text: "the DHCP server's user may not do this, or its access list does not admit this machine"}
	ReadOnly = cli.Code{Name: "read-only", Exit: cli.ExitPermission,
		Text: "the DHCP server's API is in read-only mode, or the user may change nothing"}
	Certificate = cli.Code{Name: "certificate", Exit: cli.ExitRefused,
		Text: "the DHCP server's certificate is not trusted, or is not the pinned one; nothing was sent"}
	CertificateChanged = cli.Code{Name: "certificate-changed", Exit: cli.ExitRefused,
		Text: "a DHCP server that renews its own certificate has another than the pinned one; nothing was sent"}
	Unapplied = cli.Code{Name: "unapplied", Exit: cli.ExitRefused,
		Text: "somebody saved DHCP settings on the server and did not apply them; nothing was written"}
	NoDHCP = cli.Code{Name: "no-dhcp", Exit: cli.ExitRefused,
		Text: "the server has no DHCP settings for the interface; nothing was written"}
	DHCPOff = cli.Code{Name: "dhcp-off", Exit: cli.ExitRefused,
		Text: "the DHCP server is off on the interface; nothing was written"}
	Relay = cli.Code{Name: "dhcp-relay", Exit: cli.ExitRefused,
		Text: "the firewall relays DHCP to another server; nothing was written"}
	Secondary = cli.Code{Name: "ha-secondary", Exit: cli.ExitRefused,
		Text: "the firewall is the secondary of a pair, and the primary overwrites its settings; nothing was written"}
	Rejected = cli.Code{Name: "settings-rejected", Exit: cli.ExitRefused,
		Text: "the DHCP server rejects the new settings; nothing was written"}
	OtherProduct = cli.Code{Name: "other-product", Exit: cli.ExitNotFound,
		Text: "another product answers at the DHCP server's address"}
	Unavailable = cli.Code{Name: "unavailable", Exit: cli.ExitUnavailable,
		Text: "the DHCP server's API is switched off, or its web server has nobody to answer"}
	Timeout     = cli.Code{Name: "timeout", Exit: cli.ExitUnavailable, Text: "the DHCP server did not answer in time"}
	Unreachable = cli.Code{Name: "unreachable", Exit: cli.ExitUnavailable,
		Text: "no connection to the DHCP server, or it was cut"}
	Server = cli.Code{Name: "server-error", Exit: cli.ExitUnavailable,
		Text: "the DHCP server answered and did not do what it was asked"}
)

// hints are of the errors of a connection to it. Its secret is src.
func (a appliance) hints(src config.SecretSource) []cli.Rule {
	return []cli.Rule{
		cli.On(remote.ErrNoCredential, cli.Usage,
			"name a file that holds it in "+src.FileKey+", mode 0600, or set "+src.Env),
		cli.On(remote.ErrNotSent, Login, "correct it: a changed one is sent at once",
			"if the "+a.what+" was at fault and has been corrected, --retry-auth sends the same once more"),
		cli.On(remote.ErrCredential, Login,
			"correct it; it is not sent again until it changes, because failed logins are counted"),
		{Is: isAnotherCertificate, Code: Certificate, Hints: func(error) []string {
			return []string{
				"nothing was sent; if the " + a.what + " got a new certificate, compare it (`pxeagent " + a.name +
					" trust`) and put its SHA-256 into " + a.key("tls_sha256"),
				"if it did not, somebody else answers in its place",
			}
		}},
		cli.On(remote.ErrTLS, Certificate,
			"pin it: `pxeagent "+a.name+" trust URL` shows it and the line for the file, "+a.key("tls_sha256"),
			"or name the CA that signed it in "+a.key("ca_file")),
		cli.On(remote.ErrGateway, Unavailable,
			"what answers is a web server before the "+a.what+
				": run it again, which finds out what became of a change"),
		cli.On(remote.ErrTimeout, Timeout,
			"look whether it works at all; a change may have been carried out, and running it again finds out"),
		cli.On(remote.ErrUnreachable, Unreachable,
			"see that "+a.key("url")+" is its address and port, and that its rules let this machine in",
			"if it was cut in the middle, run it again: it starts from what is there now"),
		cli.On(remote.ErrOther, OtherProduct,
			"see that "+a.key("url")+" is the address of the web page of the "+a.what),
	}
}

// isAnotherCertificate reports whether the certificate is not the pinned one.
func isAnotherCertificate(err error) bool {
	var changed *remote.CertificateError
	return errors.As(err, &changed)
}

// interfacesCmd is `pxeagent NAME interfaces`. list asks the server: what --json shows, and a table with its heading,
// in which an empty cell is shown as a dash.
func interfacesCmd(h Host, keys []config.Key, short, long, example string,
	list func(context.Context, *Session) (json any, table [][]string, err error)) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "interfaces", Short: short, Long: long, Example: example, Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, err := h.Session(cmd)
			if err != nil {
				return err
			}
			all, table, err := list(cmd.Context(), session)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.WriteJSON(h.Out(), map[string]any{"interfaces": all})
			}
			tw := tabwriter.NewWriter(h.Out(), 0, 0, 2, ' ', 0)
			for _, row := range table {
				for i, cell := range row {
					row[i] = cmp.Or(cli.Plain(cell), "-")
				}
				fmt.Fprintln(tw, strings.Join(row, "\t"))
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	config.AddFlags(cmd.Flags(), keys)
	h.Schema().AddFlags(cmd.Flags(), "state_dir")
	addRetryAuth(cmd.Flags())
	return cmd
}

// prefixes are addresses for a table.
func prefixes(all []netip.Prefix) string {
	var texts []string
	for _, p := range all {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ", ")
}
