package pfsense

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// maxCommand is the longest command that the REST package takes, in characters.
const maxCommand = 1024

// place is where a parcel is put together on the firewall, and what runs it.
type place struct {
	dir string
	php string
}

var onFirewall = place{dir: "/tmp", php: "/usr/local/bin/php"}

// The commands. Nothing but hexadecimal digits and base64 ever stands in them, besides the place, which is fixed; a shell or PHP has
// nothing to misread. Each stands in ( ), because the package appends 2>&1.
//
// The first makes the file, and refuses one that is there (set -C); before that it removes what killed runs left: files that nothing was
// added to for over a minute, when pieces come within seconds. The last takes the file away before it looks at it, so that no program
// can run twice, and whatever the program prints besides its result is dropped.
const (
	firstCommand = `(umask 077;find %[1]s/ -maxdepth 1 -name 'pxeagent-*' -type f -mmin +1 -delete 2>/dev/null;set -C;printf %%s '%[3]s'>%[1]s/pxeagent-%[2]s)`
	nextCommand  = `(umask 077;printf %%s '%[3]s'>>%[1]s/pxeagent-%[2]s)`
	lastCommand  = `(%[4]s -r '$f="%[1]s/pxeagent-%[2]s";$c=(string)@file_get_contents($f);@unlink($f);` +
		`if(hash("sha256",$c)!=="%[3]s"){echo "incomplete";exit(66);}` +
		`ob_start();eval(gzinflate(base64_decode($c)));ob_end_clean();echo "\n%[2]s:",$toreturn;')`
	removeCommand = `(rm -f %[1]s/pxeagent-%[2]s)`
)

// incomplete is the exit code of lastCommand where a piece was lost or changed.
const incomplete = 66

// parcel is a program as commands for the firewall's shell, each at most maxCommand long.
type parcel struct {
	name   string   // 128 random bits in hex: of the file, and before the result
	pieces []string // commands that put the file together
	last   string   // checks, unlinks and runs it
	remove string
}

// pack cuts p into commands.
func pack(p program, at place) (parcel, error) {
	var squeezed bytes.Buffer
	w, err := flate.NewWriter(&squeezed, flate.BestCompression)
	if err != nil {
		return parcel{}, err
	}
	w.Write([]byte(p.code)) // into memory: it cannot fail
	if err := w.Close(); err != nil {
		return parcel{}, fmt.Errorf("packing the %s program: %w", p.name, err)
	}
	text := base64.StdEncoding.EncodeToString(squeezed.Bytes())

	var random [16]byte
	rand.Read(random[:])
	c := parcel{name: hex.EncodeToString(random[:])}
	form, rest := firstCommand, text
	for rest != "" {
		n := min(len(rest), maxCommand-len(fmt.Sprintf(form, at.dir, c.name, "")))
		c.pieces = append(c.pieces, fmt.Sprintf(form, at.dir, c.name, rest[:n]))
		form, rest = nextCommand, rest[n:]
	}
	c.last = fmt.Sprintf(lastCommand, at.dir, c.name, hex.EncodeToString(sum(text)), at.php)
	c.remove = fmt.Sprintf(removeCommand, at.dir, c.name)
	return c, nil
}

func sum(text string) []byte {
	s := sha256.Sum256([]byte(text))
	return s[:]
}

// result finds the program's result in what the last command printed: the line that begins with the parcel's name.
func (c parcel) result(out output, cred credential) (json.RawMessage, error) {
	if out.Code == incomplete && strings.TrimSpace(out.Output) == "incomplete" {
		return nil, fmt.Errorf("%w: it did not arrive whole, so nothing of it was run", ErrProgram)
	}
	_, after, found := strings.Cut("\n"+out.Output, "\n"+c.name+":")
	line, _, _ := strings.Cut(after, "\n")
	line = strings.TrimSpace(line)
	if !found || out.Code != 0 || !json.Valid([]byte(line)) {
		return nil, fmt.Errorf("%w to its end: exit code %d, it printed %s", ErrProgram, out.Code, quoted(strings.ReplaceAll(out.Output, c.name, ""), cred))
	}
	return json.RawMessage(line), nil
}
