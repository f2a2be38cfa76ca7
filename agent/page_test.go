package agent_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/menu"
	"pxeagent/deploy/lab"
)

// A boot is seen stage by stage as it happens, without loading the page again.
func TestLivePageFollowsABoot(t *testing.T) {
	b, s, _ := openPage(t)
	lab.Eval[bool](b, `window.marker = true`) // gone if the page were loaded again
	m := s.machine(1, boot.Facts{Manufacturer: "Joyent", Product: "Joyent-M12G5"})
	m.rom()
	b.Until(`document.querySelector("article.machine.way .stages").textContent.includes("NBP")`)
	m.script()
	one := card("lab-1")
	b.Until(one + `?.querySelector(".stages").textContent.includes("Script")`)
	b.Until(one + `.textContent.includes("Joyent-M12G5") && ` + one + `.textContent.includes("profile compute")`)
	m.get(newSmartOS+"kernel/amd64/unix", 0)
	b.Until(one + `.querySelector(".span.kernel")`)
	m.get(newSmartOS+"amd64/boot_archive", 0)
	m.get(newSmartOS+"amd64/boot_archive.hash", 0)
	b.Until(one + `.querySelector(".span.image")`)
	b.Until(one + `.textContent.includes("Booted")`)
	b.Until(holds("events-body", "lab-1 booted"))
	if !lab.Eval[bool](b, `window.marker === true`) {
		t.Error("the page was loaded again")
	}
}

// Every result is shown as what it is, and what the images are.
func TestLivePageShowsResults(t *testing.T) {
	b, s, _ := openPage(t)
	s.bootAll()
	b.Until(
		card("lab-1") + `?.textContent.includes("Booted") && ` + card("lab-2") + `?.textContent.includes("Booted")`,
	)
	b.Until(card("lab-3") + `?.textContent.includes("Local disk")`)
	b.Until(`document.querySelectorAll("article.machine.bad").length >= 2`)
	b.Until(holds("events-body", "lab-1 booted") + " && " + holds("events-body", "chainload loop"))
	b.Until(`/1 of 4/.test(document.getElementById("sum").textContent)`)
	b.Until(`/Failed.*changed/.test(document.getElementById("images-body").textContent)`)
}

// A file is named while it is fetched, and its bar grows.
func TestLivePageShowsATransfer(t *testing.T) {
	b, s, _ := openPage(t)
	slow := s.machine(1, boot.Facts{})
	slow.rom()
	slow.script()
	slow.get(newSmartOS+"kernel/amd64/unix", 0)
	over := make(chan struct{})
	go func() { defer close(over); slow.get(newSmartOS+"amd64/boot_archive", 8<<20) }()
	one, live := card("lab-1"), card("lab-1")+`.querySelector(".span.live")`
	b.Until(one + `.textContent.includes("fetching ` + newSmartOS + `amd64/boot_archive")`)
	width := lab.Eval[float64](b, live+`.getBoundingClientRect().width`)
	b.Until(fmt.Sprintf(live+`.getBoundingClientRect().width > %f + 100`, width))
	<-over
	b.Until(one + `.querySelector(".span.image") && !` + live)
}

// What turns out to be part of another boot goes: an address that iPXE then names by its MAC.
func TestLivePageDropsMergedBoots(t *testing.T) {
	b, s, _ := openPage(t)
	six := s.machine(6, boot.Facts{})
	six.script()
	six.from = six.from.Next()
	six.get(menu.BootstrapPath, 0)
	b.Until(card(six.from.String()))
	six.script()
	b.Until("!" + card(six.from.String()))
}

// The page says since when the daemon is away, and goes on without being loaded again once it is back.
func TestLivePageReconnects(t *testing.T) {
	b, s, _ := openPage(t, "Failed to load resource", "net::ERR")
	lab.Eval[bool](b, `window.marker = true`)
	three := s.machine(3, boot.Facts{})
	three.rom()
	three.script()
	three.get(catalog.LocalPath, 0)
	b.Until(card("lab-3") + `?.textContent.includes("Local disk")`)
	tftpAt, httpAt := s.tftp, netip.MustParseAddrPort(s.base.Host)
	s.end()
	b.Until(contact("lost"))
	b.Until(`/^No contact since \d\d:\d\d:\d\d/.test(document.getElementById("contact").textContent.trim())`)
	s.start(tftpAt, httpAt)
	b.Until(contact("live") + ` && document.getElementById("contact").textContent.trim() === "Live"`)
	b.Until(card("lab-3") + `?.textContent.includes("Local disk")`) // it was kept
	s.machine(6, boot.Facts{Product: "after the restart"}).script()
	b.Until(
		`[...document.querySelectorAll("article.machine")].some((a) => a.textContent.includes("after the restart"))`,
	)
	if !lab.Eval[bool](b, `window.marker === true`) {
		t.Error("the page was loaded again")
	}
}

// With two hundred machines under way at the restart, one that boots right after it is shown as well, and all of them
// still are.
func TestLivePageReconnectsWithManyMachines(t *testing.T) {
	b, s, _ := openPage(t, "Failed to load resource", "net::ERR")
	s.bootMany()
	b.Until(`/Show all 200/.test(document.querySelector("#machines-body .rest")?.textContent)`)
	tftpAt, httpAt := s.tftp, netip.MustParseAddrPort(s.base.Host)
	s.end()
	b.Until(contact("lost"))
	s.start(tftpAt, httpAt)
	b.Until(contact("live"))
	s.machine(6, boot.Facts{Product: "after the restart"}).script()
	b.Until(
		`[...document.querySelectorAll("article.machine")].some((a) => a.textContent.includes("after the restart"))`,
	)
	b.Until(`/Show all 201/.test(document.querySelector("#machines-body .rest")?.textContent)`)
}

// The page stays small until all machines are asked for.
func TestLivePageWithManyMachines(t *testing.T) {
	b, s, _ := openPage(t)
	s.bootMany()
	const cards = `document.querySelectorAll("article.machine").length`
	b.Until(`/Show all 200/.test(document.querySelector("#machines-body .rest")?.textContent)`)
	if n, nodes := lab.Eval[int](b, cards), lab.Eval[int](b, `document.querySelectorAll("*").length`); n != 40 ||
		nodes > 4000 {
		t.Errorf("%d machines in %d elements", n, nodes)
	}
	took := lab.Eval[float64](b, `(() => {
		const start = performance.now();
		document.querySelector("#machines-body .rest button").click();
		return performance.now() - start;
	})()`)
	if n := lab.Eval[int](b, cards); n != 200 {
		t.Errorf("%d machines are shown, want 200", n)
	}
	t.Logf("all drawn in %.0f ms", took)
}

// bootMany has two hundred machines ask for the script at once.
func (s *site) bootMany() {
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(s.machine(byte(7+n), boot.Facts{Product: fmt.Sprintf("Blade %d", n)}).script)
	}
	all.Wait()
}
