package ipxe

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/script"
)

// What is compiled in, and what is fetched in its place, does all that a machine behind a slow switch needs.
func TestEmbedScript(t *testing.T) {
	d := destination("http://10.0.0.7:8080")
	for name, text := range map[string][]byte{"embedded": d.EmbedScript(), Autoexec: d.Autoexec()} {
		if err := script.Validate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f := script.Faults(text); f != nil {
			t.Errorf("%s: %+v", name, f)
		}
		for _, want := range []string{
			"\ndhcp net${n} ||", // every card by its number
			"\nchain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\n",
			"\niseq at-${next-server} at-10.0.0.7 || chain -r tftp://${next-server}/autoexec.ipxe ||\n",
			" && shell ||\nexit 1\n", // never the end with success
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text)
			}
		}
		// The pauses alone, for a card whose DHCP fails at once.
		n, err := strconv.Atoi(
			regexp.MustCompile(`iseq \$\{round\} (\d+) && goto lost`).FindStringSubmatch(string(text))[1],
		)
		if err != nil {
			t.Fatal(err)
		}
		pause, err := strconv.Atoi(regexp.MustCompile(`\nsleep (\d+)\n`).FindStringSubmatch(string(text))[1])
		if err != nil {
			t.Fatal(err)
		}
		if all := time.Duration((n-1)*pause) * time.Second; all < 32*time.Second {
			t.Errorf("%s waits %s in all for a switch port", name, all)
		}
	}
	if !strings.HasPrefix(
		string(d.Autoexec()),
		"#!ipxe\nifopen net0 ||\nisset ${net0/ip} && chain -r http://10.0.0.7:8080/ipxe/bootstrap.ipxe ||\n",
	) {
		t.Errorf("autoexec.ipxe does not use the firmware's address first:\n%s", d.Autoexec())
	}
}

// What fits the placeholder is chosen by length: the address of next-server besides the menu's URL, or only the latter.
func TestEmbeddedUsesTheRoom(t *testing.T) {
	for addr, fallback := range map[string]bool{"10.0.0.7:80": true, "192.168.100.100:80": true,
		"255.255.255.255:65535": false, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535": false} {
		text := string(destination("http://" + strings.TrimSuffix(addr, ":80")).short(ChainAuto))
		if got := strings.Contains(text, "chain tftp://${next-server}/autoexec.ipxe ||\n"); got != fallback ||
			len(text) > roomEmbedded {
			t.Errorf("%s: fallback %v, want %v, in %d bytes:\n%s", addr, got, fallback, len(text), text)
		}
	}
}

// Whatever a machine is given first leads to the menu.
func TestScriptsLeadToTheMenu(t *testing.T) {
	d := destination("http://10.0.0.7:8080")
	for name, text := range map[string][]byte{
		"embedded": d.EmbedScript(), "autoexec": d.Autoexec(), "breaker": d.Breaker(), "placeholder": d.short(ChainAuto),
	} {
		if !strings.Contains(string(text), "chain -r "+d.Script+" ||\n") {
			t.Errorf("%s leads elsewhere:\n%s", name, text)
		}
	}
}
