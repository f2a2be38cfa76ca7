// Package boots has tests and nothing else: machines in QEMU that boot from a site with pxeagent in it, behind each
// kind of DHCP server. They take minutes, so they are kept from the other packages' tests.
package boots
