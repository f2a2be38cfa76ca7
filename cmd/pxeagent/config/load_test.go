package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/catalog"
	"pxeagent/agent/firmware"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"
)

// isolate keeps a test from this machine's configuration, and gives it a working directory.
func isolate(t *testing.T) string {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, envPrefix) && name != envE2E {
			t.Setenv(name, "") // so that it is put back
			os.Unsetenv(name)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	before := Paths
	Paths = []string{filepath.Join(dir, "etc/pxeagent.yaml"), "./pxeagent.yaml"}
	t.Cleanup(func() { Paths = before })
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loadArgs loads what a command with all flags would.
func loadArgs(args ...string) (Loaded, error) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Var(&FlagText{Arg: "FILE"}, "config", "")
	for _, k := range schema.keys {
		if k.Flag != "" {
			k.addTo(flags)
		}
	}
	if err := flags.Parse(args); err != nil {
		return Loaded{}, err
	}
	return schema.Load(flags)
}

var compareConfig = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
}

func defaultConfig() Config {
	return Config{
		Chain: "auto",
		Boot: BootConfig{SecureBoot: "off", Files: [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe", firmware.EFI64: "ipxe.efi",
			firmware.ARM64: "snp-arm64.efi"}},
		StateDir: "/var/lib/pxeagent/state",
		DHCP: DHCPConfig{
			Backend:  NoBackend,
			HTTPBoot: "auto",
			Own:      map[string]any{"shed": &shedSettings{Dir: "/etc/shed"}, "tower": &towerSettings{}},
		},
		Serve: ServeConfig{
			Root: "/var/lib/pxeagent",
			TFTP: netip.AddrPortFrom(netip.Addr{}, 69),
			HTTP: netip.AddrPortFrom(netip.Addr{}, 80),
		},
		Menu:  MenuConfig{Title: "Network boot", Default: "local", Timeout: 30 * time.Second, Rescue: true},
		Probe: ProbeConfig{Interval: 5 * time.Minute},
		Boots: BootsConfig{Keep: 1000, MaxAge: 720 * time.Hour, Stall: 5 * time.Minute},
		Log:   LogConfig{Level: slog.LevelInfo, Format: "text"},
	}
}

func TestDefaultsNeedNoFile(t *testing.T) {
	isolate(t)
	l, err := schema.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultConfig(), l.Config, compareConfig); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if l.File != "" {
		t.Errorf("read %s", l.File)
	}
}

// samples are a value for each key that is not its default, and what it comes to.
var samples = map[string]struct {
	text string // as in a variable or a flag
	yaml string // "" where it is text quoted
	set  func(c *Config)
}{
	"interface": {"eth1,eth2", "[eth1, eth2]",
		func(c *Config) { c.Interfaces, c.DHCP.Backend = []string{"eth1", "eth2"}, "shed" }},
	"next_server": {"10.0.0.7", "10.0.0.7", func(c *Config) { c.NextServer = netip.MustParseAddr("10.0.0.7") }},
	"chain":       {"tftp", "tftp", func(c *Config) { c.Chain = "tftp" }},
	"secure_boot": {"shim-grub", "shim-grub", func(c *Config) {
		c.Boot.SecureBoot, c.Boot.Files[firmware.EFI64] = "shim-grub", "shimx64.efi"
	}},
	"boot.files.bios":  {"lpxelinux.0", "lpxelinux.0", func(c *Config) { c.Boot.Files[firmware.BIOS] = "lpxelinux.0" }},
	"boot.files.efi64": {"a/b.efi", "a/b.efi", func(c *Config) { c.Boot.Files[firmware.EFI64] = "a/b.efi" }},
	"boot.files.arm64": {"b.efi", "b.efi", func(c *Config) { c.Boot.Files[firmware.ARM64] = "b.efi" }},
	"boot.files.efi32": {"c.efi", "c.efi", func(c *Config) { c.Boot.Files[firmware.EFI32] = "c.efi" }},
	"boot.files.arm32": {"d.efi", "d.efi", func(c *Config) { c.Boot.Files[firmware.ARM32] = "d.efi" }},
	"state_dir":        {"/s", "/s", func(c *Config) { c.StateDir = "/s" }},
	"dhcp.backend":     {"shed", "shed", func(c *Config) { c.DHCP.Backend = "shed" }},
	"dhcp.http_boot":   {"on", "on", func(c *Config) { c.DHCP.HTTPBoot = "on" }},
	"dhcp.shed.dir":    {"/d", "/d", func(c *Config) { shedOf(c).Dir = "/d" }},
	"dhcp.shed.restart": {"service  shed restart", "[service, shed, restart]",
		func(c *Config) { shedOf(c).Restart = []string{"service", "shed", "restart"} }},
	"dhcp.tower.name":          {"high", "high", func(c *Config) { c.DHCP.Backend, towerOf(c).Name = "tower", "high" }},
	"dhcp.tower.password_file": {"/p", "/p", func(c *Config) { towerOf(c).PasswordFile = "/p" }},
	"serve.root":               {"/r", "/r", func(c *Config) { c.Serve.Root = "/r" }},
	"serve.tftp": {"127.0.0.1:6969", "",
		func(c *Config) { c.Serve.TFTP = netip.MustParseAddrPort("127.0.0.1:6969") }},
	"serve.http": {"[::1]:0", "", func(c *Config) { c.Serve.HTTP = netip.MustParseAddrPort("[::1]:0") }},
	"serve.networks": {"10.0.0.0/8, 192.0.2.1", "[10.0.0.0/8, 192.0.2.1]", func(c *Config) {
		c.Serve.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	}},
	"serve.chain_except": {"192.0.2.7", "[192.0.2.7]", func(c *Config) {
		c.Serve.ChainExcept = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}
	}},
	"serve.universal":   {"true", "true", func(c *Config) { c.Serve.Universal = true }},
	"serve.single_port": {"true", "true", func(c *Config) { c.Serve.SinglePort = true }},
	"menu.title":        {"Boot, please", "Boot, please", func(c *Config) { c.Menu.Title = "Boot, please" }},
	"menu.default":      {"shell", "shell", func(c *Config) { c.Menu.Default = "shell" }},
	"menu.timeout":      {"0", "0", func(c *Config) { c.Menu.Timeout = 0 }},
	"menu.console": {"ttyb,9600", "ttyb,9600",
		func(c *Config) { c.Menu.Console = catalog.Console{Port: 'b', Speed: 9600} }},
	"menu.rescue":           {"false", "false", func(c *Config) { c.Menu.Rescue = false }},
	"menu.root_shadow_file": {"/shadow", "/shadow", func(c *Config) { c.Menu.RootShadowFile = "/shadow" }},
	"menu.hide": {"config,debian-*", "[config, 'debian-*']",
		func(c *Config) { c.Menu.Hide = []string{"config", "debian-*"} }},
	"probe.device": {"br0", "br0", func(c *Config) { c.Probe.Devices = []string{"br0"} }},
	// Unquoted, YAML 1.1 would take this one for a number to the base of 60.
	"probe.mac": {"02:00:00:00:00:10", "02:00:00:00:00:10",
		func(c *Config) { c.Probe.MAC = net.HardwareAddr{2, 0, 0, 0, 0, 0x10} }},
	"probe.interval":  {"90s", "90s", func(c *Config) { c.Probe.Interval = 90 * time.Second }},
	"page.token_file": {"/t", "/t", func(c *Config) { c.Page.TokenFile = "/t" }},
	"page.hosts": {"PXE.example.org., boot", "[PXE.example.org., boot]",
		func(c *Config) { c.Page.Hosts = []string{"pxe.example.org", "boot"} }},
	"boots.keep":    {"50", "50", func(c *Config) { c.Boots.Keep = 50 }},
	"boots.max_age": {"48h", "48h", func(c *Config) { c.Boots.MaxAge = 48 * time.Hour }},
	"boots.stall":   {"90s", "90s", func(c *Config) { c.Boots.Stall = 90 * time.Second }},
	"webhook.url": {"https://hooks.example.org/x?y=z", "", func(c *Config) {
		c.Webhook.URL = &url.URL{Scheme: "https", Host: "hooks.example.org", Path: "/x", RawQuery: "y=z"}
	}},
	"webhook.secret_file": {"/s", "/s", func(c *Config) { c.Webhook.SecretFile = "/s" }},
	"metrics.native":      {"true", "true", func(c *Config) { c.Metrics.Native = true }},
	"log.level":           {"debug", "debug", func(c *Config) { c.Log.Level = slog.LevelDebug }},
	"log.format":          {"json", "json", func(c *Config) { c.Log.Format = "json" }},
}

// yamlFor writes value under the sections of name. The value stands in the last line.
func yamlFor(name, value string) (text string, line int) {
	var b strings.Builder
	path := strings.Split(name, ".")
	for i, section := range path {
		b.WriteString(strings.Repeat("  ", i) + section + ":")
		if i < len(path)-1 {
			b.WriteByte('\n')
		}
	}
	return b.String() + " " + value + "\n", len(path)
}

func TestEveryKeyByFileVariableAndFlag(t *testing.T) {
	dir := isolate(t)
	for _, k := range schema.keys {
		sample, ok := samples[k.Name]
		if !ok {
			t.Errorf("%s: the test has no sample", k.Name)
			continue
		}
		want := defaultConfig()
		sample.set(&want)
		inYAML := sample.yaml
		if inYAML == "" {
			inYAML = `"` + sample.text + `"`
		}
		file := filepath.Join(dir, "pxeagent.yaml")
		text, line := yamlFor(k.Name, inYAML)

		check := func(t *testing.T, from Origin, args ...string) {
			t.Helper()
			l, err := loadArgs(args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, l.Config, compareConfig); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := l.From(k.Name); got != from {
				t.Errorf("came from %v, want %v", got, from)
			}
		}
		t.Run(k.Name+"/file", func(t *testing.T) {
			write(t, file, text)
			defer os.Remove(file)
			check(t, Origin{layer: fromFile, file: file, line: line})
		})
		t.Run(k.Name+"/variable", func(t *testing.T) {
			t.Setenv(k.Env(), sample.text)
			check(t, Origin{layer: fromEnv, name: k.Env()})
		})
		if k.Flag != "" {
			t.Run(k.Name+"/flag", func(t *testing.T) {
				check(t, Origin{layer: fromFlag, name: "--" + k.Flag}, "--"+k.Flag+"="+sample.text)
			})
		}
	}
	if len(samples) != len(schema.keys) {
		t.Errorf("%d samples for %d keys", len(samples), len(schema.keys))
	}
}

// partSamples are a value for each part, and what it comes to.
var partSamples = map[string]struct {
	yaml string
	set  func(c *Config)
}{
	"hosts":      {hostsSample, func(c *Config) { c.Hosts = sampleHosts }},
	"profiles":   {profilesSample, func(c *Config) { c.Profiles = sampleProfiles }},
	"menu.items": {entriesSample, func(c *Config) { c.Menu.Entries = sampleEntries }},
	"images":     {imagesSample, func(c *Config) { c.Images = sampleImages }},
	"mirrors":    {mirrorsSample, func(c *Config) { c.Mirrors = sampleMirrors }},
}

func TestEveryPartByFile(t *testing.T) {
	dir := isolate(t)
	for _, p := range parts {
		sample, ok := partSamples[p.name]
		if !ok {
			t.Errorf("%s: the test has no sample", p.name)
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			var found Mistakes
			file, wrong := schema.parseFile(filepath.Join(dir, "pxeagent.yaml"), []byte(sample.yaml))
			var got, want Config
			p.set(&got, partNode{file.parts[p.name], p.name, file.path, &found})
			if found = append(found, wrong...); len(found) > 0 {
				t.Fatal(found)
			}
			sample.set(&want)
			if diff := cmp.Diff(want, got, compareConfig); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every field of Config is set by some key: otherwise it would be a promise that nothing keeps.
func TestEveryFieldHasAKey(t *testing.T) {
	var c Config
	for name, s := range samples {
		if name != "menu.timeout" && name != "menu.rescue" { // 0 and false, like unset ones
			s.set(&c)
		}
	}
	c.Menu.Timeout, c.Menu.Rescue = 1, true
	for _, s := range partSamples {
		s.set(&c)
	}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), path+v.Type().Field(i).Name
			if f.Kind() == reflect.Struct && strings.HasSuffix(f.Type().Name(), "Config") {
				walk(name+".", f)
			} else if f.IsZero() && name != "Log.Level" {
				t.Errorf("no key sets Config.%s", name)
			}
		}
	}
	walk("", reflect.ValueOf(c))
}

func TestPrecedence(t *testing.T) {
	isolate(t)
	title := func(args ...string) string {
		t.Helper()
		l, err := loadArgs(args...)
		if err != nil {
			t.Fatal(err)
		}
		return l.Config.StateDir + " " + l.From("state_dir").String()
	}
	if got := title(); got != "/var/lib/pxeagent/state default" {
		t.Error(got)
	}
	write(t, "pxeagent.yaml", "# above\nstate_dir: /file\n")
	abs, _ := filepath.Abs("pxeagent.yaml")
	if got := title(); got != "/file "+abs+":2" {
		t.Error(got)
	}
	t.Setenv("PXEAGENT_STATE_DIR", "/variable")
	if got := title(); got != "/variable PXEAGENT_STATE_DIR" {
		t.Error(got)
	}
	if got := title("--state-dir", "/one", "--state-dir", "/flag"); got != "/flag --state-dir" {
		t.Error(got)
	}
	t.Setenv("PXEAGENT_STATE_DIR", "")
	if got := title(); got != "/file "+abs+":2" {
		t.Errorf("an empty variable counts: %s", got)
	}
}

// A list in one layer replaces the list of the layer below, and does not add to it.
func TestListsReplaceEachOther(t *testing.T) {
	isolate(t)
	write(t, "pxeagent.yaml", "interface:\n- a\n- b\n")
	for want, args := range map[string][]string{
		"a,b":   nil,
		"c":     {"--interface", "c"},
		"c,d,e": {"--interface", "c", "--interface", "d,e"},
	} {
		l, err := loadArgs(args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(l.Config.Interfaces, ","); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

func TestRelativePaths(t *testing.T) {
	dir := isolate(t)
	write(t, "conf/x.yaml", "state_dir: state\nserve:\n  root: ../root\n")
	l, err := loadArgs("--config", "conf/x.yaml", "--shed-dir", "drop/in")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{l.File, l.Config.StateDir, l.Config.Serve.Root, shedOf(&l.Config).Dir}
	for i, want := range []string{"conf/x.yaml", "conf/state", "root", "drop/in"} {
		if got[i] != filepath.Join(dir, want) {
			t.Errorf("%s, want it at %s in %s", got[i], want, dir)
		}
	}
}

func TestKeysAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range schema.keys {
		for _, name := range []string{k.Name, k.Env(), "--" + k.Flag} {
			if name != "--" && seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if k.Usage == "" || strings.HasSuffix(k.Usage, ".") {
			t.Errorf("%s: usage %q", k.Name, k.Usage)
		}
	}
}
