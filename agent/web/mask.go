package web

import "regexp"

// hidden stands where a secret would be shown.
const hidden = "(hidden)"

// secretArg is an argument whose name says that its value is a secret: root_shadow='…', inst.rootpw=…, ?token=…
var secretArg = regexp.MustCompile(
	`(?i)((?:^|[\s,;&?"'])[\w.:-]*(?:shadow|passw|rootpw|passphrase|secret|token|credential|psk|api[_.-]?key|private[_.-]?key|auth[_.-]?key)[\w.:-]*=)` +
		`("[^"\n]*"|'[^'\n]*'|[^\s&"']+)`,
)

// hashed is a password as crypt(3) writes it, wherever it stands.
var hashed = regexp.MustCompile(`\$(?:1|2[abxy]|5|6|7|y|gy|md5|sha1)\$[./A-Za-z0-9$=,+-]{8,}`)

// inURL is a user's password in a URL.
var inURL = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@`)

// setSecret is iPXE's own way to keep one: set password …
var setSecret = regexp.MustCompile(
	`(?im)^(\s*set\s+(?:[\w.]*/)?[\w.-]*(?:shadow|passw|secret|token|passphrase|psk)[\w.-]*(?::\w+)?\s+)\S.*$`,
)

// mask hides what looks like a secret in a script. The script is fetched by machines as it is: this is for people who
// look over a shoulder, and for what they copy into a ticket.
func mask(script string) string {
	script = setSecret.ReplaceAllString(script, "${1}"+hidden)
	script = secretArg.ReplaceAllString(script, "${1}"+hidden)
	script = inURL.ReplaceAllString(script, "${1}"+hidden+"@")
	return hashed.ReplaceAllString(script, hidden)
}
