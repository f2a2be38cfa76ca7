package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

// crowd is the daemon on a network with machines a and b, and a router to machine c; d is behind it as well, with an
// address of the daemon's network for which the router answers ARP.
type crowd struct {
	t          *testing.T
	dir        string
	daemon     *lab.Proc
	a, b, c, d *lab.Host
}

const oncePlatform = "smartos/20130808T195337Z/platform/i86pc/kernel/amd64/unix"

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	lab.Need(t, "ip", "curl")
	near, far := lab.NewSegment(t), lab.NewSegment(t)
	box := near.Host("box", "eth0", "10.77.0.7/24")
	w := &crowd{t: t, dir: t.TempDir(), a: near.Host("a", "eth0", "10.77.0.5/24"),
		b: near.Host("b", "eth0", "10.77.0.6/24")}
	router := near.Host("router", "eth0", "10.77.0.254/24")
	far.Plug(router, "eth1", "10.78.0.1/24")
	w.c, w.d = far.Host("c", "eth0", "10.78.0.9/24"), far.Host("d", "eth0", "10.77.0.66/32")
	router.Do(func() {
		for name, value := range map[string]string{"ip_forward": "1", "conf/eth0/proxy_arp": "1",
			"neigh/eth0/proxy_delay": "0"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
	router.IP("route", "add", "10.77.0.66/32", "dev", "eth1")
	box.IP("route", "add", "10.78.0.0/24", "via", "10.77.0.254")
	w.c.IP("route", "add", "default", "via", "10.78.0.1")
	w.d.IP("route", "add", "default", "via", "10.78.0.1", "dev", "eth0", "onlink")

	config := "state_dir: state\nnext_server: 10.77.0.7\nserve:\n  root: .\nprofiles:\n  p: {image: local, menu: " +
		"skip}\nhosts:\n"
	for name, h := range w.machines() {
		config += fmt.Sprintf("  - {name: %s, mac: %s, profile: p}\n", name, h.MAC("eth0"))
	}
	config += "  - {name: word, uuid: 8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60}\n"
	for name, text := range map[string]string{
		"pxeagent.yaml":          config,
		"tftp/none":              "",
		"http/" + oncePlatform:   "kernel",
		"provision/doc.tmpl":     "for {{.Host}}",
		"provision/secret.tmpl":  `for {{.Host}}: {{secret "root"}}`,
		"provision/secrets/root": "hunter2",
		"http/smartos/20130808T195337Z/platform/i86pc/amd64/boot_archive": "archive",
	} {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.daemon = box.Start(w.binary(), "serve", "--config", w.config())
	w.daemon.WaitOutput(20*time.Second, "msg=serving .*script=http://10.77.0.7/")
	return w
}

func (w *crowd) machines() map[string]*lab.Host {
	return map[string]*lab.Host{"a": w.a, "b": w.b, "c": w.c, "d": w.d}
}

func (w *crowd) config() string { return filepath.Join(w.dir, "pxeagent.yaml") }

func (w *crowd) binary() string {
	w.t.Helper()
	path, err := site.Binary()
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

// once has the operator order a one-time boot for a host.
func (w *crowd) once(name string) {
	w.t.Helper()
	out, err := w.a.Run(w.binary(), "host", "boot", name, "smartos-20130808T195337Z", "--once", "--config", w.config())
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
}

// get is what a machine is answered: the body, then the status on a line of its own.
func (w *crowd) get(h *lab.Host, path string) string {
	w.t.Helper()
	out, err := h.Run("curl", "-sS", "-m", "20", "-A", "iPXE/1.21.1", "-w", "\n%{http_code}", "http://10.77.0.7"+path)
	if err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return out
}

// menu is where a machine that tells these facts is sent without a menu.
func (w *crowd) menu(h *lab.Host, facts string) string {
	w.t.Helper()
	before, _, _ := strings.Cut(w.get(h, "/ipxe/bootstrap.ipxe?platform=pcbios&buildarch=i386"+facts), "\n:start")
	for line := range strings.Lines(before) {
		if _, to, ok := strings.Cut(line, "goto "); ok {
			return strings.Fields(to)[0]
		}
	}
	return ""
}

func (w *crowd) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// A one-time boot and a document are the machine's that the network has there, whatever another tells; behind a router
// they are the machine's that tells so, but for secrets.
func TestWhoseBootAndDocument(t *testing.T) {
	w := newCrowd(t)
	const once, refused = "smartos-20130808T195337Z", "this document is for another machine\n\n403"
	mac := map[string]string{}
	for name, h := range w.machines() {
		mac[name] = "&mac=" + h.MAC("eth0")
		w.once(name)
	}

	// a says that it is b: it has b's profile, and nothing that is b's once.
	w.want("a as b", w.menu(w.a, mac["b"]), "local")
	w.get(w.a, "/"+oncePlatform)
	w.daemon.WaitOutput(10*time.Second, `network contradicts: it claims nothing" client=10\.77\.0\.5 mac=`+w.b.MAC("eth0"))
	w.want("a as b", w.get(w.a, "/provision/doc"), refused)
	w.want("a as itself", w.menu(w.a, mac["a"]), once)
	w.want("a as itself", w.get(w.a, "/provision/secret"), "for a: hunter2\n200")
	w.want("b", w.menu(w.b, mac["b"]), once)
	w.want("b", w.get(w.b, "/provision/secret"), "for b: hunter2\n200")

	// Whoever tells the UUID of a host that is known by nothing else.
	w.menu(w.a, "&uuid=8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60")
	w.want("a by a UUID", w.get(w.a, "/provision/doc"), "for a\n200") // the network knows its MAC
	w.menu(w.c, "&uuid=8a1f7d6e-0c5b-4d3e-9f2a-1b2c3d4e5f60")
	w.want("c by a UUID", w.get(w.c, "/provision/doc"), refused)

	out, err := w.a.Run(w.binary(), "config", "check", "--config", w.config())
	if note := "note: host word (" + w.config() + ":12) gets no documents"; err != nil || !strings.Contains(out, note) {
		t.Errorf("%v: %q is not in %s", err, note, out)
	}

	// Behind a router, and behind one that answers ARP for them.
	for name, h := range map[string]*lab.Host{"c": w.c, "d": w.d} {
		w.get(w.c, "/healthz") // so that the router has two addresses
		w.want(name, w.menu(h, mac[name]), once)
		w.want(name, w.get(h, "/provision/doc"), "for "+name+"\n200")
		w.want(name, w.get(h, "/provision/secret"), refused)
	}
	for name, h := range w.machines() {
		w.menu(h, mac[name])
		w.get(h, "/"+oncePlatform)
		w.daemon.WaitOutput(10*time.Second, `msg="one-time boot done" client=\S+ mac=`+h.MAC("eth0"))
		w.want(name+" after its kernel", w.menu(h, mac[name]), "local")
	}
	for name, client := range map[string]string{"a": `10\.77\.0\.5`, "b": `10\.77\.0\.6`, "c": `10\.78\.0\.9`,
		"d": `10\.77\.0\.66`} {
		w.daemon.WaitOutput(10*time.Second, `msg="one-time boot done" client=`+client+` mac=`+w.machines()[name].MAC("eth0"))
	}
}
