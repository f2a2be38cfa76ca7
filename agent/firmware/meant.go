package firmware

import (
	"slices"
	"strings"
)

// Meant are the clients that somebody's DHCP server means to boot, where it is not known what it should say: those that
// its offers lead to a file, or name one to and lead nowhere, and those that it does not answer at all. Where it means
// none, they are all clients.
func Meant(offers []Offer) []Client {
	urls := map[Client]string{}
	for _, c := range Clients() {
		urls[c] = Decide(c, offers).URL
	}
	var meant []Client
	for _, c := range Clients() {
		if means(c, urls, offers) {
			meant = append(meant, c)
		}
	}
	if meant == nil {
		return Clients()
	}
	return meant
}

func means(c Client, urls map[Client]string, offers []Offer) bool {
	u := urls[c]
	// A server that tells BIOS from the rest sends the rest what is for x64: nobody meant the rare kinds.
	rare := c.Arch() == EFI32 || c.Arch() == ARM64
	if u != "" && rare && (u == urls[ClientEFI64] || u == urls[ClientBIOS] || u == urls[ClientHTTP64]) {
		return false
	}
	answered := slices.ContainsFunc(offers, func(o Offer) bool { return o.Client == c })
	return u != "" || !answered || slices.ContainsFunc(offers, func(o Offer) bool {
		name, _ := o.BootFile()
		switch {
		case o.Client != c:
			return false
		case c.HTTP(): // what is not a URL is for PXE, and UEFI HTTP boot passes over it
			return name != "" && (strings.Contains(name, "://") || strings.HasPrefix(o.Vendor, "HTTPClient"))
		case name == "":
			return !rare && o.Proxy && strings.HasPrefix(o.Vendor, "PXEClient") // it announces one
		}
		return true
	})
}
