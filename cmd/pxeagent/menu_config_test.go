package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/catalog"
	"pxeagent/cmd/pxeagent/cli"
)

func TestRootShadowOfTheMenu(t *testing.T) {
	const hash = "$5$rbGKkqrW$c3rJPrkPCAc.Idnw0Tv0Grc3A6oHJuL131C2H4ykuXA"
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		want string // of the error; "": none
		code cli.Code
	}{
		"a hash": {hash + "\n", 0o600, "", cli.Done},
		"the password": {"correct horse\n", 0o600,
			"menu.root_shadow_file: not a password hash, which begins with $", cli.Usage},
		"quotes in it":         {"$5$a'b$c\n", 0o600, "has characters that a password hash cannot have", cli.Usage},
		"open to everyone":     {hash, 0o644, "can be read or written by others", cli.Permission},
		"two lines":            {hash + "\n" + hash + "\n", 0o600, "more than one line", cli.Unexpected},
		"a setting of iPXE's":  {"$5$${ip}$x", 0o600, "has characters", cli.Usage},
		"larger than any hash": {"$5$" + strings.Repeat("x", 300), 0o600, "a password hash has at most", cli.Usage},
	} {
		dir := isolate(t)
		file := filepath.Join(dir, "shadow")
		if err := os.WriteFile(file, []byte(tc.text), tc.mode); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PXEAGENT_MENU_ROOT_SHADOW_FILE", file)
		l, err := loadDefaults()
		if err != nil {
			t.Fatal(err)
		}
		m, err := l.menu()
		if tc.want == "" {
			want, parseErr := catalog.ParseShadow(hash)
			if err != nil || parseErr != nil || m.RootShadow != want {
				t.Errorf("%s: %v, %v", name, err, parseErr)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || explain(err).Code != tc.code ||
			strings.Contains(err.Error(), "correct horse") {
			t.Errorf("%s: %v (exit %v), want %q (%v)", name, err, explain(err).Code, tc.want, tc.code)
		}
	}
	isolate(t)
	t.Setenv("PXEAGENT_MENU_ROOT_SHADOW", hash)
	l, err := loadDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := l.menu(); err != nil || m.RootShadow == (catalog.Shadow{}) {
		t.Errorf("from the variable: %v", err)
	}
}
