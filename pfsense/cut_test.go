package pfsense

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/dhcp"
)

// await waits until done says so; it is for what other processes do to files.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// web is PHP's own web server on s. It returns its address.
func (s *stub) web(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	includes, err := filepath.Abs("testdata/stub")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command("php", "-n", "-d", "include_path="+includes, "-S", addr, filepath.Join(includes, "web.php"))
	cmd.Env = append(os.Environ(), "STUB_AGE="+s.age, "STUB_BOX="+s.dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("php -S: %s", out.String())
		}
	})
	await(t, "php -S", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return addr
}

// hangUp sends p and closes the connection while its stop_at'th call is being made. It waits until PHP has nothing left
// to do.
func (s *stub) hangUp(t *testing.T, addr string, p program) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: fw\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(p.code), p.code)
	await(t, "the step", func() bool { return exists(s.path("stopped")) })
	// Unread data makes this a reset, which PHP sees at its next write.
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	s.put("go", "")
	// The server runs one request at a time: the answer to this one says that the other is over.
	res, err := http.Post("http://"+addr, "text/plain", strings.NewReader("$toreturn = 'over';"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "over" {
		t.Fatalf("after the hang-up: %q %v", body, err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestConnectionCut(t *testing.T) {
	t.Parallel()
	base := newStub(t, "2.9.0")
	plan := mustPlan(t, base.server("admin"), testBoot("10.99.0.5"))
	program := func(patch func(string) string) program {
		before, _ := parseRecord(plan.Before.Raw)
		after, _ := parseRecord(plan.After.Raw)
		p, err := newProgram("write", change{Op: "write", ID: "opt1", Before: before.keys, After: after.keys, Wait: .2,
			Message: "cut"})
		if err != nil {
			t.Fatal(err)
		}
		p.code = patch(p.code)
		return p
	}
	asIs := func(code string) string { return code }
	// lock, read, write_config, its lock and unlock, read, services_dhcpd_configure, unlock.
	const steps = 8
	for step := 1; step <= steps; step++ {
		s := newStub(t, "2.9.0")
		s.order(map[string]any{"stop_at": step})
		s.hangUp(t, s.web(t), program(asIs))
		if record, _ := s.mine().record(); !reflect.DeepEqual(record, plan.After.Raw) {
			t.Errorf("cut at step %d: the settings are %s", step, record)
		}
		if s.get("history") != "cut\n" || !strings.Contains(s.get("loaded"), "10.99.0.5") ||
			!strings.HasSuffix(s.get("steps"), "unlock\n") {
			t.Errorf("cut at step %d: history %q, loaded %s, steps %q", step, s.get("history"), s.get("loaded"), s.get("steps"))
		}
	}
	// The same if the daemon does not start: the settings are restored although the connection is gone.
	s := newStub(t, "2.9.0")
	before := s.config()
	s.order(map[string]any{"stop_at": 3, "breaks": "undionly.kpxe"})
	s.hangUp(t, s.web(t), program(asIs))
	if !reflect.DeepEqual(before, s.config()) || s.get("chroot/var/run/dhcpd.pid") != "well" {
		t.Errorf("not restored after the connection was closed: %v", s.get("history"))
	}
	// That this test sees a program that stops: without ignore_user_abort it does.
	s = newStub(t, "2.9.0")
	s.order(map[string]any{"stop_at": 3})
	s.hangUp(t, s.web(t), program(func(code string) string {
		return strings.Replace(code, "ignore_user_abort(true);", "", 1)
	}))
	if s.get("history") != "" {
		t.Error("PHP did not notice the hang-up, so this test shows nothing")
	}
	// The lock of a process that is gone is free.
	if err := s.server("admin").Apply(t.Context(), dhcp.Plan{Before: plan.Before, After: plan.After}); err != nil {
		t.Error(err)
	}
}
