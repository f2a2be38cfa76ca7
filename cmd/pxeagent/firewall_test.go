package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/agent/firmware"
	"pxeagent/cmd/pxeagent/backend"
	"pxeagent/cmd/pxeagent/cli"
	"pxeagent/pfsense/pfsensetest"
)

const (
	firewallUser  = "pxeagent"
	firewallWord  = "tr0ub4dor and three"
	firewallAPI   = "0c0ffee0c0ffee0c0ffee0c0ffee0c0f"
	wrongPassword = "not the right passphrase"
)

// fwSite is a stand-in firewall and the command line that works on it. It fails the test if a secret is in any output.
type fwSite struct {
	t  *testing.T
	fw *pfsensetest.Firewall
}

func newFirewallSite(t *testing.T, o pfsensetest.Options) *fwSite {
	t.Helper()
	return firewallSiteIn(t, isolate(t), o)
}

// firewallSiteIn is newFirewallSite with the files password, wrong and key in a folder. Of this machine's configuration
// nothing is kept away.
func firewallSiteIn(t *testing.T, dir string, o pfsensetest.Options) *fwSite {
	t.Helper()
	if o.Users == nil {
		o.Users = []pfsensetest.User{{Name: firewallUser, Password: firewallWord,
			Privileges: []string{"system-xmlrpc-ha-sync", "api-v2-diagnostics-command-prompt-post"}}}
	}
	o.Keys = append(o.Keys, pfsensetest.Key{Value: firewallAPI, User: firewallUser})
	fw, err := pfsensetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fw.Close)
	write(t, filepath.Join(dir, "password"), firewallWord+"\n")
	write(t, filepath.Join(dir, "wrong"), wrongPassword+"\n")
	write(t, filepath.Join(dir, "key"), firewallAPI+"\n")
	return &fwSite{t, fw}
}

// pin is the flag for the firewall's certificate of now.
func (s *fwSite) pin() string { return fmt.Sprintf("--tls-sha256=%x", s.fw.Fingerprint()) }

// run is pxeagent with a line of arguments, to which those that reach the firewall are added, and input on standard
// input.
func (s *fwSite) run(input, line string) result {
	s.t.Helper()
	args := append(strings.Fields(line), "--pfsense="+s.fw.URL().String())
	for _, flag := range []string{"--state-dir=state", "--user=" + firewallUser, s.pin(), "--password-file=password"} {
		name, _, _ := strings.Cut(flag, "=")
		if !strings.Contains(line, name) && !(name == "--password-file" && strings.Contains(line, "--api-key-file")) {
			args = append(args, flag)
		}
	}
	return s.plain(input, args...)
}

func (s *fwSite) plain(input string, args ...string) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(input), stdout: &stdout, stderr: &stderr, backends: backend.Table()}
	code := a.run(s.t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

const desired = " --interface admin --next-server 10.99.0.7 --not-serving-yet"

// A first run needs no file: plan, write, status, again, off, revert. This machine is not in that network, so nothing
// is proven on the wire.
func TestFirewallFromFlags(t *testing.T) {
	for _, way := range []struct{ flags, shown string }{
		{"", "the REST package answers"},
		{"--transport rest", "REST at https://"},
		{"--transport xmlrpc", "XML-RPC at https://"},
		{"--api-key-file key", "an API key is configured"},
		{"--password-file -", "the REST package answers"},
	} {
		s := newFirewallSite(t, pfsensetest.Options{})
		input := ""
		if strings.HasSuffix(way.flags, "-") {
			input = firewallWord + "\n"
		}
		do := func(line string, want cli.Code, texts ...string) {
			t.Helper()
			r := s.run(input, line+" "+way.flags)
			if r.code != want {
				t.Errorf("%s %s: exit %v (%s), want %s\n%s%s", line, way.flags, r.code, r.code, want, r.stdout, r.stderr)
			}
			for _, text := range texts {
				if !strings.Contains(r.stdout+r.stderr, text) {
					t.Errorf("%s %s: %q is not in\n%s%s", line, way.flags, text, r.stdout, r.stderr)
				}
			}
		}
		before := s.fw.Keys("opt1")
		do("configure --dry-run -v"+desired, cli.Differs, "interface ADMIN (opt1)", "undionly.kpxe", way.shown,
			"firewall transport chosen")
		do("status --interface opt1 --next-server 10.99.0.7", cli.Differs, "differ from the desired ones", "not asked")
		if s.fw.Writes() != 0 || !cmp.Equal(s.fw.Keys("opt1"), before) {
			t.Fatalf("%s: a dry run or status wrote", way.flags)
		}
		do("configure"+desired, cli.NotProven, "written and read back")
		do("status --interface igb2 --next-server 10.99.0.7", cli.Done, "settings  in sync")
		do("configure"+strings.Replace(desired, "admin", "ADMIN", 1), cli.NotProven, "the settings are as wanted")
		if n := s.fw.Writes(); n != 1 {
			t.Errorf("%s: %d writes", way.flags, n)
		}
		do("pfsense interfaces", cli.Done, "ADMIN", "opt1", "igb2", "10.99.0.0/24", "on", "isc", "undionly.kpxe")
		do("configure --off --interface admin", cli.NotProven)
		// The journal goes by the interface's id, whatever it is called.
		do("revert --interface opt1", cli.NotProven)
		if diff := cmp.Diff(before, s.fw.Keys("opt1")); diff != "" {
			t.Errorf("%s: after the revert (-before +now)\n%s", way.flags, diff)
		}
		if n := s.fw.Refused(); n != 0 {
			t.Errorf("%s: %d logins were refused", way.flags, n)
		}
	}
}

// What the plan refuses, each with its exit code.
func TestFirewallRefuses(t *testing.T) {
	section := func(edit func(pfsensetest.Tree)) func(pfsensetest.Tree) {
		return func(c pfsensetest.Tree) { edit(c["dhcpd"].(pfsensetest.Tree)["opt1"].(pfsensetest.Tree)) }
	}
	for _, c := range []struct {
		name string
		edit func(pfsensetest.Tree)
		code cli.Code
	}{
		{"no DHCP settings", func(c pfsensetest.Tree) { delete(c["dhcpd"].(pfsensetest.Tree), "opt1") }, backend.NoDHCP},
		{"DHCP off", section(func(s pfsensetest.Tree) { delete(s, "enable") }), backend.DHCPOff},
		{"relay", func(c pfsensetest.Tree) {
			c["dhcrelay"] = pfsensetest.Tree{"enable": "", "interface": "opt1"}
		}, backend.Relay},
		{"a quote elsewhere", func(c pfsensetest.Tree) {
			c["dhcpd"].(pfsensetest.Tree)["lan"].(pfsensetest.Tree)["rootpath"] = `a"b`
		}, cli.Refused},
	} {
		s := newFirewallSite(t, pfsensetest.Options{})
		s.fw.Edit("a test", c.edit)
		s.fw.Apply()
		loads, writes := s.fw.Loads(), s.fw.Writes()
		r := s.run("", "configure"+desired)
		if r.code != c.code || !strings.Contains(r.stdout, "STOP") || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("%s: exit %v (%s), want %s\n%s%s", c.name, r.code, r.code, c.code, r.stdout, r.stderr)
		}
		if s.fw.Loads() != loads || s.fw.Writes() != writes {
			t.Errorf("%s: something was written or loaded", c.name)
		}
	}
	// chain: dhcp where it cannot be had.
	for _, c := range []struct {
		name, release string
		edit          func(pfsensetest.Tree)
		hint          string
	}{
		{"ISC", "", func(pfsensetest.Tree) {}, "or choose Kea"},
		{"an old Kea", "2.7.2-RELEASE", func(c pfsensetest.Tree) { c.Set("dhcpbackend", "kea") }, "or update the firewall"},
		{"no JSON", "", func(c pfsensetest.Tree) {
			c.Set("dhcpbackend", "kea")
			c.Set("kea/custom_kea_config", "e2JhZA==") // {bad
		}, "or correct the custom configuration"},
	} {
		config := pfsensetest.Default()
		c.edit(config)
		s := newFirewallSite(t, pfsensetest.Options{Config: config, Release: c.release})
		r := s.run("", "configure --chain dhcp"+desired)
		if r.code != cli.Refused || !strings.Contains(r.stderr, "hint: use chain: auto") ||
			!strings.Contains(r.stderr, c.hint) || s.fw.Writes() != 0 {
			t.Errorf("%s: exit %v\n%s%s", c.name, r.code, r.stdout, r.stderr)
		}
	}
	s := newFirewallSite(t, pfsensetest.Options{})
	s.fw.SetDirty(true)
	r := s.run("", "configure"+desired)
	if r.code != backend.Unapplied || !strings.Contains(r.stderr, "apply or discard") {
		t.Errorf("saved and not applied: exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
}

func TestFirewallTrust(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	url := s.fw.URL().String()
	r := s.plain("", "pfsense", "trust", url)
	pin := fmt.Sprintf("tls_sha256: %x", s.fw.Fingerprint())
	for _, text := range []string{pin, remote.Fingerprint(s.fw.Fingerprint()), "signed by itself", "valid",
		"openssl s_client -connect 127.0.0.1:" + s.fw.URL().Port()} {
		if r.code != cli.Done || !strings.Contains(r.stdout, text) {
			t.Errorf("exit %v, %q is not in\n%s%s", r.code, text, r.stdout, r.stderr)
		}
	}
	// The line it prints is one that the file takes.
	write(t, "pxeagent.yaml",
		"interface: admin\nnext_server: 10.99.0.7\nstate_dir: state\ndhcp:\n  pfsense:\n    url: "+url+"\n    user: "+
			"pxeagent\n    password_file: password\n    "+pin+"\n")
	if r := s.plain("", "configure", "--not-serving-yet", "--dry-run"); r.code != cli.Differs {
		t.Errorf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.plain("", "pfsense", "trust"); r.code != cli.Done ||
		!strings.Contains(r.stdout, "It is the one that is pinned.") {
		t.Errorf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
	old := s.fw.Fingerprint()
	if err := s.fw.ChangeCertificate(); err != nil {
		t.Fatal(err)
	}
	asked := len(s.fw.Requests())
	r = s.plain("", "configure", "--not-serving-yet")
	if r.code != backend.Certificate || !strings.Contains(r.stderr, remote.Fingerprint(old)) ||
		!strings.Contains(r.stderr, remote.Fingerprint(s.fw.Fingerprint())) {
		t.Errorf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
	if len(s.fw.Requests()) != asked {
		t.Error("something was asked of a changed certificate")
	}
	r = s.plain("", "pfsense", "trust", "--json")
	var said struct {
		SHA256 string `json:"tls_sha256"`
		Pinned string
	}
	if err := json.Unmarshal([]byte(r.stdout), &said); err != nil || r.code != cli.Differs ||
		said.SHA256 != fmt.Sprintf("%x", s.fw.Fingerprint()) || said.Pinned != fmt.Sprintf("%x", old) {
		t.Errorf("exit %v, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}
	if len(s.fw.Requests()) != asked {
		t.Error("trust asked something")
	}
	for _, args := range [][]string{{"pfsense", "trust", "fw.lan"}, {"pfsense", "trust", "https://a", "https://b"},
		{"pfsense", "trust", "http://fw.lan"}} {
		if r := s.plain("", args...); r.code != cli.Usage {
			t.Errorf("%q: exit %v\n%s%s", args, r.code, r.stdout, r.stderr)
		}
	}
}

// What configure learned of the network's addresses, serve, probe and check find this machine's device by, and log in
// nowhere.
func TestLearnedNetwork(t *testing.T) {
	s := newFirewallSite(t, pfsensetest.Options{})
	flags := []string{"--interface=Admin", "--state-dir=state", "--config=pxeagent.yaml"}
	write(t, "pxeagent.yaml", "dhcp:\n  pfsense:\n    url: "+s.fw.URL().String()+"\n")
	eth0 := nic{name: "eth0", up: true, addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}}
	eth1 := nic{name: "eth1", up: true, addrs: []netip.Prefix{netip.MustParsePrefix("10.99.0.7/24")}}
	at := func(nics ...nic) (network, error) {
		t.Helper()
		l, err := loadArgs(flags...)
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.recall()("Admin")
		if err != nil {
			return network{}, err
		}
		return l.network(nics, "Admin", 0, true, f)
	}
	if n, err := at(eth0); err != nil || n.device != "eth0" {
		t.Errorf("one device: %+v, %v", n, err)
	}
	if _, err := at(eth0, eth1); explain(err).Code != cli.NoInterface ||
		!strings.Contains(strings.Join(explain(err).Hints, "\n"), "pxeagent configure") {
		t.Errorf("before: %v, %q", err, explain(err).Hints)
	}
	s.run("", "configure --dry-run"+desired)
	if _, err := os.Stat("state/networks.json"); !os.IsNotExist(err) {
		t.Errorf("a dry run kept something: %v", err)
	}
	if r := s.run("", "configure"+desired); r.code != cli.NotProven {
		t.Fatalf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
	asked := len(s.fw.Requests())
	n, err := at(eth0, eth1)
	if err != nil || n.device != "eth1" || n.next.String() != "10.99.0.7" || n.base.String() != "http://10.99.0.7" {
		t.Errorf("%+v, %v", n, err)
	}
	if len(s.fw.Requests()) != asked {
		t.Error("the firewall was asked")
	}
	if n, err := at(eth0); err == nil {
		t.Errorf("this machine is not in that network: %+v", n)
	}
	write(t, "state/networks.json", "null")
	if _, err := at(eth1); err == nil || !strings.Contains(err.Error(), "networks.json") {
		t.Errorf("spoiled: %v", err)
	}
}

// What the DHCP engine cannot send, configure learned: it is not expected of the offers, by the daemon neither, also if
// that began before.
func TestLearnedAbilities(t *testing.T) {
	c := pfsensetest.Default()
	c.Set("dhcpbackend", "kea")
	s := newFirewallSite(t, pfsensetest.Options{Config: c, Release: "2.7.2-RELEASE"})
	write(t, "pxeagent.yaml", "dhcp:\n  http_boot: on\n  pfsense:\n    url: "+s.fw.URL().String()+"\n")
	l, err := loadArgs("--interface=Admin", "--state-dir=state", "--config=pxeagent.yaml", "--next-server=10.99.0.7")
	if err != nil {
		t.Fatal(err)
	}
	expected := func() dhcp.Boot {
		t.Helper()
		all, err := l.networks(true, l.recall())
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return l.expected(all[0])
	}
	daemon := l.recalled("Admin")
	before := expected()
	if before.URL[firmware.EFI64] == "" || before.NBP[firmware.EFI64] == before.NBP[firmware.BIOS] || daemon().NoURL {
		t.Errorf("before: %+v", before)
	}
	if r := s.run("", "configure --config pxeagent.yaml"+desired); r.code != cli.NotProven {
		t.Fatalf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
	}
	after := expected()
	if after.URL != [firmware.NumArch]string{} || after.NBP[firmware.EFI64] != after.NBP[firmware.BIOS] ||
		after.Script != "" {
		t.Errorf("after: %+v", after)
	}
	if want := (dhcp.Abilities{NoURL: true, OneURL: true, OneNBP: true, NoScript: true}); daemon() != want {
		t.Errorf("the daemon takes it for %+v, want %+v", daemon(), want)
	}
	// As older versions kept it.
	write(t, "state/networks.json", fmt.Sprintf("{%q: %q}", l.learnedKey("Admin"), "10.99.0.0/24"))
	if f, err := l.recall()("Admin"); err != nil || f.Prefix.String() != "10.99.0.0/24" {
		t.Errorf("%+v, %v", f, err)
	}
}

// A proxy that gives up while the firewall puts the old settings back is no outage that is left open: the run says what
// became of it, with hints for the way in that is used. Both runs wait half a minute for the firewall.
func TestProxyGivesUpOverPutBack(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"rest", "xmlrpc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := firewallSiteIn(t, dir, pfsensetest.Options{})
			write(t, filepath.Join(dir, "pxeagent.yaml"), "")
			before := s.fw.Saved()
			s.fw.Order(pfsensetest.Fault{Kind: pfsensetest.GatewayTime, Op: "write", Times: 1})
			s.fw.FailLoads(1)
			r := s.run("", "configure --transport "+transport+desired+" --config "+dir+"/pxeagent.yaml --state-dir "+
				dir+"/state --password-file "+dir+"/password")
			if r.code != cli.Restart || !strings.Contains(r.stderr, "the old ones were put back") ||
				!strings.Contains(r.stderr, "504") ||
				!strings.Contains(r.stderr, "hint: on pfSense, Status > System Logs > DHCP") {
				t.Errorf("exit %v\n%s%s", r.code, r.stdout, r.stderr)
			}
			if strings.Contains(r.stderr, "REST API") || strings.Contains(r.stderr, "switched off") {
				t.Errorf("hints of another cause\n%s", r.stderr)
			}
			if now := s.fw.Saved(); fmt.Sprint(now) != fmt.Sprint(before) || s.fw.Loaded() == nil {
				t.Errorf("the settings are %v, running %v", now, s.fw.Loaded() != nil)
			}
		})
	}
}
