// Package check follows the boot path of a machine after its DHCP offer: the NBP
// by TFTP or HTTP, then the script, then the files that the script names.
package check

import "errors"

var errEmpty = errors.New("the file is empty")

// maxScript is more than any script that iPXE was seen to run.
const maxScript = 1 << 20

// As whom a file is asked for: the answer to iPXE is another than that to firmware, and to a browser another again.
const (
	asIPXE     = "iPXE/pxeagent-check"
	asFirmware = "UefiHttpBoot/1.0"
)
