package cli

import (
	"runtime"
	"strings"
)

// IP is the command by which a person looks at this machine's devices and addresses: ip(8) with these arguments, and
// ifconfig(8) where there is no ip.
func IP(args string) string { return ipOn(runtime.GOOS, args) }

func ipOn(goos, args string) string {
	if goos == "linux" {
		return "ip " + args
	}
	if device, ok := strings.CutPrefix(args, "link set "); ok {
		return "ifconfig " + device
	}
	return "ifconfig"
}
