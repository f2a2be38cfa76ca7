package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// kind is a server as it is started.
type kind struct {
	name       string
	program    string // "": pxeagent, or this program
	pkg        string // the Debian package that brings it
	agent      bool   // it is pxeagent
	tftp, http bool
	unwaited   bool     // it starts a process for each transfer and does not wait for it: what it costs is not seen
	version    []string // arguments that make it print its version
	// args are its arguments in the foreground, at an address, with a folder for what it keeps and the one that has the
	// trees tftp and http.
	args func(addr netip.Addr, own, root string) ([]string, error)
}

var kinds = []kind{
	{
		name: "dnsmasq", program: "dnsmasq", pkg: "dnsmasq-base", tftp: true, version: []string{"--version"},
		args: func(addr netip.Addr, _, root string) ([]string, error) {
			return []string{
				"--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
				"--log-facility=/dev/null", "--listen-address=" + addr.String(), "--bind-interfaces",
				"--enable-tftp", "--tftp-root=" + root + "/tftp", "--tftp-max=4000",
			}, nil
		},
	},
	{
		name: "tftpd-hpa", program: "in.tftpd", pkg: "tftpd-hpa", tftp: true, unwaited: true, version: []string{"--version"},
		args: func(addr netip.Addr, _, root string) ([]string, error) {
			return []string{
				"--foreground", "--listen", "--user", "root", "--address", addr.String() + ":69", "--secure", root + "/tftp",
			}, nil
		},
	},
	{
		name: "atftpd", program: "atftpd", pkg: "atftpd", tftp: true, version: []string{"--version"},
		args: func(addr netip.Addr, own, root string) ([]string, error) {
			return []string{
				"--daemon", "--no-fork", "--user", "root", "--bind-address", addr.String(), "--verbose=1",
				"--logfile", own + "/log", "--maxthread", "4000", root + "/tftp",
			}, nil
		},
	},
	{
		name: "nginx", program: "nginx", pkg: "nginx", http: true, version: []string{"-v"},
		args: func(addr netip.Addr, own, root string) ([]string, error) {
			conf := filepath.Join(own, "nginx.conf")
			return []string{"-p", own, "-e", own + "/error.log", "-c", conf},
				os.WriteFile(conf, []byte(nginxConf(addr, own, root)), 0o644)
		},
	},
	{
		name: "net/http", http: true,
		args: func(addr netip.Addr, _, _ string) ([]string, error) {
			return []string{"-bare", addr.String() + ":80"}, nil
		},
	},
	{
		name: "http.FileServer", http: true,
		args: func(addr netip.Addr, _, root string) ([]string, error) {
			return []string{"-bare", addr.String() + ":80", "-folder", root + "/http"}, nil
		},
	},
}

// nginxConf is as Debian's, with the access log of it, and without what ends connections that are in use.
func nginxConf(addr netip.Addr, own, root string) string {
	return fmt.Sprintf(`daemon off;
user root;
pid %[2]s/pid;
worker_processes auto;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log %[2]s/access.log;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  server { listen %[1]s:80 backlog=4096; root %[3]s/http; }
}
`, addr, own, root)
}

// agentKinds are a build of pxeagent with a port for each transfer, and with a single port.
func agentKinds(b build) []kind {
	args := func(more ...string) func(netip.Addr, string, string) ([]string, error) {
		return func(addr netip.Addr, own, root string) ([]string, error) {
			conf := filepath.Join(own, "pxeagent.yaml")
			return append([]string{
				"serve", "--config", conf, "--root", root, "--state-dir", own + "/state",
				"--tftp", addr.String() + ":69", "--http", addr.String() + ":80", "--next-server", addr.String(),
			}, more...), os.WriteFile(conf, nil, 0o644)
		}
	}
	return []kind{
		{name: b.name, program: b.path, agent: true, tftp: true, http: true, version: []string{"version"}, args: args()},
		{
			name: b.name + singlePort, program: b.path, agent: true, tftp: true, version: []string{"version"},
			args: args("--single-port"),
		},
	}
}

// singlePort ends the name of a pxeagent with a single port.
const singlePort = "-single"

// server is one that runs.
type server struct {
	kind
	addr netip.Addr
	cmd  *exec.Cmd
}

// start starts a server and waits until it answers.
func (b *bench) start(ctx context.Context, k kind, n int) (*server, error) {
	s := &server{kind: k, addr: serverAddr(n)}
	own := filepath.Join(b.dir, strings.ReplaceAll(k.name, "/", "-"))
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, err
	}
	args, err := k.args(s.addr, own, filepath.Join(b.dir, "root"))
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(own, "output"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command(k.program, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	b.net.run(func() { err = s.cmd.Start() })
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
		if s.answers(askers.Add(1)) {
			return s, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.stop()
	text, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("%s does not answer: %s", k.name, text)
}

// askers counts who asked whether a server answers. Each has an address of its own: a server may hold it against one
// that asked and was gone when the answer came.
var askers atomic.Int32

// answers asks for a small file.
func (s *server) answers(asker int32) bool {
	from := clientAddr(20000 + int(asker))
	if s.tftp {
		c := &tftpClient{server: s.addr, client: from, file: smallFile, waits: []time.Duration{500 * time.Millisecond}}
		if _, err := c.fetch(); err != nil {
			return false
		}
	}
	if s.http {
		c := &httpClient{server: s.addr, client: from, path: "/" + smallFile}
		defer c.close()
		if _, err := c.fetch(); err != nil {
			return false
		}
	}
	return true
}

// stop ends the server.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	killed := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer killed.Stop()
	_ = s.cmd.Wait() // how it ended says nothing
}

// printVersion is the first line that says which version a server is.
func (k kind) printVersion() string {
	if len(k.version) == 0 {
		return runtime.Version()
	}
	out, _ := exec.Command(k.program, k.version...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
