package dhcp_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
)

// flawEnv names what the fake does wrong; TestSuiteFindsFlaws sets it.
const flawEnv = "PXEAGENT_DHCP_FLAW"

func TestMain(m *testing.M) {
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		return &fake{dir: args[0], step: step, flaw: map[string]bool{args[1]: true}}, nil
	}))
}

var (
	wantA = dhcp.Boot{NextServer: netip.MustParseAddr("10.0.0.7"),
		NBP:    [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe", firmware.EFI64: "ipxe.efi"},
		Script: "http://10.0.0.7/ipxe/bootstrap.ipxe"}
	wantB = dhcp.Boot{NextServer: netip.MustParseAddr("10.0.0.8"), NBP: wantA.NBP,
		URL: [firmware.NumArch]string{firmware.EFI64: "http://10.0.0.8/ipxe.efi"}}
	edits = [2]string{
		"# mine, do not touch\n" + `{"next_server":"10.0.0.66","nbp":{"bios":"pxelinux.0"}}` + "\n",
		`{"next_server":"10.0.0.67","nbp":{"bios":"lpxelinux.0"}}` + "\n# hurried\n",
	}
)

func fakeBackend(t *testing.T, flaw string) dhcptest.Backend {
	f := fakeIn(t, flaw)
	return dhcptest.Backend{
		Open:  func(testing.TB) dhcp.Server { return &fake{dir: f.dir, step: func() {}, flaw: f.flaw} },
		Args:  []string{f.dir, flaw},
		Wants: []dhcp.Boot{wantA, wantB},
		EditOwn: func(t testing.TB, edit int) {
			f.must(os.WriteFile(f.file("settings"), []byte(edits[edit]), 0o600))
			f.must(os.WriteFile(f.file("loaded"), []byte(edits[edit]), 0o600))
		},
		EditOthers: func(testing.TB) {
			f.must(os.WriteFile(f.file("others"), append(f.read("others"), '+'), 0o600))
		},
		Own:     func(testing.TB) []byte { return f.read("settings") },
		Others:  func(testing.TB) []byte { return f.others() },
		Written: func(testing.TB) string { return fmt.Sprint(len(f.read("written"))) },
		Loaded:  func(testing.TB) string { return fmt.Sprint(len(f.read("loads"))) },
		Probe:   f.probe,
		Within:  300 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend { return fakeBackend(t, os.Getenv(flawEnv)) })
}

// TestSuiteFindsFlaws runs TestConformance in a process of its own with a server that does one thing wrong, and wants
// it to fail.
func TestSuiteFindsFlaws(t *testing.T) {
	for flaw, subtest := range map[string]string{
		"plan writes":                        "plan",
		"plan is never empty":                "apply",
		"apply does not compare":             "changed_between_plan_and_apply",
		"apply touches others":               "apply",
		"empty plan writes":                  "empty_plan_only_loads",
		"empty plan does not load":           "empty_plan_only_loads",
		"revert does not compare":            "changed_between_apply_and_revert",
		"revert leaves an empty record":      "revert_to_nothing",
		"revert does not load what is there": "revert_of_what_was_not_written_only_loads",
		"writes in place":                    "killed_configure",
		"leaves temporary files":             "killed_configure",
		"never loads":                        "apply",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestConformance$/^"+subtest+"$", "-test.v")
			cmd.Env = append(os.Environ(), flawEnv+"="+flaw)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestConformance/"+subtest+" ") {
				t.Errorf("the suite did not find it: %v\n%s", err, out)
			}
		})
	}
}
