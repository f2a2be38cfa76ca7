package agent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"pxeagent/agent/boot"
	"pxeagent/agent/web"
	"pxeagent/deploy/lab"
)

// unlock opens the page's dialog and enters a token.
func unlock(b *lab.Browser, token string) {
	if !lab.Eval[bool](b, `document.getElementById("key").open`) {
		b.Do("unlocking", chromedp.Click("#unlock", chromedp.ByQuery))
	}
	b.Until(`document.getElementById("key").open`)
	lab.Eval[bool](b, `(() => {
		const field = document.getElementById("key-token");
		field.value = "";
		field.focus();
		return true;
	})()`)
	b.Do("typing a token", chromedp.KeyEvent(token+kb.Enter))
}

// choose has the menu shown as some machine sees it.
func choose(b *lab.Browser, who string) {
	lab.Eval[bool](b, fmt.Sprintf(`(() => {
		const select = document.getElementById("as-machine");
		select.value = %q;
		select.dispatchEvent(new Event("change"));
		return true;
	})()`, who))
}

const unlocked = `!document.getElementById("key").open && !document.getElementById("check-now").hidden`

// Without the token there is nothing to act with. A wrong one is rejected, and the right one is kept in the tab's
// storage only.
func TestLivePageToken(t *testing.T) {
	b, _, _ := openPage(t, "status of 401")
	b.Until(`document.querySelector("#path-body time, #path-body .net")`)
	if !lab.Eval[bool](b, `document.getElementById("check-now").hidden`) {
		t.Error("a check can be started without a token")
	}
	unlock(b, "this-is-not-the-token-0123")
	b.Until(`document.getElementById("key-error").textContent === "the token is wrong"`)
	unlock(b, pageToken)
	b.Until(unlocked)
	kept := lab.Eval[string](b, `[sessionStorage.getItem("token"), localStorage.length, document.cookie].join("|")`)
	if kept != pageToken+"|0|" {
		t.Errorf("the token is kept in %q", kept)
	}
}

// A check that is started on the page is shown with what it found, also in the metrics, and is never taken for a boot.
func TestLivePageChecks(t *testing.T) {
	b, s, o := openPage(t)
	unlock(b, pageToken)
	b.Until(unlocked)
	b.Until(`document.querySelector("#path-body time")`)
	verdict := `document.querySelector("#path-body .net .badge").textContent`
	check := func() {
		t.Helper()
		b.Until(`!document.getElementById("check-now").disabled`)
		last := lab.Eval[string](b, `document.querySelector("#path-body time").dateTime`)
		b.Do("checking", chromedp.Click("#check-now", chromedp.ByQuery))
		b.Until(fmt.Sprintf(`document.querySelector("#path-body time").dateTime !== %q`, last))
		b.Until(`!document.getElementById("check-now").disabled`)
	}
	check()
	b.Until(verdict + ` === "OK"`)
	s.until(`pxeagent_check_ok\{interface="admin",step="[a-z]+"\}`, 4)
	o.file <- "pxelinux.0"
	check()
	b.Until(verdict + ` === "Problems" && ` + holds("path-body", "pxelinux.0"))
	b.Until(holds("events-body", "pxelinux.0"))
	s.until(`pxeagent_check_ok\{interface="admin",step="offer"\}`, 0)
	o.file <- "undionly.kpxe"
	check()
	b.Until(verdict + ` === "OK"`)
	if n := s.metric(`pxeagent_boots_total\{.*\}`); n > 0 {
		t.Errorf("%v boots, and no machine has booted: a check was taken for one", n)
	}
}

// A one-time boot is set and canceled.
func TestLivePageOneTimeBoot(t *testing.T) {
	b, s, _ := openPage(t)
	s.machine(3, boot.Facts{}).script()
	unlock(b, pageToken)
	b.Until(unlocked)
	b.Until(card("lab-3"))
	choose(b, "52:54:00:4a:10:03")
	b.Until(`document.querySelectorAll("#once-item option").length > 4`)
	item := lab.Eval[string](b, `[...document.querySelectorAll("#once-item option")].map((o) => o.value)
		.find((v) => v.startsWith("debian"))`)
	lab.Eval[bool](b, fmt.Sprintf(`(() => {
		const select = document.getElementById("once-item");
		select.value = %q;
		select.form.requestSubmit();
		return true;
	})()`, item))
	b.Until(card("lab-3") + `.textContent.includes("next: ` + item + ` (one-time)")`)
	status, body := s.get("/api/v1/status", "test")
	var now web.Status
	if err := json.Unmarshal([]byte(body), &now); err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	i := slices.IndexFunc(now.Machines, func(m web.Machine) bool { return m.Name == "lab-3" })
	if i < 0 || now.Machines[i].Once != item {
		t.Errorf("the machines are %+v", now.Machines)
	}
	b.Until(`document.querySelector('[data-key="once-no"]')`)
	b.Do("canceling", chromedp.Click(`[data-key="once-no"]`, chromedp.ByQuery))
	b.Until(`!` + card("lab-3") + `.textContent.includes("next:")`)
}

// The menu is shown as each kind of machine, and each one that is known, sees it.
func TestLivePageMenu(t *testing.T) {
	b, s, _ := openPage(t)
	s.machine(1, boot.Facts{}).script()
	chosen := `document.querySelector(".screen li.chosen").textContent`
	choose(b, "bios")
	b.Until(`document.querySelector(".screen").textContent.includes("SmartOS 20260108T003134Z")`)
	b.Until(chosen + `.includes("local disk")`)
	choose(b, "efi")
	b.Until(`!document.querySelector(".screen").textContent.includes("SmartOS 2026")`)
	b.Until(card("lab-1"))
	choose(b, "52:54:00:4a:10:01")
	b.Until(chosen + `.includes("SmartOS 20260108T003134Z") && ` + holds("menu-body", "host lab-1"))
}

// Tab reaches all that can be used, in the order in which it stands, and where the focus is can be seen.
func TestLivePageByKeyboard(t *testing.T) {
	b, s, _ := openPage(t)
	s.machine(1, boot.Facts{}).script()
	unlock(b, pageToken)
	b.Until(unlocked + ` && ` + card("lab-1") + ` && document.querySelector(".screen")`)
	b.Until(`!document.getElementById("check-now").disabled`) // as it is while a check runs
	lab.Eval[bool](b, `(() => {
		document.querySelector("a, button, input, select, summary, [tabindex]").focus();
		scrollTo(0, 0);
		return true;
	})()`)
	b.Do("to the first element by key", chromedp.KeyEvent(kb.Tab),
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(input.ModifierShift)))
	var at []string
	for range 80 {
		where := lab.Eval[string](b, `(() => {
			const e = document.activeElement, style = getComputedStyle(e);
			if (e === document.body) return "";
			// A panel that is drawn again meanwhile has new elements that look the same.
			(window.reached ||= new Set()).add(e.outerHTML.slice(0, 80));
			return (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2 ? "no outline: " : "") +
				(e.textContent || e.id).trim().slice(0, 24);
		})()`)
		if where == "" {
			break
		}
		at = append(at, where)
		b.Do("Tab", chromedp.KeyEvent(kb.Tab))
	}
	if len(at) < 10 || at[0] != "Skip to the machines" {
		t.Errorf("Tab leads to %q", at)
	}
	for _, where := range at {
		if len(where) > 11 && where[:11] == "no outline:" {
			t.Errorf("the focus cannot be seen: %s", where)
		}
	}
	missed := lab.Eval[[]string](
		b,
		`[...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
		.filter((e) => e.checkVisibility() && !e.disabled && !e.closest("dialog"))
		.map((e) => e.outerHTML.slice(0, 80))
		.filter((html) => !window.reached.has(html))`,
	)
	if len(missed) > 0 {
		t.Errorf("Tab does not lead to %q", missed)
	}
	if lab.Eval[bool](b, `[...document.querySelectorAll("[tabindex]")].some((e) => e.tabIndex > 0)`) {
		t.Error("an element goes before others")
	}
}
