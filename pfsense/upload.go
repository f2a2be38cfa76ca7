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

	"pxeagent/agent/dhcp/remote"
)

// maxCommand is the longest command that the REST package accepts, in characters.
const maxCommand = 1024

// uploadTarget is where a upload is put together on the firewall, and what runs it.
type uploadTarget struct {
	dir string
	php string
}

var onFirewall = uploadTarget{dir: "/tmp", php: "/usr/local/bin/php"}

// The commands. They contain nothing but hexadecimal digits and base64, besides the fixed paths of the target, so a
// shell or PHP has nothing to misinterpret. Each is in ( ), because the package appends 2>&1.
//
// The first creates the file and fails if it exists (set -C). Before that it removes what killed runs left: files that
// were not appended to for over a minute, while chunks arrive within seconds. The last has the end of the program
// itself, removes the file before it checks the whole, so that no program can run twice, and drops what the program
// prints besides its result.
const (
	firstCommand = `(umask 077;find %[1]s/ -maxdepth 1 -name 'pxeagent-*' -type f -mmin +1 -delete 2>/dev/null;` +
		`set -C;printf %%s '%[3]s'>%[1]s/pxeagent-%[2]s)`
	nextCommand = `(umask 077;printf %%s '%[3]s'>>%[1]s/pxeagent-%[2]s)`
	lastCommand = `(%[4]s -r '$f="%[1]s/pxeagent-%[2]s";$c=@file_get_contents($f)."%[5]s";@unlink($f);` +
		`if(hash("sha256",$c)!=="%[3]s"){echo "incomplete";exit(66);}` +
		`ob_start();eval(gzinflate(base64_decode($c)));ob_end_clean();echo "\n%[2]s:",$toreturn;')`
	removeCommand = `(rm -f %[1]s/pxeagent-%[2]s)`
)

// incomplete is the exit code of lastCommand if a chunk was lost or changed.
const incomplete = 66

// upload is a program as commands for the firewall's shell, each at most maxCommand long.
type upload struct {
	name   string   // 128 random bits in hex: of the file, and before the result
	chunks []string // commands that assemble the file; none: the program fits in the last command
	last   string   // adds the end, checks, unlinks and runs it
	remove string
}

// newUpload splits p into commands.
func newUpload(p program, at uploadTarget) (upload, error) {
	var squeezed bytes.Buffer
	w, err := flate.NewWriter(&squeezed, flate.BestCompression)
	if err != nil {
		return upload{}, err
	}
	w.Write([]byte(p.code)) // into memory: it cannot fail
	if err := w.Close(); err != nil {
		return upload{}, fmt.Errorf("compressing the %s program: %w", p.name, err)
	}
	text := base64.StdEncoding.EncodeToString(squeezed.Bytes())

	var random [16]byte
	rand.Read(random[:])
	c := upload{name: hex.EncodeToString(random[:])}
	last := func(end string) string {
		return fmt.Sprintf(lastCommand, at.dir, c.name, hex.EncodeToString(sum(text)), at.php, end)
	}
	form, rest := firstCommand, text
	for len(last(rest)) > maxCommand {
		n := min(len(rest), maxCommand-len(fmt.Sprintf(form, at.dir, c.name, "")))
		c.chunks = append(c.chunks, fmt.Sprintf(form, at.dir, c.name, rest[:n]))
		form, rest = nextCommand, rest[n:]
	}
	c.last = last(rest)
	c.remove = fmt.Sprintf(removeCommand, at.dir, c.name)
	return c, nil
}

func sum(text string) []byte {
	s := sha256.Sum256([]byte(text))
	return s[:]
}

// result finds the program's result in the output of the last command: the line that begins with the upload's name.
func (c upload) result(out output, cred remote.Login) (json.RawMessage, error) {
	if out.Code == incomplete && strings.TrimSpace(out.Output) == "incomplete" {
		return nil, fmt.Errorf("%w: the upload was incomplete, and nothing was run", ErrProgram)
	}
	_, after, found := strings.Cut("\n"+out.Output, "\n"+c.name+":")
	line, _, _ := strings.Cut(after, "\n")
	line = strings.TrimSpace(line)
	if !found || out.Code != 0 || !json.Valid([]byte(line)) {
		return nil, fmt.Errorf("%w: exit code %d, output %s", ErrProgram, out.Code,
			cred.Quoted(strings.ReplaceAll(out.Output, c.name, "")))
	}
	return json.RawMessage(line), nil
}
