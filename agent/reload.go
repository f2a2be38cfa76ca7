package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/machine"
	"pxeagent/agent/menu"
	"pxeagent/agent/web"
)

// Changes is the part of Config that may change while the agent runs.
type Changes struct {
	Menu     menu.Settings
	Machines *machine.Inventory
	Settings []web.Setting // for the page; nil: as before
}

// Reconfigure takes up a changed configuration. Requests that come later are answered by the new one.
func (a *Agent) Reconfigure(c Changes) {
	a.machines.catalog.SetNoRescue(c.Menu.NoRescue)
	for _, b := range a.menus.all() {
		b.Configure(c.Menu)
	}
	a.machines.SetInventory(c.Machines)
	a.recorder.SetMenuTimeout(c.Menu.Timeout)
	a.reload.took(time.Now())
	a.page.reloaded(c.Settings, nil)
	a.page.forget()
}

// ConfigFailed says that the configuration has mistakes, and that the last good one is kept. The page shows the error,
// which holds no secret.
func (a *Agent) ConfigFailed(err error) {
	a.reload.ok.Set(0)
	a.page.reloaded(nil, err)
}

// ConfigRestored says that the configuration is again the one that is in use.
func (a *Agent) ConfigRestored() {
	a.reload.ok.Set(1)
	a.page.reloaded(nil, nil)
}

// reloadMetrics are about the configuration that is in use.
type reloadMetrics struct {
	ok, at  prometheus.Gauge
	changes prometheus.Counter
}

func newReloadMetrics(reg prometheus.Registerer) reloadMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	}
	m := reloadMetrics{
		ok: gauge(
			"config_reload_ok",
			"1 where the configuration in use is the one in the file, 0 where that has mistakes and the last good one is kept.",
		),
		at: gauge("config_reload_timestamp_seconds", "When the configuration in use was taken up, Unix time."),
		changes: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "config_changes_total",
			Help: "Changes of the configuration that were taken up without a restart.",
		}),
	}
	reg.MustRegister(m.ok, m.at, m.changes)
	m.ok.Set(1)
	m.at.Set(seconds(time.Now()))
	return m
}

func (m reloadMetrics) took(now time.Time) {
	m.ok.Set(1)
	m.at.Set(seconds(now))
	m.changes.Inc()
}

// seconds is Unix time as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
