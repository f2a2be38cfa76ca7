package agent

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/guard"
	"pxeagent/agent/image"
)

// images tells of what is on disk, as it is when metrics are asked for. Its label is the key of an image's folder,
// which only who may write there can make.
type images struct {
	find  func() (image.Found, error)
	guard *guard.Guard
	log   *slog.Logger

	verified, size, added, checked *prometheus.Desc
}

func newImages(root string, g *guard.Guard, log *slog.Logger) *images {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_image_"+name, help, []string{"image"}, nil)
	}
	return &images{
		find: image.NewFinder(filepath.Join(root, "http")).Find, guard: g, log: log,
		verified: desc("verified", "1 where an image's files were as they were added when last verified, else 0."),
		size:     desc("size_bytes", "Bytes of an image's files."),
		added: desc("added_timestamp_seconds",
			"When a recipe added the image, Unix time; absent where it was put there by hand."),
		checked: desc("verified_timestamp_seconds",
			"When the image was last verified, Unix time; absent where it never was."),
	}
}

// Describe implements prometheus.Collector.
func (c *images) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.verified, c.size, c.added, c.checked} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Two images of one key, which somebody made by copying a folder, are one
// series.
func (c *images) Collect(ch chan<- prometheus.Metric) {
	var found image.Found
	err := c.guard.Do(guard.Images, func() (err error) {
		found, err = c.find()
		return err
	})
	if err != nil {
		c.log.Error("images not listed for the metrics", "err", err)
		return
	}
	seen := map[string]bool{}
	for _, in := range found.Installed {
		if seen[in.Key] {
			continue
		}
		seen[in.Key] = true
		tell := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, in.Key)
		}
		tell(c.verified, bool01(in.OK()))
		tell(c.size, float64(in.Bytes))
		when := func(d *prometheus.Desc, t time.Time) {
			if !t.IsZero() {
				tell(d, float64(t.Unix()))
			}
		}
		when(c.added, in.Added)
		when(c.checked, in.Verified)
	}
}

func bool01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
