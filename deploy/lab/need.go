// Package lab is the test lab: network namespaces that a test makes for itself, the
// real peers run in them, and a relay that spoils traffic. Only tests and the lab's
// own commands import it.
package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// RequireEnv is the environment variable under which what cannot be tested is a failure
// and not a skip. CI sets it to 1.
const RequireEnv = "PXEAGENT_REQUIRE_E2E"

// Need skips t where this process is not root on Linux or one of the tools is not in
// PATH or the usual sbin folders, and says what is missing. Under RequireEnv it fails.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root (for network namespaces)")
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		Missing(t, strings.Join(missing, ", "))
	}
}

// NeedFile is Need for files that packages bring: firmware, kernels.
func NeedFile(t testing.TB, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			Missing(t, p)
		}
	}
}

// NoShort skips t under -short, for tests that take more than some seconds.
func NoShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short")
	}
}

// Missing skips t, or fails it under RequireEnv, for want of something.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("missing: %s (and %s=1 forbids to skip)", what, RequireEnv)
	}
	t.Skipf("missing: %s", what)
}
