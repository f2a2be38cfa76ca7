package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"pxeagent/agent/guard"
)

// ControlFile is the socket in the folder for state where commands of this machine ask the agent; its mode is 0600.
const ControlFile = "pxeagent.sock"

// maxSocketPath is what a socket's path may have, in bytes: 104 on FreeBSD and 108 on Linux, with a NUL.
const maxSocketPath = 103

// listenControl takes the socket. One that is there is left over from an agent that is gone: the caller owns
// the folder.
func listenControl(dir string) (net.Listener, error) {
	path := filepath.Join(dir, ControlFile)
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("state_dir: %s is longer than a socket's path may be", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s exists and is not a socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing an old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listening for commands: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("closing the socket to others: %w", err)
	}
	return l, nil
}

// ServeCommands answers commands by HTTP on the control socket until ctx ends; without a socket it does nothing.
// Commands read what anyone may by HTTP, so all of them may at once.
func (b *Recorder) ServeCommands(ctx context.Context, answer http.Handler) error {
	if b.control == nil {
		return nil
	}
	s := &http.Server{
		Handler: b.guard.Handler(guard.Control, answer), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(b.control); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answering commands: %w", err)
	}
	return nil
}
