package files

import (
	"fmt"

	"pxeagent/agent/boot"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
)

// checkScript looks at the beginning of a script. What does not begin as one is run as machine code by
// BIOS machines, and they hang; so it is not served to anyone, and in the place of bootstrap.ipxe and autoexec.ipxe
// come the built-in ones.
func (l *Library) checkScript(proto boot.Proto, f *File) error {
	head := make([]byte, min(f.Size, int64(script.HeadLength)))
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	key, err := "script "+string(proto)+" "+f.Name, script.Validate(head)
	if err == nil {
		l.logged.Forget(key)
		if proto == boot.HTTP && "/"+f.Name == menu.BootstrapPath {
			l.lintOwn(f)
		}
		return nil
	}
	if l.logged.First(key, f.ETag) {
		l.log.Error("own script not served, because a machine would hang on it",
			"file", string(l.trees[proto])+"/"+f.Name, "err", err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// maxLinted is the size up to which a user's own script is looked into, in bytes.
const maxLinted = 1 << 20

// lintOwn logs what will not work in a user's own script, once as long as it is the same. It is served all the same.
func (l *Library) lintOwn(f *File) {
	if f.Size > maxLinted || !l.logged.First("lint "+f.Name, f.ETag) {
		return
	}
	text, err := readAll(f)
	if err != nil {
		return
	}
	for _, found := range script.Faults(text) {
		l.log.Warn("fault in your own script, which is served as it is",
			"file", f.Name, "line", found.Line, "err", found.Text)
	}
}
