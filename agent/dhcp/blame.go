package dhcp

import (
	"path"
	"strings"
)

// reached refuses a next-server that no machine can send to with the leases that are offered now: those of the server
// itself, or of the one that leases addresses beside a proxy.
func (r *run) reached() error {
	why := ""
	for _, o := range r.Baseline {
		if o.Proxy || !o.YourIP.IsValid() || o.YourIP.IsUnspecified() || !r.Plan.Proxy && !r.Plan.Owns(o) {
			continue
		}
		reason := o.Unreached(r.want.NextServer)
		if reason == "" {
			return nil
		}
		why = reason
	}
	if why == "" || !r.want.NextServer.IsValid() {
		return nil
	}
	q := Refusal("unreachable",
		"machines cannot reach next-server: %s; set next_server (--next-server) to an address in that network", why)
	r.Problems = append(r.Problems, q)
	return &RefusedError{q}
}

// blame are the plan's problems that name what the wire says in place of what was written, to be read after it.
func (r *run) blame(wrong []Finding) string {
	var text strings.Builder
	for _, q := range r.Plan.Problems {
		for _, f := range wrong {
			if name := path.Base(f.Got); f.Got != "" && strings.Contains(q.Text, name) {
				text.WriteString("; likely cause: " + q.Text)
				break
			}
		}
	}
	return text.String()
}
