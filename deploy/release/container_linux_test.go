package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

const (
	boxAddr = "10.77.0.7"
	// both are CAP_NET_BIND_SERVICE and CAP_NET_RAW, as /proc shows sets of capabilities.
	both = "0000000000002400"
	// limit is how long anything in a container may take on a busy machine.
	limit = 30 * time.Second
)

// containers is a network with a machine that runs Docker, in which the image is loaded, and a client.
type containers struct {
	*engine
	site   *site.Site
	client *lab.Host
	run    []string // options of `docker run` that do what compose.yaml does, but for the network; the image is last
}

// The image as `docker load` reads it, run by Docker as compose.yaml has it, and in each way that the guide describes.
func TestContainer(t *testing.T) {
	t.Parallel()
	archive := filepath.Join(made(t), "pxeagent_1.2.3_linux_amd64.docker.tar")
	s := site.Start(t, t.TempDir(), netip.MustParsePrefix(boxAddr+"/24"), site.Leasing)
	c := containers{site: s, engine: newEngine(t, s.Box), client: s.Seg.Host("client", "eth0", "10.77.0.200/24")}
	if got := c.must(t, "load", "--input", archive); got != "Loaded image: pxeagent:1.2.3\n" {
		t.Fatalf("docker load says %q", got)
	}
	service := composed(t, map[string]string{"PXEAGENT_VERSION": "1.2.3", "PXEAGENT_ADDRESS": boxAddr})
	if service.NetworkMode != "host" || service.PullPolicy != "never" {
		t.Errorf("compose.yaml has the network %q, and pulls %q", service.NetworkMode, service.PullPolicy)
	}
	c.run = service.run(t)
	t.Run("image", c.image)
	t.Run("host network", c.hostNetwork)
	t.Run("user 0", c.userZero)
	t.Run("NAT", c.nat)
	t.Run("published ports", c.published)
	t.Run("macvlan", c.macvlan)
	t.Run("mistakes", c.mistakes)
}

// options are those of compose.yaml with further ones before the image.
func (c containers) options(more ...string) []string {
	last := len(c.run) - 1
	return append(append(append([]string{}, c.run[:last]...), more...), c.run[last])
}

// fetch has the client fetch the same file by TFTP and by HTTP.
func (c containers) fetch(t *testing.T, client *lab.Host, from string) {
	t.Helper()
	var got [][]byte
	for _, scheme := range []string{"tftp", "http"} {
		to := filepath.Join(t.TempDir(), "nbp")
		out, err := client.Run("curl", "--silent", "--show-error", "--max-time", "20", "--output", to,
			scheme+"://"+from+"/undionly.kpxe")
		if err != nil {
			t.Fatalf("fetching by %s: %v: %s", scheme, err, out)
		}
		got = append(got, read(t, to))
	}
	if !bytes.Equal(got[0], got[1]) || len(got[0]) < 50_000 {
		t.Errorf("%d bytes by TFTP, %d by HTTP", len(got[0]), len(got[1]))
	}
}

// probes has a container ask for offers in the network: Dnsmasq answers, and its lease leads to no agent.
func (c containers) probes(t *testing.T, container, device, dnsmasq string) {
	t.Helper()
	out, err := c.docker("exec", container, "/usr/bin/pxeagent", "probe", "--interface", device)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(out, dnsmasq) {
		t.Errorf("a probe in the container: %v: %s", err, out)
	}
}

func (c containers) image(t *testing.T) {
	var got []struct {
		Architecture, Os string
		Created          time.Time
		Config           struct {
			User            string
			Entrypoint, Cmd []string
		}
	}
	c.inspected(t, "pxeagent:1.2.3", &got)
	if i := got[0]; i.Architecture != "amd64" || i.Os != "linux" || i.Config.User != "65532:65532" ||
		!i.Created.Equal(example("", "1.2.3").date) {
		t.Errorf("Docker knows the image as %+v", i)
	}
}

// As compose.yaml has it: on the host's network, as a user of its own with two capabilities, all else read-only.
func (c containers) hostNetwork(t *testing.T) {
	p := c.serving(t, "agent", c.options("--network", "host")...)
	got := c.process(t, "agent")
	for key, want := range map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532",
		"CapEff": both, "CapPrm": both, "CapBnd": both, "CapAmb": "0000000000000000", "NoNewPrivs": "0",
	} {
		if got[key] != want {
			t.Errorf("the program has %s %s, want %s", key, got[key], want)
		}
	}
	c.fetch(t, c.client, boxAddr)
	c.probes(t, "agent", "eth1", boxAddr)

	// What it keeps is in the volume: the next container has it.
	c.must(t, "stop", "agent")
	if code := p.Wait(20 * time.Second); code != 0 || !strings.Contains(p.Output(), "msg=stopped") {
		t.Errorf("stopped with exit %d", code)
	}
	if _, err := os.Stat(c.path("data/volumes/boot/_data/state/boots.db")); err != nil {
		t.Error(err)
	}
}

// Where no-new-privileges is demanded: as user 0, whom the bounding set leaves the same two capabilities, and with a
// folder that is user 0's.
func (c containers) userZero(t *testing.T) {
	data := t.TempDir()
	options := without(c.options("--network", "host", "--user", "0:0", "--security-opt", "no-new-privileges",
		"--volume", data+":/var/lib/pxeagent"), "--volume", "boot:/var/lib/pxeagent")
	c.serving(t, "zero", options...)
	got := c.process(t, "zero")
	for key, want := range map[string]string{"Uid": "0 0 0 0", "CapEff": both, "CapBnd": both, "NoNewPrivs": "1"} {
		if got[key] != want {
			t.Errorf("the program has %s %s, want %s", key, got[key], want)
		}
	}
	c.fetch(t, c.client, boxAddr)
	c.probes(t, "zero", "eth1", boxAddr)
	if _, err := os.Stat(filepath.Join(data, "state/boots.db")); err != nil {
		t.Error(err)
	}
}

// rules translate addresses between two networks: the agent is behind the router's own address, and sees no other.
const rules = `table ip nat {
  chain before { type nat hook prerouting priority dstnat;
    iifname "outside" udp dport 69 dnat to 10.77.0.7
    iifname "outside" tcp dport 80 dnat to 10.77.0.7
  }
  chain after { type nat hook postrouting priority srcnat; oifname "inside" masquerade; }
}
table ip filter {
  chain forward { type filter hook forward priority filter; policy drop;
    ct state established,related accept
    ct status dnat accept
  }
}
`

// Through a NAT that admits one port, TFTP works with serve.single_port and not without.
func (c containers) nat(t *testing.T) {
	lab.Need(t, "nft", "curl")
	outside := lab.NewSegment(t)
	router := c.site.Seg.Host("router", "inside", "10.77.0.1/24")
	outside.Plug(router, "outside", "10.88.0.1/24")
	client := outside.Host("far", "eth0", "10.88.0.50/24")
	router.Do(func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(file, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := router.Run("nft", "--file", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const behind = "PXEAGENT_NEXT_SERVER=10.88.0.1"
	t.Run("single port", func(t *testing.T) {
		c.serving(t, "single", c.options("--network", "host", "--env", behind, "--env", "PXEAGENT_SERVE_SINGLE_PORT=true")...)
		c.fetch(t, client, "10.88.0.1")
	})
	t.Run("a port for each transfer", func(t *testing.T) {
		p := c.serving(t, "ports", c.options("--network", "host", "--env", behind)...)
		out, err := client.Run("curl", "--silent", "--show-error", "--max-time", "2", "--output", os.DevNull,
			"tftp://10.88.0.1/undionly.kpxe")
		if err == nil {
			t.Errorf("the file came through a NAT that admits one port: %s", out)
		}
		p.WaitOutput(limit, `client=10\.77\.0\.1:\d+ file=undionly\.kpxe .*outcome=(aborted|timeout)`)
	})
}

// Behind Docker's own bridge and NAT: files and menu, and no probe.
func (c containers) published(t *testing.T) {
	c.serving(t, "published", c.options("--publish", "69:69/udp", "--publish", "80:80",
		"--env", "PXEAGENT_SERVE_SINGLE_PORT=true")...)
	c.fetch(t, c.client, boxAddr)
	out, err := c.client.Run("curl", "--silent", "http://"+boxAddr+"/ipxe/bootstrap.ipxe")
	if err != nil || !strings.Contains(out, "set base http://"+boxAddr+"\n") {
		t.Errorf("the script does not lead to %s: %v: %s", boxAddr, err, out)
	}
}

// With an address of its own in the network: files, menu and probe. The machine that it runs on is out of its reach.
func (c containers) macvlan(t *testing.T) {
	c.must(t, "network", "create", "--driver", "macvlan", "--opt", "parent=eth1", "--subnet", "10.77.0.0/24", "boots")
	const own = "10.77.0.9"
	c.serving(t, "macvlan", c.options("--network", "boots", "--ip", own, "--env", "PXEAGENT_NEXT_SERVER="+own)...)
	c.fetch(t, c.client, own)
	const other = "10.77.0.2"
	c.site.Seg.Host("dhcp", "eth0", other+"/24").
		Dnsmasq("--interface=eth0", "--no-ping", "--dhcp-range=10.77.0.100,10.77.0.110,1h")
	c.probes(t, "macvlan", "eth0", other)
}

// What is easily done wrong with a container is said in one line, with a hint that helps in a container.
func (c containers) mistakes(t *testing.T) {
	folder, roots, short, closed := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for dir, mode := range map[string]os.FileMode{short: 0o644, closed: 0o600} {
		if err := os.WriteFile(filepath.Join(dir, "page-token"), []byte("short"), mode); err != nil {
			t.Fatal(err)
		}
	}
	config, err := filepath.Abs("../container/config")
	if err != nil {
		t.Fatal(err)
	}
	owned := without(c.options("--network", "host", "--volume", roots+":/var/lib/pxeagent"),
		"--volume", "boot:/var/lib/pxeagent")
	read := without(c.options("--network", "host", "--volume", folder+":/etc/pxeagent/pxeagent.yaml"),
		"--volume", config+":/etc/pxeagent:ro")
	for _, m := range []struct {
		name    string
		options []string
		command string
		want    string // all that is printed
	}{
		{
			"no-new-privileges", c.options("--network", "host", "--security-opt", "no-new-privileges"), "serve",
			`pxeagent: TFTP: listening on UDP \[::\]:69: .*permission denied \[permission\]
hint: the container needs NET_BIND_SERVICE and NET_RAW \(cap_add\), and must not have no-new-privileges .*
hint: or run it as user 0 with these two capabilities alone
hint: for a try, listen elsewhere: --tftp :6969 .*
`,
		},
		{
			// The kernel starts no program that has a capability which the container cannot have; it is Docker that says so.
			"one capability left out", without(c.options("--network", "host"), "--cap-add", "NET_RAW"), "serve",
			`.*exec /usr/bin/pxeagent: operation not permitted\s*`,
		},
		{
			"a volume that is root's", owned, "image add generic x --from /etc/passwd --from /etc/group",
			`pxeagent: .*permission denied \[permission\]
hint: what is mounted there has to be user 65532's: on the host, chown -R 65532:65532 the volume that holds /var/lib/.*
`,
		},
		{
			"a secret that is none", c.options("--network", "host", "--volume", short+":/run/secrets:ro"), "serve",
			`pxeagent: page.token: want at least 16 characters .*\n(hint: .*\n)*`,
		},
		{
			"a secret that is root's", c.options("--network", "host", "--volume", closed+":/run/secrets:ro"), "serve",
			`pxeagent: credential page-token: reading the secret: .*permission denied \[permission\]
hint: what is mounted there has to be user 65532's: .* the volume that holds /run/secrets/page-token
`,
		},
		{
			"a folder where the configuration was to be", read, "serve",
			`pxeagent: reading the configuration /etc/pxeagent/pxeagent.yaml: is a directory \[usage\]
hint: an empty folder is what Docker makes where the file to mount does not exist: write the file first
`,
		},
		{
			"no configuration", c.options("--network", "host", "--env", "PXEAGENT_CONFIG=/etc/pxeagent/mine.yaml"), "serve",
			`pxeagent: reading the configuration /etc/pxeagent/mine.yaml: no such file or directory \[usage\]
hint: without --config and PXEAGENT_CONFIG, /etc/pxeagent/pxeagent.yaml and .* are looked for, and none is needed
`,
		},
	} {
		t.Run(m.name, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, m.options...)
			out, err := c.docker(append(args, strings.Fields(m.command)...)...)
			if err == nil || !regexp.MustCompile(`\A`+m.want+`\z`).MatchString(out) {
				t.Errorf("%v: it printed\n%s\nwant\n%s", err, out, m.want)
			}
		})
	}

	// Machines boot all the same where nothing can be kept.
	p := c.serving(t, "forgetful", owned...)
	p.WaitOutput(limit, `msg="boots are kept in memory only.*permission denied" hint="user 65532 has to be able to write`)
}
