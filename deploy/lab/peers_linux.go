package lab

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Peer is a real DHCP server that runs in a host.
type Peer struct {
	*Proc
	Leases string // its lease file; there may be none before the first lease
}

// peerStart is how long a DHCP server may take until it listens, on a busy machine.
const peerStart = 20 * time.Second

// Dnsmasq starts dnsmasq in h and waits until it listens. It runs in the foreground as root, without
// DNS, logs every DHCP packet, and reads no configuration but what args name (-C, --conf-file).
// Without --no-ping among args its first offer comes 3 s late. Its lease file, unless args name
// one, is in the test's folder.
func (h *Host) Dnsmasq(args ...string) *Peer {
	h.t.Helper()
	named := func(options ...string) (value string, ok bool) {
		for i, a := range args {
			name, v, inline := strings.Cut(a, "=")
			if slices.Contains(options, name) {
				if !inline && i+1 < len(args) {
					v = args[i+1]
				}
				return v, true
			}
		}
		return "", false
	}
	all := []string{"--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--user=root", "--pid-file="}
	if _, ok := named("--port", "-p"); !ok {
		all = append(all, "--port=0")
	}
	if _, ok := named("--conf-file", "-C"); !ok {
		all = append(all, "--conf-file=/dev/null")
	}
	leases, ok := named("--dhcp-leasefile", "-l")
	if !ok {
		leases = filepath.Join(h.t.TempDir(), "dnsmasq.leases")
		all = append(all, "--dhcp-leasefile="+leases)
	}
	p := &Peer{Proc: h.Start("dnsmasq", append(all, args...)...), Leases: leases}
	p.WaitOutput(peerStart, `started, version`) // said after its sockets are bound
	return p
}

// ISC starts ISC dhcpd in h with the text of a dhcpd.conf on the given interfaces, and waits until it listens.
func (h *Host) ISC(conf string, devs ...string) *Peer {
	h.t.Helper()
	dir := h.t.TempDir()
	p := &Peer{Leases: filepath.Join(dir, "dhcpd.leases")}
	h.writeFile(p.Leases, "")
	h.writeFile(filepath.Join(dir, "dhcpd.conf"), conf)
	p.Proc = h.Start("dhcpd", append([]string{"-4", "-d", "-f", "--no-pid",
		"-cf", filepath.Join(dir, "dhcpd.conf"), "-lf", p.Leases}, devs...)...)
	p.WaitOutput(peerStart, `Server starting service`)
	return p
}

// Kea starts kea-dhcp4 in h with a configuration (JSON without comments) and waits until it listens.
// Where the lease file, the log and the control socket are is not up to conf: they are in the
// test's folder, and leases are kept on disk.
func (h *Host) Kea(conf string) *Peer {
	h.t.Helper()
	dir := h.t.TempDir()
	p := &Peer{Leases: filepath.Join(dir, "kea.leases")}
	var file map[string]map[string]any
	if err := json.Unmarshal([]byte(conf), &file); err != nil || file["Dhcp4"] == nil {
		h.t.Fatalf("Kea's configuration is no JSON object with Dhcp4: %v", err)
	}
	dhcp4 := file["Dhcp4"]
	delete(dhcp4, "control-socket")
	dhcp4["lease-database"] = map[string]any{"type": "memfile", "persist": true, "name": p.Leases}
	dhcp4["loggers"] = []any{map[string]any{
		"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 50,
		"output_options": []any{map[string]any{"output": "stdout", "flush": true}},
	}}
	text, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		h.t.Fatalf("writing Kea's configuration: %v", err)
	}
	h.writeFile(filepath.Join(dir, "kea-dhcp4.conf"), string(text))
	cmd := exec.Command("kea-dhcp4", "-c", filepath.Join(dir, "kea-dhcp4.conf"))
	cmd.Env = append(os.Environ(), "KEA_PIDFILE_DIR="+dir, "KEA_LOCKFILE_DIR="+dir)
	p.Proc = h.StartCmd(cmd)
	p.WaitOutput(peerStart, `DHCP4_STARTED`)
	return p
}

func (h *Host) writeFile(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// Reloader is a dnsmasq in h that a stand-in appliance starts again with each configuration that it writes. The
// function fails, and none runs, where dnsmasq does not accept it.
func (h *Host) Reloader(args ...string) func(conf string) error {
	h.t.Helper()
	Need(h.t, "dnsmasq")
	file := filepath.Join(h.t.TempDir(), "dnsmasq.conf")
	var running *Peer
	return func(conf string) error {
		if running != nil {
			running.Stop()
			running = nil
		}
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			return err
		}
		if out, err := h.Run("dnsmasq", "--test", "--conf-file="+file); err != nil {
			return errors.New(strings.TrimSpace(out))
		}
		running = h.Dnsmasq(append([]string{"--conf-file=" + file, "--no-ping"}, args...)...)
		return nil
	}
}

// KeaReloader is a kea-dhcp4 in h that a stand-in appliance starts again with each configuration that it makes. The
// function fails, and none runs, where Kea does not accept it.
func (h *Host) KeaReloader() func(conf []byte) error {
	h.t.Helper()
	Need(h.t, "kea-dhcp4")
	file := filepath.Join(h.t.TempDir(), "kea-dhcp4.conf")
	var running *Peer
	return func(conf []byte) error {
		if running != nil {
			running.Stop()
			running = nil
		}
		if err := os.WriteFile(file, conf, 0o644); err != nil {
			return err
		}
		if out, err := h.Run("kea-dhcp4", "-t", file); err != nil {
			return errors.New(strings.TrimSpace(out))
		}
		running = h.Kea(string(conf))
		return nil
	}
}

// KeaHooks is the folder of Kea's hook libraries.
func KeaHooks(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/kea/hooks/libdhcp_flex_option.so")
	if err != nil || len(found) == 0 {
		Missing(t, "Kea's hook libraries")
		return ""
	}
	return filepath.Dir(found[0])
}
