package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/cmd/pxeagent/cli"
)

// servedBoots is a daemon in this process, on loopback.
type servedBoots struct {
	t     *testing.T
	state string
	base  string
	log   *lines
	end   func()
}

func serveBoots(t *testing.T, args ...string) *servedBoots {
	t.Helper()
	dir := isolate(t)
	if err := os.MkdirAll(filepath.Join(dir, "http"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &servedBoots{t: t, state: filepath.Join(dir, "state"), log: newLines()}
	code := make(chan cli.Code, 1)
	go func() {
		code <- run(append([]string{"serve", "--root", dir, "--tftp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--next-server", "127.0.0.1", "--state-dir", s.state}, args...), io.Discard, s.log)
	}()
	s.base = s.log.wait(t, `msg=serving .*script=(http://127.0.0.1:\d+)/ipxe/`)[1]
	ended := false
	s.end = func() {
		if ended {
			return
		}
		ended = true
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if c := <-code; c != cli.Done {
			t.Errorf("serve: exit %v", c)
		}
	}
	t.Cleanup(s.end)
	return s
}

// fetch asks as a machine with an address of its own.
func (s *servedBoots) fetch(path, userAgent string) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}).DialContext}}
	req, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
}

// The commands ask the daemon; without one they say so, and have an exit code for it.
func TestBootsCommand(t *testing.T) {
	s := serveBoots(t)
	state := "--state-dir=" + s.state
	if r := pxeagent("boots", state); r.code != cli.Done || r.stdout != "no boots\n" {
		t.Errorf("%+v", r)
	}
	followed := newLines()
	code := make(chan cli.Code, 1)
	go func() { code <- run([]string{"boots", "--follow", state}, followed, io.Discard) }()
	asJSON := newLines()
	go func() { code <- run([]string{"boots", "--follow", "--json", state}, asJSON, io.Discard) }()

	s.fetch("/ipxe.efi", "UefiHttpBoot/1.0")
	followed.wait(t, `127\.0\.0\.9 +nbp…\n`)
	s.fetch("/ipxe/bootstrap.ipxe?mac=52:54:00:12:34:56&platform=efi&buildarch=x86_64&product=a%20%22b%22", "iPXE/1.21")
	followed.wait(t, `52:54:00:12:34:56 +script…\n`)
	s.fetch("/ipxe/local", "iPXE/1.21")
	id := followed.wait(t, `([0-9a-z]{10})  52:54:00:12:34:56  local_disk in `)[1]
	last := asJSON.wait(t, `(\{.*"result":"local_disk".*\})\n`)[1]
	var b boot.Boot
	if err := json.Unmarshal([]byte(last), &b); err != nil || b.ID != id {
		t.Errorf("%v: %s", err, last)
	}

	if r := pxeagent("boots", state); r.code != cli.Done || !strings.Contains(r.stdout, "STARTED") || !strings.Contains(r.stdout, id) {
		t.Errorf("%+v", r)
	}
	var list struct{ Boots []boot.Boot }
	r := pxeagent("boots", state, "--json", "--mac", "52-54-00-12-34-56", "--result", "local_disk", "--limit", "5")
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || len(list.Boots) != 1 || list.Boots[0].ID != id {
		t.Errorf("%v: %+v", err, r)
	}
	if r := pxeagent("boots", state, "--result", "stalled"); r.stdout != "no boots\n" {
		t.Errorf("%+v", r)
	}
	r = pxeagent("boots", "show", id[5:], state)
	for _, want := range []string{id + "  52:54:00:12:34:56  local_disk", "firmware  uefi-http, x86_64", `machine   a "b"`, "nbp     |", "script  |", "/ipxe/local"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the timeline lacks %q:\n%s", want, r.stdout)
		}
	}
	if r := pxeagent("boots", "show", "nothing", state); r.code != cli.NoBoot || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("%+v", r)
	}
	for _, args := range [][]string{{"boots", "--limit", "0"}, {"boots", "--mac", "x"}, {"boots", "--result", "x"}, {"boots", "show"}, {"boots", "list"}} {
		if r := pxeagent(append(args, state)...); r.code != cli.Usage {
			t.Errorf("%q: %+v", args, r)
		}
	}
	if r := pxeagent("serve", "--root="+filepath.Dir(s.state), "--tftp=127.0.0.1:0", "--http=127.0.0.1:0", "--next-server=127.0.0.1", state); r.code != cli.Running || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("a second daemon: %+v", r)
	}
	s.end()
	for range 2 { // SIGTERM went to all of this process
		if c := <-code; c != cli.Done && c != cli.NotRunning {
			t.Errorf("--follow: exit %v", c)
		}
	}
	for _, args := range [][]string{{"boots"}, {"boots", "--follow"}, {"boots", "show", id}} {
		r := pxeagent(append(args, state)...)
		if r.code != cli.NotRunning || !strings.Contains(r.stderr, "the daemon is not running") || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("%q without a daemon: %+v", args, r)
		}
	}
	if r := pxeagent("boots", "--json", state); r.code != cli.NotRunning || !strings.Contains(r.stdout, `"code": "not-running"`) {
		t.Errorf("%+v", r)
	}
}

func TestSocketOfAnother(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("missing: a user for whom a mode is no mere advice; root may open every socket")
	}
	dir := isolate(t)
	l, err := net.Listen("unix", filepath.Join(dir, "pxeagent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(filepath.Join(dir, "pxeagent.sock"), 0); err != nil {
		t.Fatal(err)
	}
	if r := pxeagent("boots", "--state-dir="+dir); r.code != cli.Permission {
		t.Errorf("%+v", r)
	}
}

func TestWebhookSecret(t *testing.T) {
	isolate(t)
	write(t, "pxeagent.yaml", "webhook:\n  url: https://hooks.example.org/x\n  secret_file: s\n")
	load := func() (string, error) {
		t.Helper()
		l, err := loadArgs()
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.boots()
		return b.Webhook.Secret, err
	}
	write(t, "s", "a secret\n")
	if s, err := load(); s != "a secret" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if err := os.Chmod("s", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := load(); explain(err).Code != cli.Permission || strings.Contains(err.Error(), "a secret") {
		t.Errorf("readable by all: %v", err)
	}
	t.Setenv("PXEAGENT_WEBHOOK_SECRET", "from the environment")
	if s, err := load(); s != "from the environment" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
}

// A timeline is drawn to scale, and nothing in it moves a terminal's cursor.
func TestTimelineIsDrawn(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	at := func(sec int) time.Time { return time.Date(2026, 1, 2, 3, 4, sec, 0, time.UTC) }
	b := boot.Boot{
		ID: "0123456789", Addr: netip.MustParseAddr("10.0.0.9"), Firmware: boot.FirmwareUEFI, Arch: "x86_64", Started: at(0), Updated: at(40), Ended: at(40),
		Result: boot.Broken, At: boot.StageImage, File: "a\x1b[2J", Note: "the file is not there", Facts: boot.Facts{Product: "P"},
		Stages: []boot.Span{{Stage: boot.StageNBP, Start: at(0), End: at(10), Bytes: 1500000, Files: 1, Resent: 2}, {Stage: boot.StageImage, Start: at(20), End: at(40), Bytes: 9, Files: 2}},
		Files:  []boot.Fetch{{Name: "b\nc\x1b[31m", Proto: boot.TFTP, Class: boot.UEFI, Outcome: boot.NotFound, Start: at(20), Took: time.Second}}, More: 3,
	}
	var out strings.Builder
	if err := newBootPrinter(&out, false).timeline(b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  nbp     |##########                              |      10s    1.4 MiB  1 file, 2 packets sent again\n",
		"  image   |                    ####################|      20s        9 B  2 files\n",
		`  why       "a\x1b[2J": the file is not there`,
		`tftp uefi         not_found        0 B     1.0s  "b\nc\x1b[31m"`,
		"  and 3 files more\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("an escape sequence reached the terminal")
	}
}
