package backend

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/pfsense"
)

func newPfSenseCmd(h Host) *cobra.Command {
	return cli.Group("pfsense", "Look at a pfSense firewall: its certificate, its interfaces", newTrustCmd(h),
		newInterfacesCmd(h))
}

func newTrustCmd(h Host) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "trust [URL]",
		Short: "Show the firewall's certificate, and the line that pins it",
		Long: `Shake hands with the firewall, show the certificate that it presents, and print the line
for the configuration that accepts this certificate and no other. Nothing is trusted by
that: no login and no request is sent, nothing is written. Compare the SHA-256 with what
the firewall itself says before you use the line. Exits 2 where another certificate is
pinned now.`,
		Example: "  pxeagent pfsense trust https://fw.lan",
		Args:    atMostOneURL,
		RunE: func(cmd *cobra.Command, args []string) error {
			session, err := h.Session(cmd)
			if err != nil {
				return err
			}
			u := pfSenseOf(&session.Config).URL
			if len(args) == 1 {
				if u, err = parseFirewallURL(args[0]); err != nil {
					return cli.Usagef("for example `pxeagent pfsense trust https://fw.lan`", "the firewall's URL %w", err)
				}
			}
			if u == nil {
				return cli.Usagef("for example `pxeagent pfsense trust https://fw.lan`", "no firewall is named")
			}
			c, err := remote.Presented(cmd.Context(), u)
			if err != nil {
				return err
			}
			t := trust{URL: u, Certificate: c, Pinned: pfSenseOf(&session.Config).TLSSHA256}
			if own := pfSenseOf(&session.Config).URL; own == nil || own.Host != u.Host {
				t.Pinned = nil // it is another firewall's
			}
			if asJSON {
				err = cli.WriteJSON(h.Out(), t.json())
			} else {
				err = t.print(h.Out())
			}
			if err == nil && t.Pinned != nil && *t.Pinned != c.SHA256 {
				return cli.Exit(cli.Differs)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	config.AddFlags(cmd.Flags(), pfSenseKeys)
	return cmd
}

func atMostOneURL(cmd *cobra.Command, args []string) error {
	if len(args) <= 1 {
		return nil
	}
	return cli.Usagef("for example `pxeagent pfsense trust https://fw.lan`", "%s takes one URL, and was given %d",
		cmd.CommandPath(), len(args))
}

// trust is a certificate as a person is to compare it.
type trust struct {
	URL         *url.URL
	Certificate remote.Certificate
	Pinned      *[32]byte // what the configuration accepts now; nil: nothing, or anything that a CA vouches for
}

func (t trust) print(w io.Writer) error {
	c := t.Certificate
	fmt.Fprintf(w, "%s presents this certificate:\n\n", t.URL)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "  SHA-256\t%s\n", remote.Fingerprint(c.SHA256))
	fmt.Fprintf(tw, "  subject\t%s\n", cli.Plain(c.Subject))
	issuer := "signed by itself"
	if c.Issuer != "" {
		issuer = cli.Plain(c.Issuer)
	}
	fmt.Fprintf(tw, "  issuer\t%s\n", issuer)
	fmt.Fprintf(tw, "  valid\t%s\n", validity(c, time.Now()))
	fmt.Fprintf(tw, "  for\t%s\n", cli.Dash(cli.Plain(strings.Join(c.Names, ", ")), strings.Join(c.Names, "")))
	tw.Flush()
	switch {
	case t.Pinned == nil && c.Verified == nil:
		fmt.Fprintln(w, "\nThis machine's CAs vouch for it: nothing needs to be pinned.")
	case t.Pinned != nil && *t.Pinned == c.SHA256:
		fmt.Fprintln(w, "\nIt is the one that is pinned.")
		return nil
	case t.Pinned != nil:
		fmt.Fprintf(w, "\nPinned is another: %s\nIf nobody gave the firewall a new certificate, somebody else answers in "+
			"its place.\n", remote.Fingerprint(*t.Pinned))
	}
	_, err := fmt.Fprintf(w, `
Compare it with what the firewall itself says, on its console or under Diagnostics > Command Prompt:

  openssl s_client -connect 127.0.0.1:%s </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256

Then put into the file, under dhcp: and pfsense: (or give --tls-sha256):

    tls_sha256: %x
`, port(t.URL), c.SHA256)
	return err
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}

func validity(c remote.Certificate, now time.Time) string {
	text := c.NotBefore.Format(time.DateOnly) + " to " + c.NotAfter.Format(time.DateOnly)
	switch {
	case now.After(c.NotAfter):
		text += " (run out; a pinned one is accepted all the same)"
	case now.Before(c.NotBefore):
		text += " (not yet; a pinned one is accepted all the same)"
	}
	return text
}

func (t trust) json() map[string]any {
	c := t.Certificate
	m := map[string]any{
		"url": t.URL.String(), "tls_sha256": fmt.Sprintf("%x", c.SHA256), "subject": c.Subject, "issuer": c.Issuer,
		"not_before": c.NotBefore, "not_after": c.NotAfter, "names": c.Names, "verified": c.Verified == nil, "pinned": nil,
	}
	if t.Pinned != nil {
		m["pinned"] = fmt.Sprintf("%x", *t.Pinned)
	}
	return m
}

func newInterfacesCmd(h Host) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "interfaces",
		Short: "List the firewall's interfaces, and what its DHCP server says there",
		Long: `Log in to the firewall and list its interfaces: description, id, device, network, whether
DHCP is on there, which engine serves it, and what machines are told about network boot
now. Nothing is written. Each of the first three can stand in interface (--interface).`,
		Example: "  pxeagent pfsense interfaces --pfsense https://fw.lan --user pxeagent --password-file FILE " +
			"--tls-sha256 HEX",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, err := h.Session(cmd)
			if err != nil {
				return err
			}
			s, err := openPfSense(session, "")
			if err != nil {
				return err
			}
			list, err := s.Interfaces(cmd.Context())
			if err != nil {
				return fmt.Errorf("listing the interfaces of %s: %w", pfSenseOf(&session.Config).URL.Host, err)
			}
			if asJSON {
				return cli.WriteJSON(h.Out(), map[string]any{"interfaces": list})
			}
			return printInterfaces(h.Out(), list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	config.AddFlags(cmd.Flags(), pfSenseKeys)
	h.Schema().AddFlags(cmd.Flags(), "state_dir")
	addRetryAuth(cmd.Flags())
	return cmd
}

func printInterfaces(w io.Writer, list []pfsense.Interface) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DESCRIPTION\tID\tDEVICE\tNETWORK\tDHCP\tENGINE\tBOOT")
	for _, i := range list {
		network, on := "-", "off"
		if i.Network.IsValid() {
			network = i.Network.String()
		}
		if i.DHCP {
			on = "on"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cli.Dash(cli.Plain(i.Description), i.Description), cli.Plain(i.ID),
			cli.Plain(i.Device), network, on, cli.Plain(i.Engine), bootText(i.Boot))
	}
	return tw.Flush()
}

// bootText is what machines are told, in one line: "next-server 10.0.0.7, undionly.kpxe, ipxe.efi".
func bootText(b dhcp.Boot) string {
	if b == (dhcp.Boot{}) {
		return "-"
	}
	var parts []string
	for _, c := range dhcp.Diff(dhcp.Boot{}, b) {
		if text := cli.Plain(c.After); !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}
