package main

// agents are the daemons themselves.
func agents(b *board) {
	b.row("Agents")
	b.place(12, 7, table("Agents", "Each agent with its build. Its address leads to its live page.",
		[]column{
			{"instance", "Agent", []property{leadsToPage()}},
			{"version", "Version", nil}, {"revision", "Revision", nil}, {"goversion", "Go", nil}, {"job", "Job", nil},
		},
		query{`pxeagent_build_info{<agents>}`, ""}))
	b.place(12, 7, states("Up", "Whether Prometheus could scrape the agent.", "up", "down",
		query{`up{<agents>}`, "{{instance}}"}).perAgent())
	b.place(12, 7,
		states(
			"Configuration and menu",
			"Whether the file as it is on disk is in force, and the menu that is served the one configured.",
			"in force",
			"the last good one",
			query{`min by (instance) (pxeagent_config_reload_ok{<agents>})`, "file of {{instance}}"},
			query{`min by (instance) (pxeagent_menu_ok{<agents>})`, "menu of {{instance}}"},
		).perAgent(),
	)
	b.place(6, 7, bars(
		"Configuration changes",
		"Times that the configuration in force became another one.",
		query{
			`sum by (instance) (increase(pxeagent_config_changes_total{<agents>}[$__rate_interval]))`,
			"{{instance}}",
		},
	).perAgent())
	b.place(6, 7, stat(
		"Configuration in force since",
		"When the agent took up its file last.",
		query{
			`max by (instance) (pxeagent_config_reload_timestamp_seconds{<agents>}) * 1000`,
			"{{instance}}",
		},
	).unit("dateTimeFromNow").from("blue").perAgent())
	b.place(6, 7, lines("Boots kept", "Boots in the agent's store, which keeps them by age and number.",
		query{`sum by (instance) (pxeagent_boots_stored{<agents>})`, "{{instance}}"}).decimals(0).perAgent())
	b.place(6, 7,
		bars(
			"Store and webhook",
			"Boots that could not be written to disk, requests that are in no boot since too many came at once, and boots "+
				"posted to the webhook, by outcome.",
			query{`sum(increase(pxeagent_store_errors_total{<agents>}[$__rate_interval]))`, "not stored"},
			query{`sum(increase(pxeagent_boot_events_dropped_total{<agents>}[$__rate_interval]))`, "requests in no boot"},
			query{
				`sum by (outcome) (increase(pxeagent_webhook_deliveries_total{<agents>}[$__rate_interval]))`,
				"webhook {{outcome}}",
			},
		),
	)
	b.place(12, 7,
		bars(
			"Panics",
			"Faults in the agent that ended one request, transfer, probe or check. The log has the stack of each place once.",
			query{
				`sum by (instance, part) (increase(pxeagent_panics_total{<agents>}[$__rate_interval]))`,
				"{{part}} of {{instance}}",
			},
		).perAgent(),
	)
	b.place(6, 7, lines("Memory", "Resident memory of the process.",
		query{`process_resident_memory_bytes{<agents>}`, "{{instance}}"}).unit("bytes").perAgent())
	b.place(6, 7, lines("Processor", "Time on processors: 1 is one of them, all the time.",
		query{`rate(process_cpu_seconds_total{<agents>}[$__rate_interval])`, "{{instance}}"}).unit("short").perAgent())
}
