package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"pxeagent/deploy/lab"
	"strings"
	"testing"
)

const freebsdDir = "../freebsd"

// freebsdRoot is a folder that scripts take for the root of a FreeBSD, with programs that note how they are called.
type freebsdRoot struct {
	t        *testing.T
	dir, bin string
}

func newFreeBSDRoot(t *testing.T) *freebsdRoot {
	t.Helper()
	f := &freebsdRoot{t: t, dir: t.TempDir(), bin: t.TempDir()}
	note := "#!/bin/sh\necho \"${0##*/} $*\" >>" + f.bin + "/log\n"
	f.program("pw", note+`case "$*" in *show*) exit 1; esac`+"\n")
	f.program("service", note+"[ \"$2\" != onestatus ] || [ ! -e "+f.bin+"/stopped ]\n")
	// Owners need root, and users that there are.
	f.program("install", `#!/bin/sh
for a; do
	shift
	case $a in
	-o | -g) skip=1 ;;
	*) [ -n "$skip" ] || set -- "$@" "$a"; skip= ;;
	esac
done
exec /usr/bin/install "$@"
`)
	return f
}

func (f *freebsdRoot) program(name, text string) {
	f.t.Helper()
	if err := lab.WriteProgram(filepath.Join(f.bin, name), []byte(text)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *freebsdRoot) write(name, text string) {
	f.t.Helper()
	if err := writeFile(filepath.Join(f.dir, name), []byte(text)); err != nil {
		f.t.Fatal(err)
	}
}

// file is a file's text, "" where there is none.
func (f *freebsdRoot) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(f.dir, name))
	return string(b)
}

// run runs a script with more of an environment, and returns what it prints and the programs that it called.
func (f *freebsdRoot) run(script string, env ...string) (says, called string) {
	f.t.Helper()
	os.Remove(filepath.Join(f.bin, "log"))
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append([]string{"PATH=" + f.bin + ":/usr/bin:/bin"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
	log, _ := os.ReadFile(filepath.Join(f.bin, "log"))
	return string(out), strings.ReplaceAll(strings.TrimSpace(string(log)), "\n", "; ")
}

// phase runs a script of the package.
func (f *freebsdRoot) phase(name string, env ...string) (says, called string) {
	f.t.Helper()
	return f.run(string(read(f.t, filepath.Join(freebsdDir, name))), env...)
}

// The scripts make the user and the folders, put a configuration where there is none, and lose nothing of the site's.
func TestFreeBSDScripts(t *testing.T) {
	f := newFreeBSDRoot(t)
	root := "PKG_ROOTDIR=" + f.dir
	const conf, sample = "usr/local/etc/pxeagent/pxeagent.yaml", "usr/local/etc/pxeagent/pxeagent.yaml.sample"
	f.write("usr/local/bin/pxeagent", "by hand\n")
	says, called := f.phase("pre-install", root)
	if !strings.Contains(says, "pxeagent: /usr/local/bin/pxeagent was not the package's, and was moved to ") ||
		f.file("var/db/pxeagent/by-hand/pxeagent") != "by hand\n" || f.file("usr/local/bin/pxeagent") != "" {
		t.Errorf("over one by hand: %q", says)
	}
	want := "pw -R " + f.dir + " groupshow pxeagent; pw -R " + f.dir + " groupadd pxeagent; pw -R " + f.dir +
		" usershow pxeagent; pw -R " + f.dir + " useradd pxeagent -g pxeagent -c pxeagent network boot " +
		"-d /var/db/pxeagent -s /usr/sbin/nologin"
	if called != want {
		t.Errorf("the user: %s\nwant %s", called, want)
	}

	f.write(sample, "#sample\n")
	if says, called := f.phase("post-install", root); says != "" || called != "" {
		t.Errorf("after installing: %q, %s", says, called)
	}
	if got := f.file(conf); got != "#sample\n" {
		t.Errorf("the configuration is %q", got)
	}
	if info, err := os.Stat(filepath.Join(f.dir, conf)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the configuration: %v, %v", info, err)
	}
	for _, dir := range []string{"tftp", "http", "state"} {
		if info, err := os.Stat(filepath.Join(f.dir, "var/db/pxeagent", dir)); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}

	// An upgrade: the package's own program is not taken for one by hand, the configuration is kept.
	f.write("usr/local/bin/pxeagent", "the package's\n")
	f.write(conf, "log: {level: debug}\n")
	f.phase("pre-install", root, "PKG_UPGRADE=1")
	f.phase("pre-deinstall", root, "PKG_UPGRADE=1")
	f.phase("post-install", root, "PKG_UPGRADE=1")
	if f.file("usr/local/bin/pxeagent") != "the package's\n" || f.file(conf) != "log: {level: debug}\n" {
		t.Errorf("upgraded: %q, %q", f.file("usr/local/bin/pxeagent"), f.file(conf))
	}

	// Removed: what the site wrote stays.
	if says, _ := f.phase("pre-deinstall", root); says != "pxeagent: what lies in /var/db/pxeagent was kept\n" ||
		f.file(conf) != "log: {level: debug}\n" {
		t.Errorf("removed: %q, the configuration is %q", says, f.file(conf))
	}
	f.write(conf, "#sample\n")
	if f.phase("pre-deinstall", root); f.file(conf) != "" {
		t.Error("a configuration that nobody changed is kept")
	}
}

// On an upgrade what runs is restarted, and nothing else is started.
func TestFreeBSDUpgradeRestarts(t *testing.T) {
	f := newFreeBSDRoot(t)
	// The part after the configuration, which would be this machine's.
	_, restart, ok := strings.Cut(string(read(t, filepath.Join(freebsdDir, "post-install"))), "\nfi\n")
	if !ok {
		t.Fatal("post-install has no part that restarts")
	}
	for _, c := range []struct {
		stopped bool
		env     []string
		want    string
	}{
		{false, []string{"PKG_UPGRADE=1"}, "service pxeagent onestatus; service pxeagent onerestart"},
		{true, []string{"PKG_UPGRADE=1"}, "service pxeagent onestatus"},
		{false, nil, ""},
		{false, []string{"PKG_UPGRADE=1", "PKG_ROOTDIR=/mnt"}, ""},
	} {
		os.Remove(filepath.Join(f.bin, "stopped"))
		if c.stopped {
			f.program("stopped", "")
		}
		if _, called := f.run("set -e\n"+restart, c.env...); called != c.want {
			t.Errorf("%q: %q, want %q", c.env, called, c.want)
		}
	}
}

// rcSubr is as much of rc.subr(8) as the script needs. What rc.conf says comes from the environment.
const rcSubr = `
warn() { echo "WARNING: $*" >&2; }
load_rc_config() { :; }
run_rc_command() {
	for f in $required_files; do [ -r "$f" ] || { echo "$f is not readable" >&2; exit 1; }; done
	case $1 in
	start) $start_precmd || exit 1; $command $command_args ;;
	reload) $reload_cmd ;;
	*) echo "$rcvar $pidfile $extra_commands" ;;
	esac
}
`

// The script of rc(8) checks the configuration, starts daemon(8) with the user and the file that rc.conf names, and
// says what a user lacks that may not use ports below 1024.
func TestRCScript(t *testing.T) {
	text := string(read(t, filepath.Join(freebsdDir, "pxeagent")))
	if out, err := exec.Command("sh", "-n", filepath.Join(freebsdDir, "pxeagent")).CombinedOutput(); err != nil {
		t.Fatalf("sh -n: %v\n%s", err, out)
	}
	for _, line := range []string{"# PROVIDE: pxeagent\n", "# REQUIRE: DAEMON NETWORKING\n", "# KEYWORD: shutdown\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("rcorder(8) finds no %q", line)
		}
	}
	f := newFreeBSDRoot(t)
	note := "#!/bin/sh\necho \"${0##*/} $*\" >>" + f.bin + "/log\n"
	f.program("daemon", note)
	f.program("pkill", note)
	f.program("pxeagent", note+"[ ! -e "+f.bin+"/wrong ] || { echo 'serve.http: ...' >&2; exit 3; }\n")
	f.program("sysctl", "#!/bin/sh\necho ${RESERVED:-1023}\n")
	subr := filepath.Join(f.dir, "rc.subr")
	f.write("rc.subr", rcSubr)
	f.write("pxeagent.yaml", "")
	script := strings.NewReplacer("/etc/rc.subr", subr, "/usr/sbin/daemon", "daemon",
		"/usr/local/bin/pxeagent", f.bin+"/pxeagent").Replace(text)
	call := func(command string, env ...string) (string, string) {
		t.Helper()
		return f.run("set -- "+command+"\n"+script, append(env, "pxeagent_config="+f.dir+"/pxeagent.yaml")...)
	}
	check := "pxeagent config check --config " + f.dir + "/pxeagent.yaml; "
	daemon := func(user, more string) string {
		return "daemon -f -R 2 -S -T pxeagent -P /var/run/pxeagent.pid -p /var/run/pxeagent.serve.pid -u " + user + " " +
			f.bin + "/pxeagent serve --config " + f.dir + "/pxeagent.yaml" + more
	}
	const warning = "WARNING: ports below 1024 are root's: give them to pxeagent, portacl(5), or set " +
		"pxeagent_runas=root\n"
	for name, c := range map[string]struct {
		env          []string
		says, called string
	}{
		"default":           {nil, warning, check + daemon("pxeagent", "")},
		"ports are granted": {[]string{"RESERVED=0"}, "", check + daemon("pxeagent", "")},
		"root, more flags": {[]string{"pxeagent_runas=root", "pxeagent_args=--single-port --http :8080"}, "",
			check + daemon("root", " --single-port --http :8080")},
	} {
		if says, called := call("start", c.env...); says != c.says || called != c.called {
			t.Errorf("%s:\n%q\n%s\nwant\n%q\n%s", name, says, called, c.says, c.called)
		}
	}
	if _, called := call("reload"); called != "pkill -HUP -F /var/run/pxeagent.serve.pid" {
		t.Errorf("reload: %s", called)
	}
	if says, _ := call("rcvar"); says != "pxeagent_enable /var/run/pxeagent.pid reload\n" {
		t.Errorf("rc is told %q", says)
	}
	f.program("wrong", "")
	says, called := f.run("(set -- start\n"+script+"\n) || echo refused", "pxeagent_config="+f.dir+"/pxeagent.yaml")
	if says != "serve.http: ...\nrefused\n" || strings.Contains(called, "daemon") {
		t.Errorf("with a wrong configuration: %q, %s", says, called)
	}
}
