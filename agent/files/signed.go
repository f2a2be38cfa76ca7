package files

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"

	"pxeagent/agent/boot"
	"pxeagent/agent/secureboot"
)

// signedFiles are the built-in NBPs in their signed form, each read once.
type signedFiles struct {
	dir    string
	lock   sync.Mutex
	byName map[string]*content
}

// builtIn is what is built in under that name: its signed form where there is one. The daemon has no key, so a form that
// is missing stays so until a person signs it; machines without Secure Boot boot all the same.
func (l *Library) builtIn(name string) *content {
	plain := l.builtin[name]
	if l.signed == nil || !strings.HasSuffix(name, ".efi") {
		return plain
	}
	l.signed.lock.Lock()
	defer l.signed.lock.Unlock()
	if known := l.signed.byName[name]; known != nil {
		return known
	}
	path := secureboot.SignedPath(l.signed.dir, plain.data)
	program, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errors.New("`pxeagent secureboot sign` signs it")
		}
		if l.logged.First("unsigned "+name, err.Error()) {
			l.log.Error("built-in boot file is served without a signature: Secure Boot refuses it", "file", name, "signed", path,
				"err", err)
		}
		return plain
	}
	l.logged.Forget("unsigned " + name)
	if l.signed.byName == nil {
		l.signed.byName = map[string]*content{}
	}
	l.signed.byName[name] = newContent(name, boot.NBP, program)
	return l.signed.byName[name]
}
