package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// inOverlay runs $DIR/commands on this machine as it is, but for what they write: that is gone with them, save below
// $DIR.
const inOverlay = `set -e
mount -t tmpfs none "$DIR/overlay"
mkdir "$DIR/overlay/upper" "$DIR/overlay/work" "$DIR/overlay/root"
root="$DIR/overlay/root"
mount -t overlay none -o "lowerdir=/,upperdir=$DIR/overlay/upper,workdir=$DIR/overlay/work" "$root"
for dir in /proc /sys /dev; do mount --rbind "$dir" "$root$dir"; done
mount --rbind "$DIR" "$root$DIR"
exec chroot "$root" bash "$DIR/commands"
`

// initScript starts the daemon where there is no systemd, and returns when it serves, as the unit does.
const initScript = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          pxeagent
# Required-Start:    $network
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
### END INIT INFO
pid=/run/pxeagent.pid
stop() { start-stop-daemon --stop --oknodo --retry 10 --pidfile $pid --exec /usr/bin/pxeagent; rm -f $pid; }
start() {
  start-stop-daemon --start --background --make-pidfile --pidfile $pid --output DIR/daemon.log \
    --exec /usr/bin/pxeagent -- serve
  until grep -q msg=serving DIR/daemon.log || ! kill -0 $(cat $pid); do sleep 0.1; done
}
case $1 in
start) : > DIR/daemon.log; start ;;
stop) stop ;;
restart) stop; : > DIR/daemon.log; start ;;
status) start-stop-daemon --status --pidfile $pid ;;
esac
`

const playbook = `- hosts: localhost
  connection: local
  gather_facts: false
  roles: [pxeagent]
  vars:
    pxeagent_package: %[1]s
    pxeagent_config:
      interface: eth1
      dhcp:
        backend: dnsmasq
        dnsmasq: {conf_dir: %[2]s/dnsmasq.d, restart: %[2]s/restart}
      menu: {title: Rack 4}
    pxeagent_secrets: {page-token: %[3]s}
`

const commands = `
export ANSIBLE_PIPELINING=1 ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=0
export HOME=/root
install -m 755 $DIR/init /etc/init.d/pxeagent
play() {
  name=$1
  shift
  ansible-playbook -i localhost, -v --diff $DIR/playbook "$@" > $DIR/$name.out 2>&1
  echo $? > $DIR/$name.exit
}
play check --check
command -v pxeagent > $DIR/installed
play first
cp $DIR/dnsmasq.d/* $DIR/written
stat -c '%U:%G %a' /etc/pxeagent/pxeagent.yaml /etc/credstore/page-token > $DIR/modes
play second
pxeagent revert > $DIR/revert.out 2>&1
play later-check --check -e pxeagent_package=
ls $DIR/dnsmasq.d > $DIR/left
service pxeagent stop
`

// The role, by Ansible of Debian, on this machine with an overlay on it: the first run changes, the second does not,
// and --check changes nothing and says what a run would.
func TestAnsibleRole(t *testing.T) {
	t.Parallel()
	deb := filepath.Join(made(t), "pxeagent_1.2.3_amd64.deb")
	lab.Need(t, "ansible-playbook", "unshare", "chroot", "dpkg", "start-stop-daemon")
	s := site.Start(t, t.TempDir(), netip.MustParsePrefix(boxAddr+"/24"), site.Leasing)
	roles, err := filepath.Abs("../ansible/roles")
	if err != nil {
		t.Fatal(err)
	}
	const token = "a-token-of-some-length"
	s.Write("init", strings.ReplaceAll(initScript, "DIR", s.Dir))
	s.Write("commands", commands)
	s.Write("playbook", fmt.Sprintf(playbook, deb, s.Dir, token))
	if err := os.Mkdir(s.Path("overlay"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := s.Box.Run("env", "DIR="+s.Dir, "ANSIBLE_ROLES_PATH="+roles, "unshare", "--mount", "sh", "-c", inOverlay)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, play := range []struct {
		name, exit string
		changed    string // as a pattern
		said       string
	}{
		{"check", "0", "[1-9]\\d*", "changed: .*"},
		{"first", "0", "[1-9]\\d*", `\+menu:\n\+    title: Rack 4|\+  title: Rack 4`},
		{"second", "0", "0", `"changed": false`},
		{"later-check", "0", "1", `"changed": true`},
	} {
		text := s.Read(play.name + ".out")
		recap := regexp.MustCompile(`localhost +: ok=\d+ +changed=` + play.changed + ` `)
		if s.Read(play.name+".exit") != play.exit+"\n" || !recap.MatchString(text) ||
			!regexp.MustCompile(play.said).MatchString(text) {
			t.Errorf("%s: exit %s, want %s, changed %s and %q in\n%s", play.name, s.Read(play.name+".exit"), play.exit,
				play.changed, play.said, text)
		}
		if strings.Contains(text, token) {
			t.Errorf("%s prints the secret:\n%s", play.name, text)
		}
	}
	if got := s.Read("installed"); got != "" {
		t.Errorf("--check installed %s", got)
	}
	if got := s.Read("modes"); got != "root:pxeagent 640\nroot:root 600\n" {
		t.Errorf("configuration and secret have %q", got)
	}
	if got := s.Read("written"); !strings.Contains(got, "undionly.kpxe") {
		t.Errorf("the first run wrote %q", got)
	}
	if got := s.Read("left"); got != "" {
		t.Errorf("--check wrote %q", got)
	}
	if _, err := os.Stat("/etc/init.d/pxeagent"); err == nil {
		t.Error("the overlay lets through to this machine")
	}
}

// The guide shows the example that lies beside the role.
func TestPlaybookInGuide(t *testing.T) {
	example := string(read(t, "../ansible/playbook.example.yml"))
	if !strings.Contains(string(read(t, "../guide/ansible.md")), "```yaml\n"+example+"```\n") {
		t.Errorf("deploy/guide/ansible.md does not show\n%s", example)
	}
}
