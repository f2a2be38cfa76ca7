package pfsense

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/firmware"
)

// A failure after the settings were saved is a different error than one before: the caller restores them.
func TestSavedAndNotLoaded(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	s.order(map[string]any{"throw": "services_dhcpd_configure"})
	err := s.server("admin").Apply(t.Context(), p)
	if !errors.Is(err, ErrProgram) || !strings.Contains(err.Error(), "saved but not loaded") ||
		s.mine()[filename].text != "undionly.kpxe" {
		t.Errorf("%v; filename %v", err, s.mine()[filename])
	}
	s.order(nil)
	if err := s.server("admin").Revert(t.Context(), p); err != nil || s.mine()[filename].text != "" {
		t.Errorf("revert: %v; filename %v", err, s.mine()[filename])
	}
}

func TestDaemonDoesNotStart(t *testing.T) {
	t.Parallel()
	for _, age := range ages {
		for name, orders := range map[string]map[string]any{
			"at all":             {"breaks": "undionly.kpxe"},
			"for more than once": {"breaks": "undionly.kpxe", "dies_after": 2},
		} {
			s := newStub(t, age)
			before := s.config()
			p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
			s.order(orders)
			err := s.server("admin").Apply(t.Context(), p)
			if !errors.Is(err, dhcp.ErrReload) {
				t.Errorf("%s, %s: %v", age, name, err)
			}
			if !reflect.DeepEqual(before, s.config()) {
				t.Errorf("%s, %s: not put back: %v", age, name, s.config())
			}
			if s.get("chroot/var/run/dhcpd.pid") != "well" || strings.Contains(s.get("loaded"), "undionly.kpxe") {
				t.Errorf("%s, %s: the old settings are not loaded: %s", age, name, s.get("loaded"))
			}
			if h := strings.Split(s.get("history"), "\n"); len(h) != 3 ||
				!strings.Contains(h[1], "put back, the DHCP server did not start") {
				t.Errorf("%s, %s: history %q", age, name, h)
			}
		}
	}
}

func TestDaemonStaysDown(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	before := s.config()
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	s.order(map[string]any{"breaks": "every"})
	if err := s.server("admin").Apply(t.Context(), p); !errors.Is(err, ErrStopped) || errors.Is(err, dhcp.ErrReload) {
		t.Errorf("apply: %v", err)
	}
	if !reflect.DeepEqual(before, s.config()) {
		t.Error("the old settings are not there")
	}
	// It did not run before: nothing is to be put back, and the wire will tell.
	if err := s.server("admin").Apply(t.Context(), p); err != nil || s.mine()[filename].text != "undionly.kpxe" {
		t.Errorf("apply with a daemon that was down: %v", err)
	}
	s.put("chroot/var/run/dhcpd.pid", "well")
	again := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	if err := s.server("admin").Apply(t.Context(), again); !errors.Is(err, ErrStopped) {
		t.Errorf("loading alone: %v", err)
	}
}

// Settings that somebody saved while the daemon failed to start are not overwritten by the old ones.
func TestDaemonDoesNotStartAndOthersEdit(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	p := mustPlan(t, s.server("admin"), testBoot("10.99.0.5"))
	s.order(map[string]any{"breaks": "undionly.kpxe", "edited_at_load": []string{"opt1", "filename", "theirs"}})
	if err := s.server("admin").Apply(t.Context(), p); !errors.Is(err, ErrStopped) || errors.Is(err, dhcp.ErrReload) {
		t.Errorf("apply: %v", err)
	}
	if s.mine()[filename].text != "theirs" || strings.Count(s.get("history"), "\n") != 1 {
		t.Errorf("filename %v, history %q", s.mine()[filename], s.get("history"))
	}
}

func TestKeaRuns(t *testing.T) {
	t.Parallel()
	s := newStub(t, "2.9.0")
	s.edit(func(c tree) { c["dhcpbackend"] = "kea" })
	s.put("proc-kea-dhcp4", "well")
	if err := errors.Join(apply(t, s, testBoot("10.99.0.5"))); err != nil {
		t.Fatal(err)
	}
	if s.mine()[uefihttpboot].text != "" {
		t.Error("Kea was given a URL that it cannot use")
	}
}

// A daemon that did not run is stopped by a revert, by what pfSense itself stops it with; that it will not is an error.
func TestRevertStopsTheDaemon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ engine, pid, call string }{
		{"isc", "chroot/var/run/dhcpd.pid", "killbypid"},
		{"kea", "proc-kea-dhcp4", "killbyname kea-dhcp4"},
	} {
		s := newStub(t, "2.9.0")
		s.edit(func(t tree) { t["dhcpbackend"] = c.engine })
		if err := os.RemoveAll(s.path(c.pid)); err != nil {
			t.Fatal(err)
		}
		want := testBoot("10.99.0.5")
		if c.engine == "kea" {
			want.URL = [firmware.NumArch]string{}
		}
		p := mustPlan(t, s.server("admin"), want)
		if !p.Before.Stopped {
			t.Errorf("%s: it did not run, and the plan says %+v", c.engine, p.Before)
		}
		if err := s.server("admin").Apply(t.Context(), p); err != nil || !exists(s.path(c.pid)) {
			t.Fatalf("%s: %v, running %v", c.engine, err, exists(s.path(c.pid)))
		}
		s.order(map[string]any{"immortal": 1})
		if err := s.server("admin").Revert(t.Context(), p); !errors.Is(err, ErrProgram) ||
			!strings.Contains(err.Error(), "could not be stopped") {
			t.Errorf("%s: it does not stop: %v", c.engine, err)
		}
		s.order(map[string]any{})
		s.put("loaded", "")
		if err := s.server("admin").Revert(t.Context(), p); err != nil || exists(s.path(c.pid)) {
			t.Errorf("%s: %v, running %v", c.engine, err, exists(s.path(c.pid)))
		}
		if s.get("loaded") != "" || !strings.Contains(s.get("steps"), c.call+"\n") {
			t.Errorf("%s: loaded %q, calls %q", c.engine, s.get("loaded"), s.get("steps"))
		}
		if again := mustPlan(t, s.server("admin"), want); !again.Before.Same(p.Before) || !again.Before.Stopped {
			t.Errorf("%s: the settings are %s, were %s", c.engine, again.Before.Raw, p.Before.Raw)
		}
	}
}
