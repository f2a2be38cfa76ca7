package main

// images are what can be booted, and the disk that holds it.
func images(b *board) {
	b.row("Images and disk")
	const by = "max by (instance, image) "
	b.place(16, 9,
		table(
			"Images",
			"Boot images on disk: their size, when they were added, whether their files are as their manifest says and when "+
				"that was last compared.",
			[]column{
				{"image", "Image", nil},
				{"Value #A", "Size", []property{shownAs("bytes")}},
				{"Value #B", "Added", []property{shownAs("dateTimeFromNow"), {"noValue", "by hand"}}},
				{"Value #C", "Verified", yesNo("yes", "no")},
				{"Value #D", "Last verified", []property{shownAs("dateTimeFromNow")}},
				{"instance", "Agent", []property{leadsToPage()}},
			},
			query{by + `(pxeagent_image_size_bytes{<agents>})`, ""},
			query{by + `(pxeagent_image_added_timestamp_seconds{<agents>}) * 1000`, ""},
			query{by + `(pxeagent_image_verified{<agents>})`, ""},
			query{by + `(pxeagent_image_verified_timestamp_seconds{<agents>}) * 1000 > 0`, ""},
		).without("never"),
	)
	b.place(8, 9,
		lines(
			"Free disk",
			"Free part of the disk below the served tree (root) and below the state folder (state).",
			query{
				`pxeagent_disk_free_bytes{<agents>} / pxeagent_disk_size_bytes{<agents>}`,
				"{{folder}} at {{instance}}",
			},
		).unit("percentunit").between(0, 1).perAgent(),
	)
	b.place(8, 7, ranking(
		"Age of images",
		"Since a recipe added them. Old installers lack security updates.",
		query{
			`sort_desc(time() - max by (image) (pxeagent_image_added_timestamp_seconds{<agents>}))`,
			"{{image}}",
		},
	).unit("s"))
	b.place(8, 7, lines("Free bytes", "A disk that fills slowly shows here long before it is full.",
		query{`pxeagent_disk_free_bytes{<agents>}`, "{{folder}} at {{instance}}"}).unit("bytes").perAgent())
	b.place(8, 7,
		states(
			"Images verified",
			"Of those that were compared with their manifest: an image that turns red was changed on disk, or the disk is "+
				"failing.",
			"as it was added",
			"differs",
			query{
				`min by (image) (pxeagent_image_verified{<agents>} and pxeagent_image_verified_timestamp_seconds{<agents>})`,
				"{{image}}",
			},
		),
	)
}
