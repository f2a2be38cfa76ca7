package ipxe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Built is the record of a built NBP. It lies beside it.
type Built struct {
	File         string    `json:"file"`   // absolute path
	SHA256       string    `json:"sha256"` // of the file
	Size         int64     `json:"size"`   // bytes
	Target       string    `json:"target"`
	Source       string    `json:"source"`             // absolute path of the tree's src
	Revision     string    `json:"revision,omitempty"` // of the tree, by git describe; "" where it is not a clone
	Script       string    `json:"script"`             // where the script came from
	ScriptSHA256 string    `json:"script_sha256"`
	Time         time.Time `json:"time"`
}

const recordSuffix = ".built.json"

// maxRecord bounds what is read of a record, in bytes.
const maxRecord = 64 << 10

// install puts an NBP and then its record in place. Between the two the record is of another file, which its checksum
// shows.
func (b Build) install(src, name string, made []byte) (Built, error) {
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return Built{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Built{}, fmt.Errorf("making the folder to install in: %w", err)
	}
	built := Built{
		File: filepath.Join(dir, name), SHA256: sum(made), Size: int64(len(made)), Target: b.Target, Source: src,
		Revision: revision(src), Script: b.Named, ScriptSHA256: sum(b.Script), Time: time.Now().UTC().Truncate(time.Second),
	}
	record, err := json.MarshalIndent(built, "", "  ")
	if err != nil {
		return Built{}, err
	}
	if err := renameio.WriteFile(built.File, made, 0o644); err != nil {
		return Built{}, fmt.Errorf("installing %s: %w", name, err)
	}
	if err := renameio.WriteFile(built.File+recordSuffix, append(record, '\n'), 0o644); err != nil {
		return built, fmt.Errorf("recording what %s was built from: %w", name, err)
	}
	return built, nil
}

// ReadBuilt is the record of an NBP. It is an error if it is missing or belongs to another file.
func ReadBuilt(file string) (Built, error) {
	var b Built
	info, err := os.Stat(file + recordSuffix)
	if err != nil {
		return b, err
	}
	if info.Size() > maxRecord || !info.Mode().IsRegular() {
		return b, fmt.Errorf("%s: not a record", file+recordSuffix)
	}
	text, err := os.ReadFile(file + recordSuffix)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("%s: %w", file+recordSuffix, err)
	}
	made, err := os.ReadFile(file)
	if err != nil {
		return b, err
	}
	if sum(made) != b.SHA256 {
		return b, fmt.Errorf("%s is of another file than %s", file+recordSuffix, file)
	}
	return b, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// revision is best effort: a tree unpacked from an archive has none, and git may not be installed.
func revision(src string) string {
	out, err := exec.Command("git", "-C", src, "describe", "--always", "--dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
