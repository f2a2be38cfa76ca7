package main

import (
	"fmt"
	"os"
)

// inContainer reports whether this process runs in a container, by the variable with which systemd, Podman, LXC and
// pxeagent's own image say so.
func inContainer() bool { return os.Getenv("container") != "" }

// containerCapabilities are hints for a program whose file has capabilities that it was not given.
var containerCapabilities = []string{
	"the container needs NET_BIND_SERVICE and NET_RAW (cap_add), and must not have no-new-privileges " +
		"(in Kubernetes: allowPrivilegeEscalation: true)",
	"or run it as user 0 with these two capabilities alone",
}

// containerVolume is a hint for a path that this user may not use.
func containerVolume(path string) string {
	return fmt.Sprintf("what is mounted there has to be user %[1]d's: on the host, chown -R %[1]d:%[2]d the volume that "+
		"holds %[3]s",
		os.Getuid(), os.Getgid(), path)
}
