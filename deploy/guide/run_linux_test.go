package guide

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/image/imagetest"
	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
	"pxeagent/pfsense/pfsensetest"
)

func TestMain(m *testing.M) { os.Exit(site.Main(m, 4)) }

// update has the guides show what their commands print now: go test ./deploy/guide -run TestGuides -update
var update = flag.Bool("update", false, "write what commands print into the guides; … is to be put back by hand")

// runLimit is how long the commands of one guide may take on a busy machine.
const runLimit = 3 * time.Minute

// A guide's commands are run in the order in which they stand, on a machine at 10.77.0.7 that leases addresses with
// Dnsmasq on eth1, in namespaces of its own: /etc, /mnt and /var/lib are its own as well. Each must end with the exit
// code that a comment names, else 0, and print what the guide shows.
func TestGuides(t *testing.T) {
	lab.NoShort(t)
	lab.Need(t, "dnsmasq", "bash", "unshare", "mount", "curl", "openssl")
	for _, name := range guides(t) {
		found, err := blocks(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if hasCommands(found) {
			t.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) { newScene(t, name).run(name, found) })
		}
	}
}

func hasCommands(bs []block) bool {
	for _, b := range bs {
		if b.lang == "sh" {
			return true
		}
	}
	return false
}

// scene is the machine on which a guide's commands are run.
type scene struct {
	t   *testing.T
	dir string
	box *lab.Host

	opening string // of the script
	pin     string // the firewall's certificate, which guides call 0f3c…
}

// mirror is where a host has images to fetch, as their makers have them. The latest SmartOS is 20130808T195337Z.
const mirror = "10.77.0.20"

func newScene(t *testing.T, guide string) *scene {
	t.Parallel()
	seg := lab.NewSegment(t)
	s := &scene{t: t, dir: t.TempDir(), opening: opening + withDnsmasq}
	for _, dir := range []string{"bin", "etc", "lib/misc", "mnt", "out", "work"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	switch guide {
	case "pfsense.md":
		s.box, s.opening = seg.Host("box", "eth1", "10.99.0.7/24"), opening+withFirewall
		s.firewall(seg.Host("fw", "igb2", "10.99.0.1/24"))
		return s
	case "opnsense.md":
		s.box, s.opening = seg.Host("box", "eth1", "10.77.0.7/24"), opening+withOPNsense
		s.opnSense(seg.Host("fw", "igc1", "10.77.0.1/24"))
		return s
	}
	s.box = seg.Host("box", "eth1", "10.77.0.7/24")
	s.mirror(seg.Host("mirror", "eth0", mirror+"/24"))
	return s
}

// firewall starts a stand-in pfSense whose interface ADMIN is the network, until the test ends.
func (s *scene) firewall(h *lab.Host) {
	s.t.Helper()
	const password = "tr0ub4dor and three"
	if err := os.WriteFile(s.path("password"), []byte(password+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var fw *pfsensetest.Firewall
	var err error
	h.Do(func() {
		if fw, err = pfsensetest.New(pfsensetest.Options{Listen: "10.99.0.1:443", Users: []pfsensetest.User{
			{Name: "pxeagent", Password: password, Privileges: []string{
				"system-xmlrpc-ha-sync", "api-v2-diagnostics-command-prompt-post",
			}},
		}}); err == nil {
			err = fw.ServeDHCP("opt1", "igb2")
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(fw.Close)
	s.pin = fmt.Sprintf("%x", fw.Fingerprint())
}

// mirror serves images from a host until the test ends.
func (s *scene) mirror(h *lab.Host) {
	s.t.Helper()
	images := imagetest.NewHandler()
	images.PublishSmartOS(s.t, "20140101T000000Z")
	images.PublishSmartOS(s.t, "20130808T195337Z")
	images.PublishMemtest(s.t, "7.20")
	var l net.Listener
	var err error
	h.Do(func() { l, err = net.Listen("tcp4", mirror+":80") })
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: images}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	s.t.Cleanup(func() { server.Close(); <-ended })
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// opening makes the machine: folders of its own. In the end it ends what was started there.
const opening = `set -u
cp -a /etc/. "$SCENE/etc"
mount --bind "$SCENE/etc" /etc
mount --bind "$SCENE/lib" /var/lib
mount --bind "$SCENE/mnt" /mnt
mkdir -p /etc/dnsmasq.d /etc/pxeagent /var/lib/pxeagent/tftp /var/lib/pxeagent/http
cd "$SCENE/work"
finish() {
  kill $(jobs -p) $(cat "$SCENE/dnsmasq.pid" 2>/dev/null) 2>/dev/null
  wait
}
trap finish EXIT
`

// withFirewall is what a person does before the guide to pfSense begins.
const withFirewall = `echo 10.99.0.1 fw.lan >> /etc/hosts
install -m 600 "$SCENE/password" /etc/pxeagent/pfsense-password
`

// withDnsmasq starts Dnsmasq, and makes what restarts it as systemd does on a real machine.
const withDnsmasq = `cat > /etc/dnsmasq.conf <<END
port=0
bind-dynamic
no-ping
no-resolv
no-hosts
leasefile-ro
user=root
pid-file=$SCENE/dnsmasq.pid
log-facility=$SCENE/dnsmasq.log
conf-dir=/etc/dnsmasq.d
interface=eth1
dhcp-range=10.77.0.50,10.77.0.90,1h
END
cat > "$SCENE/restart" <<'END'
#!/bin/sh
pid=$(cat "$SCENE/dnsmasq.pid" 2>/dev/null)
if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
exec dnsmasq
END
chmod 755 "$SCENE/restart"
export PXEAGENT_DHCP_DNSMASQ_RESTART="$SCENE/restart"
cat > "$SCENE/bin/systemctl" <<'END'
#!/bin/sh
[ "$*" = "restart dnsmasq" ] && exec "$SCENE/restart"
echo "systemd does not run here" >&2
exit 1
END
chmod 755 "$SCENE/bin/systemctl"
PATH=$SCENE/bin:$PATH
"$SCENE/restart" || exit 1
`

// prepared is what some guides take for granted.
var prepared = map[string]string{
	"images.md": "echo 'interface: eth1' > /etc/pxeagent/pxeagent.yaml\n",
	"menu.md": "echo 'interface: eth1' > /etc/pxeagent/pxeagent.yaml\n" +
		added("smartos 20130808T195337Z", "memtest 7.20") +
		"printf '#!ipxe\\nprompt Press a key to test the memory || exit\\ngoto memtst\\n' > bootstrap.ipxe\n",
	"machines.md": added("smartos 20130808T195337Z", "smartos 20140101T000000Z"),
}

// added are the commands that add images.
func added(images ...string) (script string) {
	for _, i := range images {
		script += "pxeagent image add " + i + " --mirror http://" + mirror + " > /dev/null || exit 1\n"
	}
	return script
}

// run runs a guide's commands and writes its files.
func (s *scene) run(name string, bs []block) {
	var script strings.Builder
	script.WriteString(s.opening + prepared[name])
	var all []command
	for _, b := range bs {
		if path := b.file(); path != "" {
			fmt.Fprintf(&script, "mkdir -p '%s'\ncat > '%s' <<'END OF FILE'\n%s\nEND OF FILE\n",
				filepath.Dir(path), path, strings.ReplaceAll(strings.Join(b.lines, "\n"), "0f3c…", s.pin))
		}
		if b.lang != "sh" {
			continue
		}
		for _, c := range b.commands() {
			out := s.path(fmt.Sprintf("out/%d", len(all)))
			all = append(all, c)
			fmt.Fprintf(&script, "{ %s\n} > '%s' 2>&1 < /dev/null\ncode=$?\n", c.text, out)
			if strings.HasSuffix(c.text, "&") {
				// The daemon goes on while the next commands are run.
				fmt.Fprintf(&script, "until grep -q msg=serving '%s' || ! kill -0 $! 2>/dev/null; do sleep 0.05; done\n", out)
			}
			fmt.Fprintf(&script, "echo $code > '%s.exit'\n", out)
			if !*update {
				fmt.Fprintf(&script, "[ $code = %s ] || exit 0\n", c.exit)
			}
		}
	}
	if err := os.WriteFile(s.path("script"), []byte(script.String()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "bash", s.path("script"))
	binary, err := site.Binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "SCENE="+s.dir, "HOME="+s.path("work"),
		"PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	if code := s.box.StartCmd(cmd).Wait(runLimit); code != 0 {
		s.t.Fatalf("%s: the scene could not be set: exit code %d", name, code)
	}
	if *update {
		s.update(name, all)
		return
	}
	for i, c := range all {
		s.compare(fmt.Sprintf("%s:%d: %s", name, c.line, c.text), c, s.path(fmt.Sprintf("out/%d", i)))
	}
}

// update writes a guide again, with what its commands printed where that is not what it shows.
func (s *scene) update(name string, all []command) {
	s.t.Helper()
	lines := strings.Split(read(s.t, name), "\n")
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		output, err := os.ReadFile(s.path(fmt.Sprintf("out/%d", i)))
		if err != nil || !c.show || matches(c.want, string(output)) {
			continue
		}
		from := c.line + strings.Count(c.text, "\n")
		printed := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
		lines = slices.Replace(lines, from, from+len(c.want), printed...)
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) compare(what string, c command, path string) {
	s.t.Helper()
	exit, err := os.ReadFile(path + ".exit")
	if err != nil {
		s.t.Fatalf("%s\nwas not run, since the one before it failed", what)
	}
	output := read(s.t, path)
	if got := strings.TrimSpace(string(exit)); got != c.exit {
		s.t.Errorf("%s\nexit %s, want %s; it printed:\n%s", what, got, c.exit, output)
	}
	if c.show && !matches(c.want, output) {
		s.t.Errorf("%s\nprinted:\n%s\nthe guide shows:\n%s", what, output, strings.Join(c.want, "\n"))
	}
}
