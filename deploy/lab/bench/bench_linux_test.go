package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pxeagent/deploy/lab"
)

// asBench makes the test's program the command.
const asBench = "BENCH_TEST_AS_BENCH"

func TestMain(m *testing.M) {
	if os.Getenv(asBench) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Every test runs, few times and with what needs no package, and nothing is lost. How long it takes is not looked at.
func TestSmallRun(t *testing.T) {
	lab.Need(t, "nft", "tc")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bench := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(self, append(args, "-rounds", "1", "-scale", "0.002", "-fleet-mb", "1")...)
		cmd.Env = append(os.Environ(), asBench+"=1")
		var out, progress bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &progress
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, progress.Bytes())
		}
		return out.Bytes()
	}
	var r report
	text := bench("-json", "-servers", "pxeagent,pxeagent-single,net/http")
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, test := range tests {
		n := slices.IndexFunc(r.Results, func(r result) bool { return r.Test == test.name && r.Server == "pxeagent" })
		if n < 0 {
			t.Errorf("%s: no result of pxeagent", test.name)
		}
	}
	for _, r := range r.Results {
		if r.Lost > 0 || r.Rate <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.CPU <= 0 || r.MB <= 0 || r.NoWindow {
			t.Errorf("not a result: %+v", r)
		}
		if r.Of == "net/http" && r.Ratio <= 0 {
			t.Errorf("nothing is compared: %+v", r)
		}
	}

	table := string(bench("-servers", "pxeagent", "-tests", "^http menu"))
	if !strings.Contains(table, "\n| test ") || strings.Count(table, "\n| http menu, 20 clients | pxeagent ") != 1 {
		t.Errorf("not a table of one test:\n%s", table)
	}
}

func TestResult(t *testing.T) {
	round := func(cpu time.Duration, each ...time.Duration) sample {
		return sample{took: time.Second, each: each, bytes: 3e6, cpu: cpu}
	}
	ms := time.Millisecond
	ours := []sample{round(4*ms, ms, 2*ms), round(90*ms, ms, 3*ms), round(6*ms, ms, 4*ms)}
	theirs := []sample{round(8*ms, ms, ms), round(30*ms, ms, ms), round(6*ms, ms, ms)}
	got := test{name: "x", of: "peer"}.result("pxeagent", ours, theirs)
	want := result{
		Test: "x", Server: "pxeagent", Rate: 2, MBs: 3, P50: 1, P99: 1, Slowest: 3, CPU: 3, Ratio: 1, Of: "peer",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := (test{of: "peer"}).result("peer", theirs, theirs); got.Ratio != 0 || got.Of != "" {
		t.Errorf("a server is compared with itself: %+v", got)
	}
}

// The name of a process may be anything.
func TestReadStat(t *testing.T) {
	line := "71 (a) R 9 (b) S 1 71 71 0 -1 4194560 2000 30000 0 100 5 7 11 13 20 0 1 0 100 9000000 1000\n"
	if got, err := readStat([]byte(line)); err != nil || got != (stat{pid: 71, parent: 1, ended: 240 * time.Millisecond}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "71", "71 )a( S 1", "71 (a) S 1 2 3"} {
		if got, err := readStat([]byte(bad)); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}
