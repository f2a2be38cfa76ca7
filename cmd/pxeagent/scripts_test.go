package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"pxeagent/agent/image/imagetest"
	"pxeagent/cmd/pxeagent/config"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
	"pxeagent/dnsmasq/opnsense/opnsensetest"
	"pxeagent/pfsense/pfsensetest"
)

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"pxeagent": func() {
		config.Paths = []string{"./pxeagent.yaml"} // not this machine's own in /etc
		main()
	}})
}

type suite struct{ *testing.M }

func (s suite) Run() int { return site.Main(s.M, 6) }

// TestScripts runs each file of testdata/script as a session at a terminal. testdata/script/README.md has the commands
// that the scripts have besides testscript's own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE")) // or each command under the race detector ends a second late
			env.Values["session"] = &session{t: env.T().(scriptT).T, env: env.Vars}
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return runtime.GOOS == "linux" && os.Geteuid() == 0, nil
			case "debian-shim":
				_, err := os.Stat("/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed")
				_, wrong := os.Stat("/usr/lib/shim/shimx64.efi.signed")
				return err == nil && wrong == nil, nil
			}
			return false, fmt.Errorf("unknown condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":          exits,
			"follow":         follow,
			"serve":          serveInBackground,
			"stop-serving":   stopServing,
			"fetch":          fetch,
			"mirror":         startMirror,
			"lan":            startLAN,
			"firewall":       startFirewall,
			"firewall-fails": firewallFails,
			"firewall-saw":   firewallSaw,
			"opnsense":       startOPNsense,
			"opnsense-fails": opnSenseFails,
		},
	})
}

// scriptT is the test of one script. What it skips for want of something fails where everything is required.
type scriptT struct{ *testing.T }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(scriptT{t}) })
}

func (t scriptT) Skip(why ...any) { lab.Missing(t.T, fmt.Sprint(why...)) }

func (scriptT) Verbose() bool { return testing.Verbose() }

// session is what the commands of one script started.
type session struct {
	t        *testing.T
	env      []string
	firewall *pfsensetest.Firewall
	opnsense *opnsensetest.Firewall
	daemon   *exec.Cmd
	log      *lines
}

func sessionOf(ts *testscript.TestScript) *session { return ts.Value("session").(*session) }

// command is a program as the script would run it now.
func (s *session) command(ts *testscript.TestScript, args []string) *exec.Cmd {
	// The shell looks the program up in the script's PATH.
	cmd := exec.Command("sh", append([]string{"-c", `exec "$0" "$@"`}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(s.env[:len(s.env):len(s.env)], "PATH="+ts.Getenv("PATH"))
	return cmd
}

// exits CODE PROGRAM ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// follow PATTERN PROGRAM ARG... interrupts the program at the first line that matches.
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: follow PATTERN PROGRAM ARG...")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	cmd := sessionOf(ts).command(ts, args[1:])
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(ts.Stdout(), lines.Text())
		if re.MatchString(lines.Text()) {
			ts.Check(cmd.Process.Signal(os.Interrupt))
			_, err := io.Copy(io.Discard, out)
			ts.Check(err)
			if err := cmd.Wait(); err != nil {
				ts.Fatalf("interrupted: %v", err)
			}
			return
		}
	}
	ts.Fatalf("ended, and no line matched %q", args[0])
}

// serve FLAG... starts `pxeagent serve` and waits until it serves.
func serveInBackground(ts *testscript.TestScript, neg bool, args []string) {
	s := sessionOf(ts)
	if neg || s.daemon != nil {
		ts.Fatalf("usage: serve FLAG..., once until stop-serving")
	}
	s.log = newLines()
	s.daemon = s.command(ts, append([]string{"pxeagent", "serve"}, args...))
	s.daemon.Stderr = s.log
	ts.Check(s.daemon.Start())
	daemon := s.daemon
	ts.Defer(func() {
		if daemon.ProcessState == nil {
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		}
	})
	ts.Setenv("SERVER", s.log.wait(s.t, `msg=serving .*script=(http://[^/ ]+)/`)[1])
}

// stop-serving ends the daemon as systemd would; its log can be looked at with stderr.
func stopServing(ts *testscript.TestScript, neg bool, args []string) {
	s := sessionOf(ts)
	if neg || len(args) != 0 || s.daemon == nil {
		ts.Fatalf("usage: stop-serving, after serve")
	}
	ts.Check(s.daemon.Process.Signal(syscall.SIGTERM))
	err := s.daemon.Wait()
	fmt.Fprint(ts.Stderr(), s.log.String())
	ts.Check(err)
	s.daemon = nil
}

// fetch URL USER-AGENT
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch URL USER-AGENT")
	}
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	req.Header.Set("User-Agent", args[1])
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s", resp.Status, body)
}

// mirror VERSION... is a web server that publishes these versions of SmartOS.
func startMirror(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: mirror VERSION...")
	}
	m := imagetest.New(sessionOf(ts).t)
	for _, version := range args {
		m.PublishSmartOS(sessionOf(ts).t, version)
	}
	ts.Setenv("MIRROR", m.URL)
}

// firewall [RELEASE] is a stand-in pfSense that serves HTTPS on loopback.
func startFirewall(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: firewall [RELEASE]")
	}
	fw, err := pfsensetest.New(pfsensetest.Options{
		Release: strings.Join(args, ""),
		Users: []pfsensetest.User{{Name: firewallUser, Password: firewallWord,
			Privileges: []string{"system-xmlrpc-ha-sync", "api-v2-diagnostics-command-prompt-post"}}},
		Keys: []pfsensetest.Key{{Value: firewallAPI, User: firewallUser}},
	})
	ts.Check(err)
	ts.Defer(fw.Close)
	sessionOf(ts).firewall = fw
	ts.Setenv("FIREWALL", fw.URL().String())
	ts.Setenv("FINGERPRINT", fmt.Sprintf("%x", fw.Fingerprint()))
}

// firewall-fails KIND makes all requests fail from now on; without a KIND none fails any more.
func firewallFails(ts *testscript.TestScript, neg bool, args []string) {
	fw := sessionOf(ts).firewall
	fw.Heal()
	if !neg {
		fw.Order(pfsensetest.Fault{Kind: pfsensetest.Kind(strings.Join(args, " "))})
	}
}

// firewall-saw N writes|loads|rejected-logins|requests
func firewallSaw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: firewall-saw N writes|loads|rejected-logins|requests")
	}
	fw := sessionOf(ts).firewall
	count := map[string]func() int{"writes": fw.Writes, "loads": fw.Loads, "rejected-logins": fw.Refused,
		"requests": func() int { return len(fw.Requests()) }}[args[1]]
	if count == nil {
		ts.Fatalf("unknown: %s", args[1])
	}
	if got := strconv.Itoa(count()); got != args[0] {
		ts.Fatalf("%s: %s, want %s", args[1], got, args[0])
	}
}
