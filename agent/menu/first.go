package menu

import (
	"fmt"
	"net/url"
	"strings"

	"pxeagent/agent/boot"
)

// first is what iPXE is given at BootstrapPath as long as it has told nothing of its machine: it asks there again, and
// tells. By a form where the build has them, else in the query, as network cards' iPXE has to. What is most needed
// comes first: iPXE of 2019 writes "&" in a value as it is. netX is the card that was opened last, which is the one
// that led here. Without the facts, the menu for all is still there.
func (b *Builder) first() []byte {
	var form, query strings.Builder
	for _, f := range firstFacts {
		fmt.Fprintf(&form, "param %s ${%s} ||\n", f.name, f.setting)
		fmt.Fprintf(&query, "&%s=${%s}", f.name, f.setting+f.coded)
	}
	url := b.ScriptURL()
	return fmt.Appendf(nil, `#!ipxe
# Tell the server what machine this is
params || goto query
%schain -r %s##params ||
:query
chain -r %s?%s ||
chain -r %s?%s= ||
echo No answer from %s
sleep 5
exit 1
`, form.String(), url, url, query.String()[1:], url, boot.FactNames()[0], url)
}

// firstFacts are the facts by their names, in the order in which they are told. SMBIOS texts have blanks and worse in
// them.
var firstFacts = []struct{ name, setting, coded string }{
	{"mac", "netX/mac", ":hexhyp"},
	{"uuid", "uuid", ""},
	{"platform", "platform", ""},
	{"buildarch", "buildarch", ""},
	{"serial", "serial", ":uristring"},
	{"asset", "asset", ":uristring"},
	{"product", "product", ":uristring"},
	{"manufacturer", "manufacturer", ":uristring"},
}

// Telling is a script's URL with facts in its query, as iPXE would ask for it.
func Telling(script *url.URL, f boot.Facts) *url.URL {
	q := url.Values{}
	for name, value := range map[string]string{"mac": f.MAC, "uuid": f.UUID, "serial": f.Serial, "asset": f.Asset,
		"manufacturer": f.Manufacturer,
		"product":      f.Product, "platform": f.Platform, "buildarch": f.Arch} {
		if value != "" {
			q.Set(name, value)
		}
	}
	u := *script
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // iPXE's own + is one
	return &u
}
