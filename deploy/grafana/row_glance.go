package main

// glance says in twelve numbers whether all is well.
func glance(b *board) {
	b.row("At a glance")
	b.place(4, 4,
		stat("Agents that do not answer", "Agents that Prometheus cannot scrape: machines there are not served either.",
			query{`count(up{<agents>} == 0) or vector(0)`, ""}).from("green", 1.0, "red"),
	)
	b.place(4, 4, stat("Boots under way", "Machines between their first request and the end of their boot.",
		query{`sum(pxeagent_boots_in_progress{<agents>})`, ""}).from("blue"))
	b.place(4, 4,
		stat(
			"Boots that came through",
			"Share of the finished boots in the time range that booted or were sent on to their own disk.",
			query{
				`1 - (sum(increase(pxeagent_boots_total{<boots>,result=~"stalled|looped|failed"}[$__range])) or vector(0)) / (sum(increase(pxeagent_boots_total{<boots>}[$__range])) > 0)`,
				"",
			},
		).
			unit("percentunit").from("red", 0.8, "orange", 0.95, "green").without("no boots"),
	)
	b.place(4, 4,
		stat("DHCP points here", "What the last probes of the DHCP servers said. One network that differs is enough for no.",
			query{`min(pxeagent_dhcp_in_sync{<agents>})`, ""}).words("yes", "no").without("not probed"),
	)
	b.place(4, 4, stat("Foreign boot servers", "DHCP servers on the wire that send machines elsewhere.",
		query{`sum(pxeagent_foreign_servers{<agents>})`, ""}).from("green", 1.0, "red").without("not probed"))
	b.place(4, 4,
		stat(
			"Machines in a loop",
			"Machines seen in the time range that loaded iPXE again and again. The log names each, with what to change.",
			query{`sum(increase(pxeagent_loops_seen_total{<agents>}[$__range]))`, ""},
		).decimals(0).
			from("green", 0.5, "red"),
	)
	b.place(4, 4, stat("Menu", "Whether the menu that is served is the one configured. If not, the last good one is kept.",
		query{`min(pxeagent_menu_ok{<agents>})`, ""}).words("as configured", "the last good one"))
	b.place(4, 4,
		stat(
			"Configuration file",
			"Whether the file was read without mistakes when it changed last. If not, the agent goes on with what it had.",
			query{`min(pxeagent_config_reload_ok{<agents>})`, ""},
		).words("taken up", "has mistakes"),
	)
	b.place(4, 4,
		stat(
			"Images that are damaged",
			"Boot images whose files differed from their manifest when they were last compared.",
			query{
				`count(pxeagent_image_verified{<agents>} == 0 and pxeagent_image_verified_timestamp_seconds{<agents>}) or vector(0)`,
				"",
			},
		).from("green", 1.0, "red"),
	)
	b.place(4, 4, stat(
		"Least free disk",
		"Of the disks that hold images and state, the fullest.",
		query{
			`min(pxeagent_disk_free_bytes{<agents>} / pxeagent_disk_size_bytes{<agents>})`,
			"",
		},
	).unit("percentunit").between(0, 1).from("red", 0.05, "orange", 0.15, "green"))
	b.place(4, 4,
		stat(
			"Steps that fail",
			"Steps of the last checks that failed: the offer, the boot program, the script or the files that it names.",
			query{`count(pxeagent_check_ok{<agents>} == 0) or vector(0)`, ""},
		).from("green", 1.0, "red"),
	)
	b.place(4, 4,
		stat(
			"Half of the boots take less than",
			"Median time from a machine's first request to the end of its boot, in the time range.",
			query{
				`histogram_quantile(0.5, sum by (le) (increase(pxeagent_boot_duration_seconds_bucket{<arch>}[$__range])))`,
				"",
			},
		).unit("s").from("blue").without("no boots"),
	)
}
