package pfsensetest

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// maxCommand is the longest command, in characters.
const maxCommand = 1024

// The supported commands, to the letter: those that upload a program in chunks and run it.
var (
	firstPiece = regexp.MustCompile(
		`^\(umask 077;find /tmp/ -maxdepth 1 -name 'pxeagent-\*' -type f -mmin \+1 -delete 2>/dev/null;set -C;` +
			`printf %s '([A-Za-z0-9+/=]*)'>/tmp/pxeagent-([0-9a-f]{32})\)$`)
	nextPiece = regexp.MustCompile(`^\(umask 077;printf %s '([A-Za-z0-9+/=]*)'>>/tmp/pxeagent-([0-9a-f]{32})\)$`)
	lastPiece = regexp.MustCompile(
		`^\(/usr/local/bin/php -r '\$f="/tmp/pxeagent-([0-9a-f]{32})";\$c=@file_get_contents\(\$f\)\."([A-Za-z0-9+/=]*)";` +
			`@unlink\(\$f\);` +
			`if\(hash\("sha256",\$c\)!=="([0-9a-f]{64})"\)\{echo "incomplete";exit\(66\);\}` +
			`ob_start\(\);eval\(gzinflate\(base64_decode\(\$c\)\)\);ob_end_clean\(\);echo "\\n([0-9a-f]{32}):",\$toreturn;'\)$`)
	removal = regexp.MustCompile(`^\(rm -f /tmp/pxeagent-([0-9a-f]{32})\)$`)
)

// upload is a file in /tmp.
type upload struct {
	text    string
	changed time.Time
}

// Files are the files in the firewall's /tmp, with their content.
func (f *Firewall) Files() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	for name, file := range f.files {
		all["/tmp/pxeagent-"+name] = file.text
	}
	return all
}

func commandOf(body []byte) (string, bool) {
	var ask struct {
		Command *string `json:"command"`
	}
	if json.Unmarshal(body, &ask) != nil {
		return "", false
	}
	if ask.Command == nil {
		return "", true
	}
	return *ask.Command, true
}

// opOfCommand is what a body of the command prompt does. The program that a last command runs is in the file that it
// names.
func (f *Firewall) opOfCommand(body []byte) string {
	command, _ := commandOf(body)
	if firstPiece.MatchString(command) || nextPiece.MatchString(command) {
		return "chunk"
	}
	if removal.MatchString(command) {
		return "remove"
	}
	m := lastPiece.FindStringSubmatch(command)
	if m == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	text := m[2]
	if file := f.files[m[1]]; file != nil {
		text = file.text + text
	}
	code, _ := inflate(text)
	return opOf(code)
}

// inflate is gzinflate(base64_decode(text)).
func inflate(text string) (string, bool) {
	squeezed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", false
	}
	code, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(squeezed)), maxBody))
	return string(code), err == nil
}

// commandPrompt runs a command.
func (v *visit) commandPrompt(User) {
	command, ok := commandOf(v.body)
	if !ok {
		v.fail(http.StatusBadRequest, "JSON_CONTENT_HANDLER_COULD_NOT_DECODE_JSON",
			"Request body could not be decoded as JSON.")
		return
	}
	if utf8.RuneCountInString(command) > maxCommand {
		v.fail(http.StatusBadRequest, "LENGTH_VALIDATOR_MAXIMUM_CONSTRAINT",
			fmt.Sprintf("Field `command` exceeds the maximum character length of %d.", maxCommand))
		return
	}
	output, code := v.shell(command)
	if v.fault.Kind == NoText {
		return // 200 with an empty body
	}
	v.succeed(struct {
		Output string `json:"output"`
		Code   int    `json:"result_code"`
	}{output, code})
}

// shell is the output and exit code of a command.
func (v *visit) shell(command string) (string, int) {
	if m := firstPiece.FindStringSubmatch(command); m != nil {
		return v.write(m[2], m[1], true)
	}
	if m := nextPiece.FindStringSubmatch(command); m != nil {
		return v.write(m[2], m[1], false)
	}
	if m := removal.FindStringSubmatch(command); m != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.files, m[1])
		return "", 0
	}
	if m := lastPiece.FindStringSubmatch(command); m != nil && m[1] == m[4] {
		return v.runFile(m[1], m[2], m[3])
	}
	if command == "" || strings.HasPrefix(command, "true ") {
		return "", 0
	}
	return "sh: not found", 127
}

// write appends a chunk to a file; the first one creates it, and removes files that are older than a minute.
func (v *visit) write(name, chunk string, first bool) (string, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.opts.Clock()
	if first {
		for other, file := range v.files {
			// find counts full minutes, and +1 is more than one of them.
			if now.Sub(file.changed) >= 2*time.Minute {
				delete(v.files, other)
			}
		}
	}
	file := v.files[name]
	if first && file != nil {
		return "sh: cannot create /tmp/pxeagent-" + name + ": File exists", 2
	}
	if v.fault.Kind == LoseChunk {
		return "", 0
	}
	if v.fault.Kind == ChangeChunk && chunk != "" {
		chunk = map[bool]string{true: "B", false: "A"}[chunk[0] == 'A'] + chunk[1:]
	}
	if file == nil {
		file = &upload{}
		v.files[name] = file
	}
	file.text += chunk
	file.changed = now
	return "", 0
}

// runFile removes a file, and runs it with this end if that makes it complete.
func (v *visit) runFile(name, end, sum string) (string, int) {
	v.mu.Lock()
	text := end
	if file := v.files[name]; file != nil {
		text = file.text + end
	}
	delete(v.files, name)
	v.mu.Unlock()
	if got := sha256.Sum256([]byte(text)); hex.EncodeToString(got[:]) != sum {
		return "incomplete", 66
	}
	code, ok := inflate(text)
	if !ok {
		return "", 255
	}
	if v.fault.Kind == Fatal || v.fault.Kind == Throw {
		return "PHP Fatal error:  Uncaught Error: Call to undefined function nosuchfunction() in Command line code(1) : " +
			"eval()'d code:1", 255
	}
	result, known := v.php(code, "(system): ", v.fault.Kind)
	switch {
	case !known:
		return "PHP Parse error:  syntax error in Command line code(1) : eval()'d code on line 1", 255
	case v.fault.Kind == NoResult:
		result = ""
	}
	return "\n" + name + ":" + result, 0
}
