package lab

import (
	"os"
	"syscall"
)

// WriteProgram writes a file that is going to be run. Tests that run beside this one start no process meanwhile: it
// would have the file open for writing for a moment, and a file that anybody has open so cannot be run (ETXTBSY).
func WriteProgram(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o755)
}
