package main

// trouble says where boots stop.
func trouble(b *board) {
	b.row("Where boots stall")
	b.place(12, 8,
		bars(
			"Boots that stalled or failed, by stage",
			"The last stage that they reached: nothing was requested after it, or one of its files was not found.",
			query{`sum by (stage) (increase(pxeagent_boots_stalled_total{<agents>}[$__rate_interval]))`, "{{stage}}"},
		),
	)
	b.place(6, 8,
		ranking("Where boots stall", "Boots that stalled or failed in the time range, by the last stage that they reached.",
			query{`sum by (stage) (increase(pxeagent_boots_stalled_total{<agents>}[$__range]))`, "{{stage}}"}).decimals(0),
	)
	b.place(6, 8,
		bars(
			"Loops",
			"Seen: machines that load iPXE again and again. Broken: requests of iPXE for itself that were answered with the "+
				"script, so that there is no loop.",
			query{`sum(increase(pxeagent_loops_seen_total{<agents>}[$__rate_interval]))`, "seen"},
			query{
				`sum by (protocol) (increase(pxeagent_loops_broken_total{<agents>}[$__rate_interval]))`,
				"broken by {{protocol}}",
			},
		).colored("seen", "red"),
	)
	b.place(12, 8,
		bars(
			"Requests that went wrong",
			"Requests of machines that were refused, broken off, timed out, or asked for what does not exist. A request for "+
				"the "+
				"size of a file alone is not a failure.",
			query{
				`sum by (protocol, outcome) (increase(pxeagent_requests_total{<agents>,outcome!~"ok|size_probe|optional",artifact!="internal"}[$__rate_interval]))`,
				"{{protocol}} {{outcome}}",
			},
		),
	)
	b.place(12, 8,
		ranking(
			"Quirks of firmware put right",
			"Oddities in the names that machines asked for in the time range, by kind. They cost nothing; they tell what the "+
				"DHCP server or the firmware does.",
			query{
				`sort_desc(sum by (kind) (increase(pxeagent_quirks_absorbed_total{<agents>}[$__range])))`,
				"{{kind}}",
			},
		).decimals(0),
	)
}
