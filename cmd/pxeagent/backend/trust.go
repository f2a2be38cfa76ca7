package backend

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/cmd/pxeagent/config"
)

// trustCmd is `pxeagent NAME trust`.
func (a appliance) trustCmd(h Host, keys []config.Key) *cobra.Command {
	var asJSON bool
	usage := fmt.Sprintf("for example `pxeagent %s trust %s`", a.name, a.example)
	cmd := &cobra.Command{
		Use:   "trust [URL]",
		Short: fmt.Sprintf("Show the %s's certificate, and the line that pins it", a.what),
		Long: fmt.Sprintf(`Shake hands with the %[1]s, show the certificate that it presents, and print the line
for the configuration that accepts this certificate and no other. Nothing is trusted by
that: no login and no request is sent, nothing is written. Compare the SHA-256 with what
the %[1]s itself says before you use the line. Exits 2 where another certificate is
pinned now.`, a.what),
		Example: fmt.Sprintf("  pxeagent %s trust %s", a.name, a.example),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) <= 1 {
				return nil
			}
			return cli.Usagef(usage, "%s takes one URL, and was given %d", cmd.CommandPath(), len(args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			session, err := h.Session(cmd)
			if err != nil {
				return err
			}
			own := a.of(&session.Config)
			u := own.URL
			if len(args) == 1 {
				if u, err = a.parseURL(args[0]); err != nil {
					return cli.Usagef(usage, "the %s's URL %w", a.what, err)
				}
			}
			if u == nil {
				return cli.Usagef(usage, "no %s is named", a.what)
			}
			c, err := remote.Presented(cmd.Context(), u)
			if err != nil {
				return err
			}
			t := trust{appliance: a, URL: u, Certificate: c}
			if own.URL != nil && own.URL.Host == u.Host {
				t.Pinned = own.TLSSHA256
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
	config.AddFlags(cmd.Flags(), keys)
	return cmd
}

// trust is a certificate as a person is to compare it.
type trust struct {
	appliance
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
		fmt.Fprintf(w, "\nPinned is another: %s\nIf nobody gave the %s a new certificate, somebody else answers in "+
			"its place.\n", remote.Fingerprint(*t.Pinned), t.what)
	}
	_, err := fmt.Fprintf(w, `
Compare it with what the %s itself says, %s:

  openssl s_client -connect 127.0.0.1:%s </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256

Then put into the file, under dhcp: and %s: (or give --%s):

    tls_sha256: %x
`, t.what, t.console, port(t.URL), t.name, t.flag("tls_sha256"), c.SHA256)
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
