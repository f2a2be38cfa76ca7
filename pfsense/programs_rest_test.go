package pfsense

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// All of it by REST: the real programs in chunks through a real shell into real PHP, where they run outside
// of any function.
func TestProgramsByREST(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		s := newStub(t, age)
		sh := newShell(t)
		includes, err := filepath.Abs("testdata/stub")
		if err != nil {
			t.Fatal(err)
		}
		// A notice would be printed before the result, and its file says so.
		s.put("php", fmt.Sprintf("#!/bin/sh\nSTUB_BOX='%s' STUB_AGE=%s exec %s -n -d include_path='%s' -d "+
			"error_reporting=-1 -d display_errors=0 -d log_errors=1 -d error_log='%s' \"$@\"\n",
			s.dir, age, sh.at.php, includes, s.path("notices")))
		if err := os.Chmod(s.path("php"), 0o755); err != nil {
			t.Fatal(err)
		}
		sh.at.php = s.path("php")
		old, before := s.mine(), s.config()
		b := newServer(sh.rest(), "admin")
		b.wait = quick
		p := mustPlan(t, b, testBoot("10.99.0.5"))
		if err := b.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		wantOthersSame(t, before, s.config())
		if record, _ := s.mine().record(); string(record) != string(p.After.Raw) {
			t.Errorf("%s: written was %s", age, record)
		}
		if err := b.Revert(t.Context(), p); err != nil || s.mine() != old {
			t.Errorf("%s: reverted to %v: %v", age, s.mine(), err)
		}
		if left, notices := sh.left(), s.get("notices"); len(left) > 0 || strings.TrimSpace(notices) != "" {
			t.Errorf("%s: left %v, notices %s", age, left, notices)
		}
	}
}
