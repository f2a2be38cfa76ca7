package main

// dhcp is what the probes find on the wire.
func dhcp(b *board) {
	b.row("DHCP")
	b.place(12, 9,
		states(
			"Offers to each kind of client",
			"Whether the DHCP offers to machines of this kind are as configured, from the agent's own probes.",
			"as configured",
			"wrong",
			query{`min by (interface, client) (pxeagent_probe_offer_ok{<agents>})`, "{{interface}} {{client}}"},
		),
	)
	b.place(12, 9,
		states(
			"Configuration and wire",
			"Whether what the DHCP server says is still what was configured. A change that nobody made with pxeagent is drift.",
			"in sync",
			"drifted",
			query{`min by (instance, interface) (pxeagent_dhcp_in_sync{<agents>})`, "{{interface}} at {{instance}}"},
		).perAgent(),
	)
	b.place(8, 7,
		states(
			"Boot path, step by step",
			"The last check: offer, boot program (nbp), script, files that the script names.",
			"works",
			"broken",
			query{`min by (interface, step) (pxeagent_check_ok{<agents>})`, "{{interface}} {{step}}"},
		),
	)
	b.place(8, 7, lines("Foreign boot servers", "DHCP servers that send machines elsewhere, in the last probe.",
		query{`max by (interface) (pxeagent_foreign_servers{<agents>})`, "{{interface}}"}).decimals(0).warnAbove(1))
	b.place(8, 7,
		lines(
			"Time to the first offer",
			"From the DISCOVER of a probe to the first offer. Firmware gives up after some seconds.",
			query{
				`max by (interface, client) (pxeagent_probe_offer_duration_seconds{<agents>})`,
				"{{interface}} {{client}}",
			},
		).unit("s"),
	)
	b.place(16, 6, bars(
		"Probes by result",
		"Probes that the agent made: ok, wrong, no_offer or error.",
		query{
			`sum by (interface, result) (increase(pxeagent_probes_total{<agents>}[$__rate_interval]))`,
			"{{interface}} {{result}}",
		},
	))
	b.place(8, 6, stat(
		"Last probe",
		"How long ago. It should be less than probe.interval.",
		query{
			`time() - max by (interface) (pxeagent_probe_timestamp_seconds{<agents>})`,
			"{{interface}}",
		},
	).unit("s").from("green", 900.0, "orange", 1800.0, "red").without("not probed"))
}
