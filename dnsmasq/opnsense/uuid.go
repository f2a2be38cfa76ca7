package opnsense

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// OPNsense takes the uuid of a new entry from whoever makes it, so that entries can be known by it: of version 4 in
// shape (RFC 9562 section 5.4), in lower case. The first 48 bits are derived from whose entry it is, the others from
// what it is.

// ownUUID is the uuid of pxeagent's entry in a scope: that of an interface or subnet in one DHCP server.
func ownUUID(scope string, what ...string) string {
	whose, rest := digest(scope), digest(what...)
	b := append(whose[:6:6], rest[:10]...)
	b[6] = 0x40 | b[6]&0x0f
	b[8] = 0x80 | b[8]&0x3f
	x := hex.EncodeToString(b)
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// isOwn reports whether a uuid is one of that scope.
func isOwn(scope, uuid string) bool {
	const whose = len("xxxxxxxx-xxxx-")
	return len(uuid) == 36 && uuid[:whose] == ownUUID(scope)[:whose]
}

// digest tells lists of texts apart, as no text that is derived from has a NUL.
func digest(texts ...string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(texts, "\x00")))
}
