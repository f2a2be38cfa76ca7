package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pxeagent/cmd/pxeagent/cli"
)

// served is a daemon with a file, on loopback.
type served struct {
	t      *testing.T
	file   string
	base   string
	log    *lines
	code   chan cli.Code
	folder string
}

func serveFile(t *testing.T, yaml string) *served {
	t.Helper()
	dir := isolate(t)
	s := &served{t: t, file: filepath.Join(dir, "pxeagent.yaml"), log: newLines(), code: make(chan cli.Code, 1),
		folder: dir}
	write(t, s.file, yaml)
	for _, tree := range []string{"tftp", "http"} {
		if err := os.MkdirAll(filepath.Join(dir, "root", tree), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		s.code <- run([]string{"serve", "--config", s.file, "--root", filepath.Join(dir, "root"), "--state-dir",
			filepath.Join(dir, "state"),
			"--tftp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--next-server", "127.0.0.1"}, io.Discard, s.log)
	}()
	s.base = s.log.wait(t, `msg=serving .*script=(http://127.0.0.1:\d+)/ipxe/bootstrap.ipxe`)[1]
	t.Cleanup(func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if c := <-s.code; c != cli.Done {
			t.Errorf("exit %v", c)
		}
	})
	return s
}

// get asks as iPXE does that has told its facts.
func (s *served) get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "iPXE/1.21.1+")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (s *served) menu(mac string) string {
	s.t.Helper()
	code, text := s.get("/ipxe/bootstrap.ipxe?platform=pcbios&buildarch=i386&mac=" + mac)
	if code != http.StatusOK {
		s.t.Fatalf("status %d: %s", code, text)
	}
	return text
}

func (s *served) metric(name, want string) {
	s.t.Helper()
	_, text := s.get("/metrics")
	for line := range strings.Lines(text) {
		if got, ok := strings.CutPrefix(strings.TrimSpace(line), "pxeagent_"+name+" "); ok {
			if got != want {
				s.t.Errorf("%s is %s, want %s", name, got, want)
			}
			return
		}
	}
	s.t.Errorf("no metric %s", name)
}

// replace writes as many editors do: another file in the place of the first.
func (s *served) replace(yaml string) {
	s.t.Helper()
	temp := s.file + ".swp"
	write(s.t, temp, yaml)
	if err := os.Rename(temp, s.file); err != nil {
		s.t.Fatal(err)
	}
}

// hup asks for a word at once.
func (s *served) hup() {
	s.t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
}

// A daemon takes up what changes in its file, keeps the last good configuration, and names what needs a restart.
func TestServeFollowsItsFile(t *testing.T) {
	s := serveFile(t, "menu: {title: First}\n")
	if m := s.menu("52:54:00:12:34:01"); !strings.Contains(m, "menu First") {
		t.Fatalf("the menu is\n%s", m)
	}
	s.metric("config_reload_ok", "1")

	// Found without a signal.
	s.replace("menu: {title: Second}\nhosts:\n- {name: node, mac: 52:54:00:12:34:01, profile: p}\nprofiles:\n  p: " +
		"{image: shell, timeout: 7s}\n")
	s.log.wait(t, `msg="The configuration was taken up" keys="\[menu.title hosts profiles\]"`)
	if m := s.menu("52:54:00:12:34:01"); !strings.Contains(m, "menu Second") || !strings.Contains(m, "menu-timeout 7000") {
		t.Errorf("the host's menu is\n%s", m)
	}
	if m := s.menu("52:54:00:12:34:02"); !strings.Contains(m, "menu Second") ||
		!strings.Contains(m, "menu-timeout 30000") {
		t.Errorf("another's menu is\n%s", m)
	}
	s.metric("config_changes_total", "1")

	// A mistake: all are named, and the last good one is kept.
	s.replace("menu: {title: Third, timeout: 5}\nhosts:\n- {mac: nonsense}\n")
	s.hup()
	s.log.wait(t, `msg="A mistake in the configuration" err="menu.timeout: [^\n]*no unit`)
	s.log.wait(t, `msg="A mistake in the configuration" err="hosts\[0\].mac: [^\n]*invalid MAC address`)
	s.log.wait(t, `msg="The last good configuration is kept"`)
	if m := s.menu("52:54:00:12:34:01"); !strings.Contains(m, "menu Second") {
		t.Errorf("after a mistake the menu is\n%s", m)
	}
	s.metric("config_reload_ok", "0")
	if _, status := s.get("/api/v1/status"); !strings.Contains(status, "invalid MAC address") {
		t.Errorf("the page is not told of the mistake: %s", status)
	}

	// The file is gone, too, and comes back as it was.
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	s.hup()
	s.log.wait(t, `msg="The configuration cannot be used" err="reading the configuration [^\n]*no such file`)
	s.replace("# as before\n\nmenu: {title: Second}\n\nhosts:\n- {name: node, mac: 52:54:00:12:34:01, profile: " +
		"p}\nprofiles:\n  p: {image: shell, timeout: 7s}\n")
	s.log.wait(t, `msg="The configuration is again the one in use"`)
	s.metric("config_reload_ok", "1")
	s.metric("config_changes_total", "1")

	// What needs a restart is named; the rest is taken up all the same.
	s.replace("menu: {title: Fourth}\nserve: {universal: true}\nprobe: {interval: 20s}\n")
	s.log.wait(
		t, `msg="The configuration was changed in keys that take effect at the next start only" keys="\[serve.universal probe.interval\]"`)
	s.log.wait(t, `msg="The configuration was taken up" keys="\[menu.title hosts profiles\]"`)
	s.metric("config_changes_total", "2")
	s.hup()
	s.hup()
	if m := s.menu("52:54:00:12:34:01"); !strings.Contains(m, "menu Fourth") ||
		!strings.Contains(m, "menu-timeout 30000") {
		t.Errorf("the menu is\n%s", m)
	}
}

// The hash of root's password has a file of its own, which is followed as well; it is in no log.
func TestServeFollowsTheShadow(t *testing.T) {
	const first, second = "$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1",
		"$5$tlas$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1"
	dir := t.TempDir()
	shadow := filepath.Join(dir, "shadow")
	write(t, shadow, first+"\n")
	s := serveFile(t, "menu: {root_shadow_file: "+shadow+"}\n")
	write(t, shadow, second+"\n")
	s.log.wait(t, `msg="The configuration was taken up" keys=\[menu.root_shadow\]`)
	if err := os.Chmod(shadow, 0o644); err != nil {
		t.Fatal(err)
	}
	s.log.wait(t, `msg="The configuration cannot be used" err="[^\n]*can be read or written by others`)
	s.metric("config_reload_ok", "0")
	// A file that comes to be named is looked at as well, though the configuration could not be used with it.
	other := filepath.Join(dir, "other")
	write(t, other, "no hash\n")
	s.replace("menu: {root_shadow_file: " + other + "}\n")
	s.log.wait(t, `msg="The configuration cannot be used" err="[^\n]*not a password hash`)
	write(t, other, first+"\n")
	s.log.wait(t, `msg="The configuration was taken up" keys=\[menu.root_shadow_file\]`)
	s.metric("config_reload_ok", "1")
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if strings.Contains(s.log.text.String(), "Gcm6") {
		t.Errorf("the hash is in the log:\n%s", s.log.text.String())
	}
}

// Nothing is read until an editor has done.
func TestReloadOfAFileWrittenInSteps(t *testing.T) {
	s := serveFile(t, "menu: {title: First}\n")
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, step := range []string{"menu: {tit", "le: Second", "}\nhosts: [{mac: 52:54:00:12:34:01}]\n"} {
		if _, err := f.WriteString(step); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reloadSettle / 3) // as slow as an editor may be
	}
	s.log.wait(t, `msg="The configuration was taken up" keys="\[menu.title hosts\]"`)
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if strings.Contains(s.log.text.String(), "mistake") {
		t.Errorf("half a file was read:\n%s", s.log.text.String())
	}
}
