package boots

import "regexp"

// step is something that a machine fetched on its boot path, whole. What is "" may be anything.
type step struct {
	proto, file, class, artifact string
	says                         string // what the log says besides, as a regular expression
}

var (
	menuByHTTP  = step{proto: "http", file: "/ipxe/bootstrap.ipxe", class: "ipxe", artifact: "script"}
	nbpByTFTP   = step{proto: "tftp", class: "uefi", artifact: "nbp"}
	nbpByHTTP   = step{proto: "http", class: "uefi", artifact: "nbp"}
	firstLoaded = step{proto: "tftp", file: "first.kpxe"}
	brokenTFTP  = step{proto: "tftp", file: "undionly.kpxe", class: "ipxe", artifact: "script", says: "loop_broken=true"}
	brokenEFI   = step{proto: "tftp", file: "ipxe.efi", class: "ipxe", artifact: "script", says: "loop_broken=true"}
)

// pattern finds the step in the log of the daemon. Machines are leased addresses above 9; servers, which check their
// own boot path, have others.
func (h step) pattern() string {
	or := func(s string) string {
		if s == "" {
			return `\S+`
		}
		return regexp.QuoteMeta(s)
	}
	return `msg=served proto=` + or(
		h.proto,
	) + ` client=\S+\.\d\d+:\d+ .*file=\S*` + or(
		h.file,
	) + `.* class=` + or(
		h.class,
	) +
		` .*artifact=` + or(
		h.artifact,
	) + ` outcome=ok .*` + h.says
}
