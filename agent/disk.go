package agent

import "github.com/prometheus/client_golang/prometheus"

// disks tells how much room there is where files are served from and where the agent keeps its own. It looks when it is
// asked.
type disks struct {
	folders    map[string]string // "root" and "state" lead to paths
	free, size *prometheus.Desc
}

func newDisks(folders map[string]string) disks {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "disk", name), help, []string{"folder"}, nil)
	}
	return disks{
		folders,
		desc("free_bytes", "Room left on the disk of serve.root (root) and state_dir (state), for an ordinary user."),
		desc("size_bytes", "Size of that disk."),
	}
}

// Describe is for the registry.
func (d disks) Describe(ch chan<- *prometheus.Desc) { ch <- d.free; ch <- d.size }

// Collect is for the registry. A folder that cannot be looked at has no series.
func (d disks) Collect(ch chan<- prometheus.Metric) {
	for name, path := range d.folders {
		if path == "" {
			continue
		}
		free, size, err := diskSpace(path)
		if err != nil {
			continue
		}
		ch <- prometheus.MustNewConstMetric(d.free, prometheus.GaugeValue, float64(free), name)
		ch <- prometheus.MustNewConstMetric(d.size, prometheus.GaugeValue, float64(size), name)
	}
}
