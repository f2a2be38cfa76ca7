package machine

import (
	"fmt"
	"net"
	"strings"

	"pxeagent/agent/boot"
)

// ID names one machine in the state folder: a MAC ("52:54:00:12:34:56") or, for those that are known by it only, a UUID
// in lower case.
type ID string

// ParseID takes a MAC in any of the usual ways of writing it, or a UUID. Its error is a clause about s.
func ParseID(s string) (ID, error) {
	if mac, err := net.ParseMAC(s); err == nil && len(mac) == 6 {
		if mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00" {
			return "", fmt.Errorf("%q is not a machine's address", s)
		}
		return ID(mac.String()), nil
	}
	if u := boot.ReadFacts(func(name string) string {
		if name == "uuid" {
			return s
		}
		return ""
	}).UUID; u != "" {
		return ID(u), nil
	}
	return "", fmt.Errorf("%q is neither a MAC nor a UUID; want one such as 52:54:00:12:34:56", s)
}

// IDs are what a request says its machine is, the MAC first.
func IDs(f boot.Facts) []ID {
	var ids []ID
	for _, s := range []string{f.MAC, f.UUID} {
		if id, err := ParseID(s); s != "" && err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// file is the name of this machine's file: without colons, which some file systems do not take.
func (id ID) file() string { return strings.ReplaceAll(string(id), ":", "-") }

// parseFile is the ID whose file has that name, and no other name for it.
func parseFile(name string) (ID, bool) {
	id, err := ParseID(name)
	return id, err == nil && id.file() == name
}
