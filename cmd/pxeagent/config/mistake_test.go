package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/viper"

	"pxeagent/cmd/pxeagent/cli"
)

// mistakesOf are the messages for a file, variables and flags, with FILE for the file's path.
func mistakesOf(t *testing.T, file string, env, args []string) []string {
	t.Helper()
	dir := isolate(t)
	if file != "" {
		write(t, "pxeagent.yaml", file)
	}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	_, err := loadArgs(args...)
	var ms Mistakes
	if err != nil && !errors.As(err, &ms) {
		t.Fatalf("not mistakes: %v", err)
	}
	var texts []string
	for _, m := range ms {
		texts = append(texts, strings.ReplaceAll(m.String(), filepath.Join(dir, "pxeagent.yaml"), "FILE"))
	}
	return texts
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env, args  []string
		want       []string
	}{
		{name: "none", file: "# nothing\n"},
		{name: "nulls", file: "serve:\nlog:\n  level:\nnext_server: ~\nchain: ''\n"},
		{name: "alias", file: "state_dir: &d /x\ndhcp:\n  shed: {dir: *d}\n"},

		{name: "unknown keys",
			file: "Interface: a\nnext-server: b\nserve:\n  roots: c\n  tls: d\ntftp: e\nzzz: f\n[a]: b\n", want: []string{
				"Interface: unknown key; did you mean interface? (FILE:1)",
				"next-server: unknown key; did you mean next_server? (FILE:2)",
				"serve.roots: unknown key; did you mean serve.root? (FILE:4)",
				"serve.tls: unknown key (FILE:5)",
				"tftp: unknown key; did you mean serve.tftp? (FILE:6)",
				"zzz: unknown key (FILE:7)",
				"FILE:8: unknown key",
			}},
		{name: "a secret in the file", file: "dhcp:\n  tower:\n    password: hunter2\n    apikey: hunter3\n", want: []string{
			"dhcp.tower.password: unknown key: secrets do not stand in this file; name a file that holds it in " +
				"dhcp.tower.password_file, page.token_file, menu.root_shadow_file or webhook.secret_file (FILE:3)",
			"dhcp.tower.apikey: unknown key: secrets do not stand in this file; name a file that holds it in " +
				"dhcp.tower.password_file, page.token_file, menu.root_shadow_file or webhook.secret_file (FILE:4)",
		}},
		{name: "twice", file: "chain: off\ninterface: [a, b, a]\nchain: auto\n", want: []string{
			`interface: duplicate value "a" (FILE:2)`,
			"chain: duplicate key (first on line 1) (FILE:3)",
		}},
		{name: "wrong types", file: "menu: 3\nserve: [a]\nlog: {format: [text]}\ninterface: [a, [b]]\nnext_server: {a: " +
			"b}\nprobe:\n  device: [~]\n", want: []string{
			"menu: want keys under it (title, default, timeout, console, rescue, root_shadow_file, hide, items), not a text " +
				"(FILE:1)",
			"serve: want keys under it (root, tftp, http, networks, chain_except, universal, single_port), not a list (FILE:2)",
			"log.format: want one value, not a list (FILE:3)",
			"interface: want texts in the list, not a list (FILE:4)",
			"next_server: want one value, not keys under it (FILE:5)",
			"probe.device: want texts in the list, not nothing (FILE:7)",
		}},
		{name: "no keys at all", file: "- a\n", want: []string{"FILE:1: want keys, such as `interface: eth1`, not a list"}},
		{name: "two documents", file: "chain: off\n---\nchain: auto\n",
			want: []string{"FILE:2: a second document begins here; want one"}},

		{name: "syntax: value in a value", file: "chain: off\na: b: c\n",
			want: []string{"FILE:2: not YAML: mapping values are not allowed in this context"}},
		{name: "syntax: tab", file: "serve:\n\troot: x\n",
			want: []string{"FILE:2: not YAML: found character that cannot start any token"}},
		{name: "syntax: indentation", file: "chain: off\nserve:\n  root: x\n tftp: y\n",
			want: []string{"FILE:4: not YAML: did not find expected key"}},
		{name: "syntax: list not closed", file: "chain: off\ninterface: [a,\n b\n\n",
			want: []string{"FILE:2: not YAML: did not find expected ',' or ']'"}},
		{name: "syntax: in the first line", file: "interface: [a\n",
			want: []string{"FILE:2: not YAML: did not find expected ',' or ']'"}},
		{name: "syntax: no such anchor", file: "chain: off\nserve:\n  root: *x\n",
			want: []string{"FILE:3: not YAML: unknown anchor 'x' referenced"}},
		{name: "syntax: not UTF-8", file: "\xff\xfa", want: []string{"FILE:1: not YAML: invalid leading UTF-8 octet"}},
		{name: "syntax, and more elsewhere", file: "a: b: c\n", env: []string{"PXEAGENT_CHAIN=x"},
			args: []string{"--tftp=69"}, want: []string{
				"FILE:1: not YAML: mapping values are not allowed in this context",
				`chain: unknown value "x": use auto, dhcp, embed, tftp or off (PXEAGENT_CHAIN)`,
				`serve.tftp: "69" has no colon; want :69 (--tftp)`,
			}},

		{name: "variables", env: []string{"PXEAGENT_INTERFACES=a", "PXEAGENT_SECRET=hunter2", "PXEAGENT_REQUIRE_E2E=0",
			"PXEAGENT_SERVICE_HOST=10.0.0.1", "PXEAGENT_SERVICE_PORT_HTTP=80", "PXEAGENT_PORT=udp://10.0.0.1:69",
			"PXEAGENT_PORT_69_UDP_ADDR=10.0.0.1",
			"PXEAGENT_DHCP_TOWER_PASSWORD=hunter3", "PXEAGENT_dhcp_backend=none"}, want: []string{
			"PXEAGENT_INTERFACES: unknown variable; did you mean PXEAGENT_INTERFACE?",
			"PXEAGENT_SECRET: unknown variable; `pxeagent config show` lists the keys, and each is a variable",
			"PXEAGENT_dhcp_backend: unknown variable; did you mean PXEAGENT_DHCP_BACKEND?",
		}},
		{name: "empty flags", args: []string{"--next-server=", "--interface="}, want: []string{
			"interface: is empty; leave the flag out for the default (--interface)",
			"next_server: is empty; leave the flag out for the default (--next-server)",
		}},
		{name: "every layer, in order", file: "menu:\n  timeout: 30\nlog:\n  level: loud\n",
			env: []string{"PXEAGENT_SERVE_HTTP=80"}, args: []string{"--chain", "on", "--next-server", "fe80::1"}, want: []string{
				`menu.timeout: "30" has no unit; want 30s (FILE:2)`,
				`log.level: unknown value "loud": use debug, info, warn or error (FILE:4)`,
				`serve.http: "80" has no colon; want :80 (PXEAGENT_SERVE_HTTP)`,
				`next_server: "fe80::1" is not IPv4; machines boot from an IPv4 address such as 10.0.0.7 (--next-server)`,
				`chain: unknown value "on": use auto, dhcp, embed, tftp or off (--chain)`,
			}},

		{name: "keys that belong together", file: "dhcp:\n  backend: tower\n", want: []string{
			"dhcp.tower.name: is not set; dhcp.backend tower needs it",
		}},
		{name: "a key that is wrong by itself", file: "dhcp:\n  backend: tower\n  tower:\n    name: \"a\\nb\"\n",
			want: []string{
				`dhcp.tower.name: "a\nb" holds a control character; want one line of text (FILE:4)`,
			}},
		{name: "devices that do not fit", file: "interface: [a, b]\nprobe: {device: eth0}\n", want: []string{
			"probe.device: names 1 device for 2 interfaces; want one device for each interface, in the same order, or none " +
				"(FILE:2)",
		}},
		{name: "device and no interface", file: "probe: {device: eth0}\n"},
		{name: "state that is served", args: []string{"--root=/srv", "--state-dir=/srv/http/state"}, want: []string{
			`state_dir: "/srv/http/state" lies in /srv/http, which is served to everyone; want a folder outside of it (--state-dir)`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mistakesOf(t, c.file, c.env, c.args)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if strings.Contains(strings.Join(got, ""), "hunter") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"interface", "eth/1", `"eth/1" holds a slash; want a name such as eth1`},
		{"interface", strings.Repeat("x", 65), `"` + strings.Repeat("x", 65) + `" is longer than 64 bytes`},
		{"interface", "a\x1b[31m", `"a\x1b[31m" holds a control character`},
		{"next_server", "server.lan", `invalid IPv4 address "server.lan": want one such as 10.0.0.7, or auto`},
		{"next_server", "10.0.0.7:69", `invalid IPv4 address "10.0.0.7:69": want one such as 10.0.0.7, or auto`},
		{"next_server", "0.0.0.0",
			`"0.0.0.0" is not an address that a machine can reach: want this agent's, such as 10.0.0.7`},
		{"next_server", "224.0.0.1",
			`"224.0.0.1" is not an address that a machine can reach: want this agent's, such as 10.0.0.7`},
		{"next_server", "255.255.255.255",
			`"255.255.255.255" is not an address that a machine can reach: want this agent's, such as 10.0.0.7`},
		{"chain", "tfpt", `unknown value "tfpt": did you mean tftp? There are auto, dhcp, embed, tftp, off`},
		{"dhcp.backend", "isc", `unknown value "isc": use auto, shed, tower or none`},
		{"dhcp.backend", "towel", `unknown value "towel": did you mean tower? There are auto, shed, tower, none`},
		{"serve.tftp", "69", `"69" has no colon; want :69`},
		{"serve.tftp", "10.0.0.7", `"10.0.0.7" has no port; want ADDR:PORT, such as 10.0.0.7:69`},
		{"serve.tftp", "fe80::1", `"fe80::1" has no port; want ADDR:PORT, such as [fe80::1]:69`},
		{"serve.tftp", "somewhere", `invalid listening address "somewhere": want :69 or 10.0.0.7:69`},
		{"serve.http", "localhost:8080",
			`"localhost:8080" names "localhost", which is not an IP address: want :8080 or 10.0.0.7:8080`},
		{"serve.http", ":http", `":http" has port "http"; want a number from 0 to 65535`},
		{"serve.http", ":65536", `":65536" has port "65536"; want a number from 0 to 65535`},
		{"serve.networks", "10.0.0.5/24", `"10.0.0.5/24" is an address within its network; want 10.0.0.0/24`},
		{"serve.networks", "lan", `invalid network "lan": want one such as 10.0.0.0/24`},
		{"serve.single_port", "yes", `invalid value "yes": use true or false`},
		{"menu.title", "a\nb", `"a\nb" holds a control character; want one line of text`},
		{"menu.timeout", "soon", `invalid duration "soon": want one such as 30s or 5m`},
		{"menu.timeout", "-3s", `"-3s" is negative`},
		{"menu.timeout", "25h", `"25h" is out of range; want 1s to 24h, or 0 to wait for ever`},
		{"menu.timeout", "5ms", `"5ms" is out of range; want 1s to 24h, or 0 to wait for ever`},
		{"probe.mac", "02:00", `invalid MAC address "02:00": want one such as 02:00:5e:10:00:01`},
		{"probe.mac", "02:00:5e:10:00:00:00:01",
			`invalid MAC address "02:00:5e:10:00:00:00:01": want one such as 02:00:5e:10:00:01`},
		{"probe.mac", "01:00:5e:00:00:01",
			`"01:00:5e:00:00:01" is a group address: the first byte of a machine's is even, as in 02:00:5e:10:00:01`},
		{"probe.mac", "00:00:00:00:00:00", `invalid MAC address "00:00:00:00:00:00": all its bytes are zero`},
		{"page.hosts", "pxe.lan:80", `invalid host name "pxe.lan:80": want one such as pxe.example.org, without a port`},
		{"page.hosts", "http://pxe.lan",
			`invalid host name "http://pxe.lan": want one such as pxe.example.org, without a port`},
		{"probe.interval", "1s", `"1s" is out of range; want 10s to 24h, or 0 for no probes`},
		{"log.level", "trace", `unknown value "trace": use debug, info, warn or error`},
		{"log.level", "inof", `unknown value "inof": did you mean info? There are debug, info, warn, error`},
		{"log.format", "xml", `unknown value "xml": use text or json`},
	} {
		k, ok := schema.find(c.key)
		if !ok {
			t.Fatalf("no key %s", c.key)
		}
		var got []string
		for _, err := range (Setting{Key: k, Texts: []string{c.value}}).decode(viper.New(), &Config{}) {
			got = append(got, err.Error())
		}
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.key, got, c.want)
		}
	}
}

// Where several files, folders and rights go wrong before there is anything to parse.
func TestFileThatCannotBeRead(t *testing.T) {
	dir := isolate(t)
	fails := func(args ...string) cli.Failure {
		t.Helper()
		_, err := loadArgs(args...)
		var f cli.Failure
		if !errors.As(err, &f) {
			t.Errorf("%q: %v", args, err)
		}
		return f
	}
	f := fails("--config", "nowhere.yaml")
	if f.Code != cli.Usage || f.Error() != "reading the configuration "+dir+"/nowhere.yaml: no such file or directory" ||
		len(f.Hints) != 1 || f.Hints[0] != "without --config and PXEAGENT_CONFIG, "+dir+"/etc/pxeagent.yaml and "+
		"./pxeagent.yaml are looked for, and none is needed" {
		t.Errorf("missing: %+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "other.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f = fails("--config", dir)
	if f.Code != cli.Usage || f.Error() != "reading the configuration "+dir+": is a directory" ||
		len(f.Hints) != 1 || f.Hints[0] != "name the file in it: --config "+dir+"/pxeagent.yaml" {
		t.Errorf("folder: %+v", f)
	}
	f = fails("--config", t.TempDir())
	if f.Code != cli.Usage || len(f.Hints) != 1 ||
		f.Hints[0] != "an empty folder is what Docker makes where the file to mount does not exist: write the file first" {
		t.Errorf("empty folder: %+v", f)
	}
	t.Setenv(EnvConfig, "/dev/zero")
	if f := fails(); f.Code != cli.Usage || !strings.Contains(f.Error(), "larger than 1048576 bytes") {
		t.Errorf("endless: %+v", f)
	}
	f = unreadable("/x.yaml", &fs.PathError{Op: "open", Path: "/x.yaml", Err: syscall.EACCES}).(cli.Failure)
	if f.Code != cli.Permission || f.Error() != "reading the configuration /x.yaml: permission denied" ||
		len(f.Hints) != 1 {
		t.Errorf("forbidden: %+v", f)
	}
	if os.Geteuid() != 0 {
		write(t, "secret.yaml", "")
		os.Chmod("secret.yaml", 0)
		if f := fails("--config", "secret.yaml"); f.Code != cli.Permission {
			t.Errorf("forbidden: %+v", f)
		}
	}
}

func TestWhereTheFileIsLookedFor(t *testing.T) {
	dir := isolate(t)
	read := func(args ...string) string {
		l, err := loadArgs(args...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(l.File, dir)
	}
	if got := read(); got != "" {
		t.Errorf("read %s", got)
	}
	write(t, "pxeagent.yaml", "")
	if got := read(); got != "/pxeagent.yaml" {
		t.Errorf("read %s", got)
	}
	write(t, "etc/pxeagent.yaml", "")
	if got := read(); got != "/etc/pxeagent.yaml" {
		t.Errorf("read %s", got)
	}
	write(t, "mine.yaml", "")
	t.Setenv(EnvConfig, "mine.yaml")
	if got := read(); got != "/mine.yaml" {
		t.Errorf("read %s", got)
	}
	write(t, "other.yaml", "")
	if got := read("--config", "other.yaml"); got != "/other.yaml" {
		t.Errorf("read %s", got)
	}
}

// What is read from a file is either a key of the table or a mistake in a line of the file.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"interface: [a, b]\n", "dhcp: &x\n  shed: *x\n", "a: b: c", "? [x]\n: y\n",
		"<<: {a: b}\n", "serve: {root: !!binary aGk=}\n", "--- ~\n--- ~\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, wrong := schema.parseFile("f", text)
		for name, v := range file.values {
			if _, ok := schema.find(name); !ok || v.line < 1 || len(v.texts) == 0 && !v.list {
				t.Errorf("%q: %+v", name, v)
			}
		}
		for _, m := range wrong {
			if m.from.line < 1 || m.text == "" {
				t.Errorf("%+v", m)
			}
		}
		file.tree()
	})
}
