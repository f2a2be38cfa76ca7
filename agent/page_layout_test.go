package agent_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
)

// shotsEnv names a folder that the pictures for the documentation are written to.
const shotsEnv = "PXEAGENT_PAGE_SHOTS"

// On a desk and on a phone, dark and light, nothing is wider than the window. The pictures of the documentation are of
// this.
func TestLivePageLayout(t *testing.T) {
	b, s, _ := openPage(t)
	s.bootAll()
	b.Until(
		card("lab-1") + `?.textContent.includes("Booted") && ` + card("lab-3") + `?.textContent.includes("Local disk")`,
	)
	b.Until(`document.querySelectorAll("article.machine.bad").length === 2`)
	unlock(b, pageToken)
	b.Until(unlocked)
	slow := s.machine(1, boot.Facts{Manufacturer: "Joyent", Product: "Joyent-M12G5"})
	slow.rom()
	slow.script()
	slow.get(newSmartOS+"kernel/amd64/unix", 12<<20)
	over := make(chan struct{})
	go func() { defer close(over); slow.get(newSmartOS+"amd64/boot_archive", 4<<20) }()
	live := card("lab-1") + `?.querySelector(".span.live")`
	b.Until(live + `?.getBoundingClientRect().width > 100`)
	choose(b, "52:54:00:4a:10:01")
	b.Until(`document.querySelector(".screen li.chosen").textContent.includes("SmartOS 20260108T003134Z")`)
	b.Until(holds("events-body", "chainload loop"))
	lab.Eval[bool](b, `(() => {
		document.activeElement.blur();
		for (const d of document.querySelectorAll("details")) d.open = false;
		scrollTo(0, 0);
		return true;
	})()`)
	for _, p := range []struct {
		name, scheme  string
		width, height int64
	}{{"page-dark", "dark", 1280, 940}, {"page-light", "light", 1280, 940}, {"page-phone", "dark", 360, 780}} {
		b.Do("changing the window", chromedp.EmulateViewport(p.width, p.height), media(p.scheme))
		if width := lab.Eval[int64](b, `document.documentElement.scrollWidth`); width > p.width {
			t.Errorf("%s: the page is %d pixels wide, the window %d", p.name, width, p.width)
		}
		var shot []byte
		b.Do("taking a picture", chromedp.CaptureScreenshot(&shot))
		if dir := os.Getenv(shotsEnv); dir != "" {
			writePicture(t, filepath.Join(dir, p.name+".png"), shot)
		}
	}
	<-over
}

// writePicture writes a picture, compressed as well as possible.
func writePicture(t *testing.T, path string, shot []byte) {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, picture); err != nil {
		t.Fatal(err)
	}
	if small.Len() > len(shot) {
		small = *bytes.NewBuffer(shot)
	}
	if err := os.WriteFile(path, small.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d bytes", path, small.Len())
}
