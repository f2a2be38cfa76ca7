package firmware

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
)

// httpURL is the URL in an offer for UEFI HTTP boot, nil where the offer is not one. Without HTTPClient in option 60 a
// URL is ignored.
func (r *Offer) httpURL() *url.URL {
	if !r.isHTTP() || r.Type == 0 || !r.server().IsValid() {
		return nil
	}
	u, err := url.Parse(r.first67())
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

// byAddress reports whether a URL's host is an address, so that no name has to be looked up.
func byAddress(u *url.URL) bool {
	_, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	return err == nil
}

// edk2HTTP is UEFI's HTTP boot client, HttpBootDxe: HttpBootSelectDhcpOffer tries combinations of offers in this order.
func (d *decider) edk2HTTP() {
	last := -1
	var leaseIP, leaseIPDNS, leaseName, leaseNameDNS, bare, bareDNS, proxyIP, proxyName []int
	for i := range d.offers {
		r := &d.offers[i]
		u := r.httpURL()
		_, dns := r.Options[6]
		usable := r.Type != 0 && r.server().IsValid()
		if !usable || u == nil && (r.isHTTP() || !r.lease()) {
			continue
		}
		last = i
		switch {
		case u == nil && dns:
			bareDNS = append(bareDNS, i)
		case u == nil:
			bare = append(bare, i)
		case !r.lease() && byAddress(u):
			proxyIP = append(proxyIP, i)
		case !r.lease():
			proxyName = append(proxyName, i)
		case byAddress(u) && dns:
			leaseIPDNS = append(leaseIPDNS, i)
		case byAddress(u):
			leaseIP = append(leaseIP, i)
		case dns:
			leaseNameDNS = append(leaseNameDNS, i)
		default:
			leaseName = append(leaseName, i)
		}
	}
	for _, pair := range [][2][]int{
		{leaseIP, leaseIP}, {leaseIPDNS, leaseIPDNS}, {leaseNameDNS, leaseNameDNS},
		{bare, proxyIP}, {bareDNS, proxyIP}, {bareDNS, proxyName}, {bareDNS, leaseName},
	} {
		if len(pair[0]) > 0 && len(pair[1]) > 0 {
			d.httpFile(pair[0][0], pair[1][0], last)
			return
		}
	}
	d.nothing("", "%s", d.noHTTP(slices.Concat(leaseName, proxyName)))
}

// noHTTP says why there is no HTTP boot. named are offers whose URL has a host name.
func (d *decider) noHTTP(named []int) string {
	if len(named) > 0 {
		return fmt.Sprintf(
			"%s sends a URL with a host name, and no offer has a DNS server (option 6)",
			d.offers[named[0]].name(),
		)
	}
	for i := range d.offers {
		r := &d.offers[i]
		isURL := strings.Contains(r.first67(), "://")
		switch {
		case isURL && !r.isHTTP():
			return fmt.Sprintf("%s sends a URL without HTTPClient in option 60, and UEFI HTTP boot ignores it", r.name())
		case r.isHTTP() && !isURL:
			return fmt.Sprintf("%s sends UEFI HTTP boot %q, want a URL", r.name(), r.first67())
		}
	}
	return "no offer has a URL for UEFI HTTP boot"
}

// httpFile ends with the URL of offer boot, fetched with the address of offer lease.
func (d *decider) httpFile(lease, boot, last int) {
	if d.lostEnd(lease, last) {
		return
	}
	d.Lease, d.Boot = lease, boot
	r, l := &d.offers[boot], &d.offers[lease]
	u := r.httpURL()
	switch u.Scheme {
	case "http":
	case "https":
		d.Doubt = "https needs the server's CA enrolled in the firmware"
	default:
		d.nothing("", "%s sends %q: UEFI HTTP boot knows http and https only", r.name(), u)
		return
	}
	if host, err := netip.ParseAddr(u.Hostname()); err == nil {
		if reason := reach(kindEDK2HTTP, l, host); reason != "" {
			d.nothing("", "%s", reason)
			return
		}
	}
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".efi", ".iso", ".img":
	default:
		d.Doubt = "the URL does not end in .efi, .iso or .img, so the server must say Content-Type: application/efi"
	}
	d.URL = r.first67()
	d.Reason = fmt.Sprintf("%s sends the URL", r.name())
}
