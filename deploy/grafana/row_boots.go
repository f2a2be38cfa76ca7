package main

// results are the colours of how boots end.
var results = []string{
	"booted",
	"green",
	"local_disk",
	"blue",
	"stalled",
	"orange",
	"failed",
	"red",
	"looped",
	"purple",
}

// boots says how many there are and how they end.
func boots(b *board) {
	b.row("Boots")
	b.place(12, 9,
		bars(
			"Boots by result",
			"Boots that ended: booted, sent on to the local disk, stalled (no further request), failed (a file was not to be "+
				"had) or looped.",
			query{
				`sum by (result) (increase(pxeagent_boots_total{<boots>}[$__rate_interval]))`,
				"{{result}}",
			},
		).colored(results...),
	)
	b.place(6, 9, lines("Boots under way", "Machines between their first request and the end of their boot.",
		query{`sum by (instance) (pxeagent_boots_in_progress{<agents>})`, "{{instance}}"}).decimals(0).perAgent())
	b.place(6, 9, ranking(
		"Boots in the time range",
		"Boots that ended, by how they did.",
		query{
			`sum by (result) (increase(pxeagent_boots_total{<boots>}[$__range]))`,
			"{{result}}",
		},
	).decimals(0).colored(results...))
	b.place(8, 7, bars("Boots by processor", "Boots that ended, by arch.",
		query{`sum by (arch) (increase(pxeagent_boots_total{<boots>}[$__rate_interval]))`, "{{arch}}"}))
	b.place(8, 7,
		ranking(
			"Boots by profile",
			"Boots that ended in the time range, by the profile that the configuration gives the machine.",
			query{
				`sum by (profile) (label_replace(increase(pxeagent_boots_total{<boots>}[$__range]), "profile", "no profile", "profile", ""))`,
				"{{profile}}",
			},
		).decimals(0),
	)
	b.place(8, 7,
		lines(
			"Share that came through",
			"Boots that booted or were sent on to their own disk, of all that ended in the hour before.",
			query{
				`1 - (sum(increase(pxeagent_boots_total{<boots>,result=~"stalled|looped|failed"}[1h])) or vector(0)) / (sum(increase(pxeagent_boots_total{<boots>}[1h])) > 0)`,
				"came through",
			},
		).
			unit("percentunit").between(0, 1),
	)
}

// duration says how long boots take.
func duration(b *board) {
	b.row("Time to boot")
	b.place(12, 9,
		heat(
			"Time to boot",
			"Machines that booted, by the time from their first request until they had all that they boot. Reads classic "+
				"buckets: empty with metrics.native.",
			query{
				`sum by (le) (increase(pxeagent_boot_duration_seconds_bucket{<arch>}[$__rate_interval]))`,
				"{{le}}",
			},
		).unit("s").exemplars(),
	)
	b.place(12, 9,
		lines(
			"Time to boot, quantiles",
			"Half, nine of ten, and ninety-nine of a hundred boots took no longer than this. Gaps are times without boots. "+
				"Reads classic buckets.",
			query{
				`histogram_quantile(0.5, sum by (le) (rate(pxeagent_boot_duration_seconds_bucket{<arch>}[$__rate_interval])))`,
				"half",
			},
			query{
				`histogram_quantile(0.9, sum by (le) (rate(pxeagent_boot_duration_seconds_bucket{<arch>}[$__rate_interval])))`,
				"9 of 10",
			},
			query{
				`histogram_quantile(0.99, sum by (le) (rate(pxeagent_boot_duration_seconds_bucket{<arch>}[$__rate_interval])))`,
				"99 of 100",
			},
		).unit("s").every("5m").exemplars(),
	)
	b.place(8, 8, ranking(
		"Slowest stages",
		"Nine of ten boots in the time range were done with the stage in this time.",
		query{
			`sort_desc(histogram_quantile(0.9, sum by (le, stage) (increase(pxeagent_boot_stage_duration_seconds_bucket{<agents>}[$__range]))))`,
			"{{stage}}",
		},
	).unit("s"))
	b.place(8, 8,
		lines(
			"Time in each stage",
			"Mean time in a stage: nbp (the boot program), script, kernel, image (all other files).",
			query{
				`sum by (stage) (rate(pxeagent_boot_stage_duration_seconds_sum{<agents>}[$__rate_interval])) / sum by (stage) (rate(pxeagent_boot_stage_duration_seconds_count{<agents>}[$__rate_interval]))`,
				"{{stage}}",
			},
		).
			unit("s").every("5m"),
	)
	b.place(8, 8, ranking(
		"Time to boot by processor",
		"Nine of ten boots in the time range took no longer than this.",
		query{
			`histogram_quantile(0.9, sum by (le, arch) (increase(pxeagent_boot_duration_seconds_bucket{<arch>}[$__range])))`,
			"{{arch}}",
		},
	).unit("s"))
}
