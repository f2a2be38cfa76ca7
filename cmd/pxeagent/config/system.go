package config

import "runtime"

// System is where an operating system keeps what pxeagent reads and writes: the defaults that differ.
type System struct {
	Conf  string // the configuration file
	State string // state_dir
	Root  string // serve.root
}

// SystemOf is that of an operating system by Go's name: FreeBSD keeps what is not its own below /usr/local and /var/db,
// hier(7); the others follow Linux.
func SystemOf(goos string) System {
	if goos == "freebsd" {
		return System{
			Conf: "/usr/local/etc/pxeagent/pxeagent.yaml", State: "/var/db/pxeagent/state", Root: "/var/db/pxeagent",
		}
	}
	return System{Conf: "/etc/pxeagent/pxeagent.yaml", State: "/var/lib/pxeagent/state", Root: "/var/lib/pxeagent"}
}

// Here is the system that the program is built for.
var Here = SystemOf(runtime.GOOS)
