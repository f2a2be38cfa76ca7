package dnsmasq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/dhcptest"
	"pxeagent/agent/firmware"
	"pxeagent/deploy/lab"
)

func TestMain(m *testing.M) {
	os.Exit(dhcptest.Main(m, func(args []string, step func()) (dhcp.Server, error) {
		var cfg Config
		if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
			return nil, err
		}
		s, err := New(cfg)
		if err != nil {
			return nil, err
		}
		s.step, s.settle = func(string) { step() }, testSettle
		return s, nil
	}))
}

func TestConformance(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend { return backend(newSite(t, ModeServer, leasing)) })
}

func TestConformanceProxy(t *testing.T) {
	lab.NoShort(t)
	dhcptest.Run(t, func(t *testing.T) dhcptest.Backend {
		s := newSite(t, ModeProxy, "")
		s.leaser()
		return backend(s)
	})
}

// leaser is the site's other DHCP server, which leases addresses and knows nothing of network boot.
func (s *site) leaser() *lab.Host {
	h := s.segment.Host("leaser", "eth2", "10.77.0.2/24")
	h.Dnsmasq("--interface=eth2", "--bind-interfaces", "--no-ping", "--dhcp-range=10.77.0.100,10.77.0.120")
	return h
}

func backend(s *site) dhcptest.Backend {
	edits := 0
	cfg, err := json.Marshal(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	drop := filepath.Join(s.confDir, "pxeagent-eth1.conf")
	return dhcptest.Backend{
		Open: func(testing.TB) dhcp.Server { return s.server() },
		Args: []string{string(cfg)},
		Start: func(cmd *exec.Cmd) (err error) {
			s.host.Do(func() { err = cmd.Start() })
			return err
		},
		Wants: []dhcp.Boot{testBoot(nextUp), testBoot("10.77.0.8"), onlyBIOS("10.77.0.9")},
		EditOwn: func(t testing.TB, edit int) {
			b := onlyBIOS(fmt.Sprintf("10.77.0.%d", 20+edit))
			d := dropIn{boot: b, mode: s.cfg.Mode}
			if d.mode == ModeProxy {
				d.nets = append(d.nets, lab.Addr("10.77.0.0"))
			}
			raw := append([]byte(fmt.Sprintf("# edited by a person, time %d\n", edit)), d.render("eth1")...)
			if err := os.WriteFile(drop, raw, 0o644); err != nil {
				t.Fatal(err)
			}
			s.restart()
		},
		EditOthers: func(testing.TB) {
			edits++
			s.write("dnsmasq.d/site.conf", fmt.Sprintf("dhcp-option=option:ntp-server,10.77.0.%d\n", edits))
		},
		Own: func(t testing.TB) []byte {
			raw, err := os.ReadFile(drop)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return raw
		},
		Others: func(t testing.TB) []byte {
			var all bytes.Buffer
			for _, name := range append(strings.Fields(s.files()), "../dnsmasq.conf") {
				if name != filepath.Base(drop) {
					fmt.Fprintf(&all, "%s: %s\n", name, s.read("dnsmasq.d/"+name))
				}
			}
			return all.Bytes()
		},
		Written: func(t testing.TB) string {
			fi, err := os.Stat(drop)
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(fi.ModTime(), fi.Sys().(*syscall.Stat_t).Ino)
		},
		Loaded: func(testing.TB) string { return fmt.Sprint(s.pid(), startOf(s.pid())) },
		Probe: func(ctx context.Context, clients []firmware.Client) ([]firmware.Offer, error) {
			return s.discovers(ctx, clients), nil
		},
	}
}

func onlyBIOS(next string) dhcp.Boot {
	b := dhcp.Boot{NextServer: lab.Addr(next)}
	b.NBP[firmware.BIOS] = "pxelinux.0"
	return b
}
