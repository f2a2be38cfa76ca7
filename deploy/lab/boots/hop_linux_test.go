package boots

import "regexp"

// hop is something that a machine fetched on its road, whole. What is "" may be anything.
type hop struct {
	proto, file, class, artifact string
	says                         string // what the log says besides, as a regular expression
}

var (
	menuByHTTP  = hop{proto: "http", file: "/ipxe/bootstrap.ipxe", class: "ipxe", artifact: "script"}
	nbpByTFTP   = hop{proto: "tftp", class: "uefi", artifact: "nbp"}
	nbpByHTTP   = hop{proto: "http", class: "uefi", artifact: "nbp"}
	firstLoaded = hop{proto: "tftp", file: "first.kpxe"}
	brokenTFTP  = hop{proto: "tftp", file: "undionly.kpxe", class: "ipxe", artifact: "script", says: "loop_broken=true"}
	brokenEFI   = hop{proto: "tftp", file: "ipxe.efi", class: "ipxe", artifact: "script", says: "loop_broken=true"}
)

// pattern finds the hop in the log of the daemon. Machines are leased addresses above 9; servers, which check their own road, have others.
func (h hop) pattern() string {
	or := func(s string) string {
		if s == "" {
			return `\S+`
		}
		return regexp.QuoteMeta(s)
	}
	return `msg=served proto=` + or(h.proto) + ` client=\S+\.\d\d+:\d+ .*file=\S*` + or(h.file) + `.* class=` + or(h.class) +
		` .*artifact=` + or(h.artifact) + ` outcome=ok .*` + h.says
}
