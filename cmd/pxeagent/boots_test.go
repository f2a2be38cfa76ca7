package main

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/cmd/pxeagent/cli"
)

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
		ID: "0123456789", Addr: netip.MustParseAddr("10.0.0.9"), Firmware: boot.FirmwareUEFI, Arch: "x86_64",
		Started: at(0), Updated: at(40), Ended: at(40),
		Result: boot.Broken, At: boot.StageImage, File: "a\x1b[2J", Note: "the file is not there",
		Facts: boot.Facts{Product: "P"},
		Stages: []boot.Span{{Stage: boot.StageNBP, Start: at(0), End: at(10), Bytes: 1500000, Files: 1, Resent: 2},
			{Stage: boot.StageImage, Start: at(20), End: at(40), Bytes: 9, Files: 2}},
		Files: []boot.Fetch{{Name: "b\nc\x1b[31m", Proto: boot.TFTP, Class: boot.UEFI, Outcome: boot.NotFound,
			Start: at(20), Took: time.Second}}, More: 3,
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
