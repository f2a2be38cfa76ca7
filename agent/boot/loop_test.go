package boot

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

var loopStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fetch is one word of a story: "0:10 a uefi nbp", the time from the start, the machine, who asks and what it gets.
func fetch(t testing.TB, word string) (Transfer, time.Time) {
	t.Helper()
	var min, sec int
	var client, class, artifact string
	if _, err := fmt.Sscanf(word, "%d:%d %s %s %s", &min, &sec, &client, &class, &artifact); err != nil {
		t.Fatalf("%q: %v", word, err)
	}
	tr := Transfer{Outcome: OK, Artifact: Artifact(artifact)}
	tr.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, client[0]}), uint16(1024+sec))
	tr.Class, tr.Name, tr.Proto = Class(class), "undionly.kpxe", TFTP
	if artifact, outcome, ok := strings.Cut(artifact, "/"); ok {
		tr.Artifact, tr.Outcome = Artifact(artifact), Outcome(outcome)
	}
	return tr, loopStart.Add(time.Duration(min)*time.Minute + time.Duration(sec)*time.Second)
}

func TestLoops(t *testing.T) {
	for _, tc := range []struct {
		name, story string
		at          []int // which fetches end in a report
	}{
		{"a loop without a breaker", "0:00 a bios-rom nbp, 0:10 a ipxe nbp, 0:20 a ipxe nbp, 0:30 a ipxe nbp, 0:40 a " +
			"ipxe nbp", []int{2}},
		{"iPXE that is not known as such", "0:00 a uefi nbp, 0:10 a unknown nbp, 0:20 a unknown nbp", []int{2}},
		{"firmware that starts over", "0:00 a uefi nbp, 1:00 a uefi nbp, 2:00 a uefi nbp", []int{2}},
		{"a script between", "0:00 a bios-rom nbp, 0:10 a ipxe nbp, 0:20 a ipxe script, 0:30 a ipxe nbp, 0:40 a ipxe " +
			"nbp", nil},
		{"pxelinux between", "0:00 a bios-rom nbp, 0:05 a pxelinux other, 1:00 a bios-rom nbp, 1:05 a pxelinux " +
			"other, 2:00 a bios-rom nbp, 2:05 a pxelinux other", nil},
		{"three in more than five minutes", "0:00 a uefi nbp, 2:31 a uefi nbp, 5:01 a uefi nbp", nil},
		{"three in five minutes", "0:00 a uefi nbp, 2:31 a uefi nbp, 5:00 a uefi nbp", []int{2}},
		{"told once in an hour of looping", loopFor(60), []int{2}},
		{"again after it came further", "0:00 a ipxe nbp, 0:10 a ipxe nbp, 0:20 a ipxe nbp, 0:30 a ipxe script, 0:40 " +
			"a ipxe nbp, 0:50 a ipxe nbp, 1:00 a ipxe nbp", []int{2, 6}},
		{"again after a silence", "0:00 a ipxe nbp, 0:10 a ipxe nbp, 0:20 a ipxe nbp, 5:21 a ipxe nbp, 5:30 a ipxe " +
			"nbp, 5:40 a ipxe nbp", []int{2, 5}},
		{"each machine by itself", "0:00 a ipxe nbp, 0:01 b ipxe nbp, 0:10 a ipxe nbp, 0:11 b ipxe nbp, 0:20 a ipxe " +
			"nbp, 0:21 b ipxe nbp", []int{4, 5}},
		{"three machines", "0:00 a uefi nbp, 0:01 b uefi nbp, 0:02 c uefi nbp", nil},
		{"a person with curl", "0:00 a tool nbp, 0:01 a tool nbp, 0:02 a tool nbp", nil},
		{"size probes and broken transfers", "0:00 a uefi nbp/size_probe, 0:01 a uefi nbp, 0:02 a uefi nbp/timeout, " +
			"0:03 a uefi nbp/aborted, 0:04 a uefi nbp", nil},
		{"scripts that never arrive", "0:00 a uefi nbp, 0:10 a ipxe none/not_found, 1:00 a uefi nbp, 1:10 a ipxe " +
			"script/timeout, 2:00 a uefi nbp", []int{4}},
		{"whoever watches does not count", "0:00 a uefi nbp, 0:01 a tool internal, 0:02 a uefi nbp, 0:03 a tool " +
			"internal, 0:04 a uefi nbp", []int{4}},
		// Firmware has address a and its iPXE b, three times in five minutes.
		{"two addresses", "0:00 a uefi nbp, 0:10 b ipxe script, 1:00 a uefi nbp, 1:10 b ipxe script, 2:00 a uefi " +
			"nbp, 2:10 b ipxe script", nil},
		{"two addresses, and another machine that does loop", "0:00 c ipxe nbp, 0:01 a uefi nbp, 0:10 b ipxe script, " +
			"0:20 c ipxe nbp, 0:21 a uefi nbp, 0:30 b ipxe script, 0:40 c ipxe nbp, 0:41 a uefi nbp", []int{6}},
	} {
		var l Loops
		var got []int
		for i, word := range strings.Split(tc.story, ", ") {
			tr, now := fetch(t, word)
			if loop, ok := l.See(&tr, now); ok {
				got = append(got, i)
				if loop.Client != tr.Client.Addr() || loop.File != tr.Name || len(loop.Classes) != loopFetches ||
					loop.Classes[2] != tr.Class ||
					!loop.Since.Before(now) {
					t.Errorf("%s: %+v", tc.name, loop)
				}
			}
		}
		if !slices.Equal(got, tc.at) {
			t.Errorf("%s: reported at %v, want %v", tc.name, got, tc.at)
		}
	}
}

func loopFor(minutes int) string {
	var words []string
	for s := 0; s < 60*minutes; s += 15 {
		words = append(words, fmt.Sprintf("%d:%02d a ipxe nbp", s/60, s%60))
	}
	return strings.Join(words, ", ")
}

func TestLoopsForgetTheOldest(t *testing.T) {
	var l Loops
	ask := func(i int, now time.Time) bool {
		tr := Transfer{Artifact: NBP, Outcome: OK}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 0x0a000000+uint32(i))
		tr.Client, tr.Class = netip.AddrPortFrom(netip.AddrFrom4(b), 1024), UEFI
		_, found := l.See(&tr, now)
		return found
	}
	now := loopStart
	for i := range 10 * loopClients {
		now = now.Add(time.Millisecond)
		ask(i, now)
		if len(l.clients) > loopClients {
			t.Fatalf("%d clients are remembered after %d", len(l.clients), i)
		}
	}
	last := 10*loopClients - 1
	ask(last, now)
	if !ask(last, now) {
		t.Error("a machine that came last was forgotten")
	}
	// After a silence there is room at once.
	ask(0, now.Add(loopWindow+time.Second))
	if n := len(l.clients); n != 1 {
		t.Errorf("%d clients are remembered after a silence", n)
	}
}

// FuzzLoops: whatever happens, memory is bounded, and each report has three fetches of an NBP by that client behind it,
// in five minutes and with no script between.
func FuzzLoops(f *testing.F) {
	f.Add([]byte("\x00\x01\x05\x00\x01\x05\x00\x01\x05"))
	f.Add([]byte("\x00\x01\x05\x01\x01\x05\x00\x01\x05\x00\x01\x05\x00\x01\xff"))
	f.Fuzz(func(t *testing.T, story []byte) {
		var l Loops
		now := loopStart
		run := map[netip.Addr][]time.Time{}
		for ; len(story) >= 3; story = story[3:] {
			now = now.Add(time.Duration(story[2]) * time.Second)
			classes := Classes()
			tr := Transfer{
				Artifact: artifacts[int(story[0]&15)%len(artifacts)],
				Outcome:  outcomes[int(story[0]>>4)%len(outcomes)],
			}
			tr.Class = classes[int(story[1]&15)%len(classes)]
			tr.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, story[1] >> 4}), 1)
			client := tr.Client.Addr()
			_, found := l.See(&tr, now)
			if tr.Outcome == OK && tr.Class != Tool {
				if tr.Artifact == NBP {
					run[client] = append(run[client], now)
				} else if tr.Artifact != Internal {
					run[client] = nil
				}
			}
			if r := run[client]; found &&
				(tr.Artifact != NBP || len(r) < loopFetches || now.Sub(r[len(r)-loopFetches]) > loopWindow) {
				t.Fatalf("reported with %v behind it", r)
			}
			if len(l.clients) > 16 {
				t.Fatalf("%d clients of 16 are remembered", len(l.clients))
			}
		}
	})
}
