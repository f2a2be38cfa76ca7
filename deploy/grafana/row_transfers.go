package main

// transfers are TFTP and HTTP.
func transfers(b *board) {
	b.row("Transfers")
	b.place(8, 8, lines("Throughput", "File bytes sent: acknowledged by the machine (TFTP) or written (HTTP).",
		query{`sum by (protocol) (rate(pxeagent_sent_bytes_total{<agents>}[$__rate_interval]))`, "{{protocol}}"}).unit("Bps"))
	b.place(8, 8,
		lines(
			"TFTP packets sent again",
			"For want of an answer. A few are normal; many mean a lossy or overloaded network, or a firewall in between.",
			query{
				`sum by (instance) (rate(pxeagent_tftp_resent_packets_total{<agents>}[$__rate_interval]))`,
				"{{instance}}",
			},
		).unit("pps").warnAbove(10).perAgent(),
	)
	b.place(8, 8, lines("Transfers under way", "Requests that are being answered, and TFTP requests that wait in a flood.",
		query{`sum by (protocol) (pxeagent_requests_in_flight{<agents>})`, "{{protocol}}"},
		query{`sum(pxeagent_tftp_waiting_requests{<agents>})`, "waiting"}).decimals(0))
	b.place(8, 8,
		bars(
			"Turned away",
			"HTTP connections of addresses that have as many open as one may have; TFTP requests that got no answer, and "+
				"those of too many addresses that did not answer. Machines make few; hundreds mean a flood, or many machines "+
				"behind one NAT.",
			query{
				`sum by (instance) (increase(pxeagent_http_connections_refused_total{<agents>}[$__rate_interval]))`,
				"HTTP, {{instance}}",
			},
			query{
				`sum by (instance) (increase(pxeagent_tftp_dropped_requests_total{<agents>}[$__rate_interval]))`,
				"TFTP, {{instance}}",
			},
			query{
				`sum by (instance) (increase(pxeagent_tftp_unreported_requests_total{<agents>}[$__rate_interval]))`,
				"TFTP without an answer, {{instance}}",
			},
		),
	)
	b.place(8, 8, ranking(
		"Top artifacts",
		"What was sent in the time range, by kind of file and protocol.",
		query{
			`topk(10, sum by (artifact, protocol) (increase(pxeagent_sent_bytes_total{<agents>}[$__range])))`,
			"{{artifact}} by {{protocol}}",
		},
	).unit("bytes"))
	b.place(8, 8,
		bars(
			"Requests by kind of client",
			"As recognised by the form of the request: iPXE, UEFI and BIOS firmware, GRUB, pxelinux, tools.",
			query{
				`sum by (class) (increase(pxeagent_requests_total{<agents>,artifact!="internal"}[$__rate_interval]))`,
				"{{class}}",
			},
		),
	)
	b.place(8, 8, lines(
		"Slow requests",
		"Nineteen of twenty requests took no longer than this, by kind of file.",
		query{
			`histogram_quantile(0.95, sum by (le, artifact, protocol) (rate(pxeagent_request_duration_seconds_bucket{<agents>,artifact!="internal"}[$__rate_interval])))`,
			"{{artifact}} by {{protocol}}",
		},
	).
		unit("s").every("5m"))
}
