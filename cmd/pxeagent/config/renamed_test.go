package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// A key's old name is accepted with its old values, and the warning names the new one.
func TestOldNamesOfKeys(t *testing.T) {
	dir := isolate(t)
	for old, now := range map[string]string{"boot: straight": "menu: skip", "boot: menu": "menu: show"} {
		write(t, "pxeagent.yaml", "profiles:\n  p:\n    image: local\n    "+old+"\n")
		was, err := loadArgs()
		if err != nil {
			t.Fatal(err)
		}
		want := "profiles.p.boot: is called menu now, and here " + now + " (" + filepath.Join(dir, "pxeagent.yaml") + ":4)"
		if len(was.Warnings) != 1 || was.Warnings[0].String() != want {
			t.Errorf("%s: %v, want %s", old, was.Warnings, want)
		}
		write(t, "pxeagent.yaml", "profiles:\n  p:\n    image: local\n    "+now+"\n")
		is, err := loadArgs()
		if err != nil || len(is.Warnings) != 0 {
			t.Fatal(err, is.Warnings)
		}
		if was.Config.Profiles[0].SkipMenu != is.Config.Profiles[0].SkipMenu ||
			is.Config.Profiles[0].SkipMenu != strings.HasSuffix(now, "skip") {
			t.Errorf("%s: %v, %s: %v", old, was.Config.Profiles[0].SkipMenu, now, is.Config.Profiles[0].SkipMenu)
		}
	}
	write(t, "pxeagent.yaml", "profiles:\n  p: {image: local, boot: menu, menu: skip}\n")
	if _, err := loadArgs(); err == nil || !strings.Contains(err.Error(),
		"is the old name of menu, which is set as well") {
		t.Errorf("both names: %v", err)
	}
}

// Chat services keep the secret in the query or the user.
func TestShowHidesWebhookSecrets(t *testing.T) {
	isolate(t)
	t.Setenv("PXEAGENT_WEBHOOK_URL", "https://hooks.example.org/boots?token=hunter2")
	l, err := loadArgs()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range l.Rows() {
		if r.Key == "webhook.url" && r.Value != "https://hooks.example.org/boots?(hidden)" {
			t.Errorf("%v", r.Value)
		}
	}
	s := Setting{Key: Key{Name: "webhook.url"}, Texts: []string{"https://me:hunter2@h/x"}}
	if got := s.shown(); strings.Contains(got, "hunter2") || strings.Contains(got, "me") {
		t.Error(got)
	}
}
