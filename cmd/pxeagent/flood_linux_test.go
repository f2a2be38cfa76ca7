package main

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Whoever sends forged requests, or requests with long names, makes no long log. What was left out is counted to the
// last line.
func TestLogOfAFlood(t *testing.T) {
	d := startProcess(t, 0, "serve:\n  networks: [127.0.0.0/24]\n")
	write(t, filepath.Join(d.dir, "root/tftp/marker"), "marker")
	const forged, long, fine, odd = 20000, 400, 800, 100
	var foreign []*net.UDPConn
	for i := range 50 {
		foreign = append(foreign, d.udp(fmt.Sprintf("127.77.0.%d", i+1)))
	}
	for i := range forged {
		name := fmt.Sprintf("file-%d\x1b[31m%s", i, strings.Repeat("x", 300))
		if _, err := foreign[i%len(foreign)].WriteToUDPAddrPort([]byte("\x00\x01"+name+"\x00octet\x00"), d.tftp); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			d.fetch("127.0.0.1", "marker") // what came before has been looked at
		}
	}
	d.fetch("127.0.0.1", "marker")
	c := d.client("127.0.0.1")
	for i := range long {
		if code, _ := d.get(c, fmt.Sprintf("/%d-%s", i, strings.Repeat("y", 10000))); code != http.StatusForbidden {
			t.Fatalf("a path of 10 kB: status %d", code)
		}
	}
	for range fine {
		if code, _ := d.get(c, "/ipxe/bootstrap.ipxe"); code != http.StatusOK {
			t.Fatalf("the menu: status %d", code)
		}
	}
	for range odd {
		d.get(c, "/healthz?a;b") // net/http itself has something to say of it
	}
	refused := map[string]int{
		"tftp": d.metric(c, `pxeagent_requests_total\{.*outcome="refused",protocol="tftp"\}`),
		"http": d.metric(c, `pxeagent_requests_total\{.*outcome="refused",protocol="http"\}`),
	}
	// The daemon's own check of what is served is among these.
	served := d.metric(c, `pxeagent_requests_total\{artifact="(?:script|nbp)",.*outcome="ok",protocol="http"\}`)
	// Of a flood by TFTP only a part is counted and logged, which is enough to see it.
	if refused["tftp"] < 100 || refused["http"] != long {
		t.Errorf("refused: %v of %d and %d", refused, forged, long)
	}
	d.stop()
	log := d.log.String()
	for proto, all := range refused {
		written := len(regexp.MustCompile(`msg=served proto=`+proto+` .*outcome=refused`).FindAllString(log, -1))
		left := sum(t, regexp.MustCompile(
			`level=WARN msg="lines left out" of=served proto=`+proto+` outcome=refused count=(\d+)\n`), log)
		if written+left != all || written < 10 || written > 3*30 {
			t.Errorf("%s: %d lines and %d left out, of %d", proto, written, left, all)
		}
	}
	written := len(regexp.MustCompile(`msg=served proto=http .*outcome=ok`).FindAllString(log, -1))
	left := sum(t, regexp.MustCompile(`level=INFO msg="lines left out" of=served proto=http outcome=ok count=(\d+)\n`),
		log)
	if written+left != served || served < fine || left == 0 {
		t.Errorf("%d lines and %d left out, of %d requests that were served", written, left, served)
	}
	if n := strings.Count(log, "\n"); n > 1500 || len(log) > 400_000 {
		t.Errorf("the log has %d lines, %d bytes", n, len(log))
	}
	for _, line := range strings.SplitAfter(log, "\n") {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes: %.100q", len(line), line)
		}
		if line != "" && !strings.HasPrefix(line, "time=") {
			t.Errorf("not a line of the log: %q", line)
		}
		if strings.ContainsAny(line, "\x1b\r") {
			t.Errorf("control characters: %q", line)
		}
	}
	if !strings.Contains(log, "msg=stopped") {
		t.Error("what an operator did is not in the log")
	}
}
