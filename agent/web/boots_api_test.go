package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

var bootStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func someBoot(n int, change func(*boot.Boot)) boot.Boot {
	at := bootStart.Add(time.Duration(n) * time.Second)
	b := boot.Boot{
		ID:      fmt.Sprintf("%010d", n),
		MAC:     "52:54:00:00:00:01",
		Addr:    netip.MustParseAddr("10.0.0.9"),
		Arch:    "x86_64",
		Started: at,
		Updated: at,
		Stages:  []boot.Span{},
		Files:   []boot.Fetch{},
	}
	if change != nil {
		change(&b)
	}
	return b
}

func ended(result boot.Result) func(*boot.Boot) {
	return func(b *boot.Boot) { b.Result, b.Ended = result, b.Updated }
}

func newBootSite(t *testing.T, change func(*BootsAPI)) (*site, *boot.Feed) {
	feed := boot.NewFeed(500)
	t.Cleanup(feed.Close)
	return newSite(t, func(c *Config) {
		c.Boots = NewBootsAPI(feed, nil)
		if change != nil {
			change(c.Boots)
		}
	}), feed
}

func TestBootsAPI(t *testing.T) {
	s, feed := newBootSite(t, nil)
	feed.Set(someBoot(1, ended(boot.Booted)))
	feed.Set(someBoot(2, func(b *boot.Boot) { b.MAC = "52:54:00:00:00:02"; ended(boot.Stalled)(b) }))
	feed.Set(someBoot(3, func(b *boot.Boot) { b.Files = []boot.Fetch{{Name: "</script>\n\x1b[31m"}} }))
	for path, want := range map[string]string{
		BootsPath:                            "3 2 1",
		BootsPath + "?limit=2":               "3 2",
		BootsPath + "?mac=52-54-00-00-00-02": "2",
		BootsPath + "?result=booted":         "1",
		BootsPath + "?result=under-way":      "3",
		BootsPath + "?result=failed":         "",
		BootsPath + "?limit=0":               `limit "0" is not a number from 1 to 1000`,
		BootsPath + "?limit=1001":            `limit "1001" is not a number from 1 to 1000`,
		BootsPath + "?mac=x":                 `mac "x" is not an Ethernet address such as 52:54:00:12:34:56`,
		BootsPath + "?result=x":              `result "x" is not one of under-way, [booted stalled looped failed local_disk]`,
		BootsPath + "?result=" + strings.Repeat("x", 900): `result "` + strings.Repeat("x", 40) +
			`" is not one of under-way, [booted stalled looped failed local_disk]`,
	} {
		resp, body := s.do("GET", path)
		var answer struct {
			Boots []boot.Boot
			Error string
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%s: %v in %s", path, err, body)
		}
		var ids []string
		for _, b := range answer.Boots {
			ids = append(ids, strings.TrimLeft(b.ID, "0"))
		}
		if got := strings.Join(ids, " ") + answer.Error; got != want || (resp.StatusCode == 200) != (answer.Error == "") ||
			answer.Error == "" && answer.Boots == nil {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, got, want)
		}
		if strings.ContainsAny(body, "\x1b<") {
			t.Errorf("%s: a hostile name came as it was: %q", path, body)
		}
	}
	resp, body := s.do("GET", BootsPath+"/0000000002")
	var b boot.Boot
	if err := json.Unmarshal([]byte(body), &b); err != nil || b.MAC != "52:54:00:00:00:02" ||
		resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v: %s", err, body)
	}
	for method, path := range map[string]string{"GET": BootsPath + "/9", "POST": BootsPath, "DELETE": BootsPath +
		"/0000000002", "PUT": EventsPath} {
		if resp, body := s.do(method, path); resp.StatusCode != 404 && resp.StatusCode != 405 {
			t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, body)
		}
	}
}

// follower reads server-sent events.
type follower struct {
	t     *testing.T
	lines *bufio.Reader
	close func()
}

func follow(t *testing.T, s *site) *follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+EventsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{t, bufio.NewReader(resp.Body), func() { cancel(); resp.Body.Close() }}
	t.Cleanup(f.close)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	f.line() // the greeting: from here on nothing is missed
	return f
}

func (f *follower) line() string {
	f.t.Helper()
	line, err := f.lines.ReadString('\n')
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}

// boot is the next one in the stream.
func (f *follower) boot() boot.Boot {
	f.t.Helper()
	for f.line() != "event: boot" {
	}
	var b boot.Boot
	if err := json.Unmarshal([]byte(strings.TrimPrefix(f.line(), "data: ")), &b); err != nil {
		f.t.Fatal(err)
	}
	return b
}

func TestEvents(t *testing.T) {
	s, feed := newBootSite(t, func(a *BootsAPI) { a.beat = 20 * time.Millisecond })
	feed.Set(someBoot(1, nil))
	f := follow(t, s)
	tr := s.next(t)
	if tr.Artifact != boot.Internal || tr.Outcome != boot.OK {
		t.Errorf("the observer got %+v", tr)
	}
	for f.line() != ": still here" {
	}
	feed.Set(someBoot(1, ended(boot.Booted)))
	if b := f.boot(); b.ID != someBoot(1, nil).ID || b.Result != boot.Booted {
		t.Errorf("%+v", b)
	}
	feed.Set(someBoot(2, nil))
	if b := f.boot(); b.ID != someBoot(2, nil).ID {
		t.Errorf("%+v", b)
	}
	feed.Close()
	if _, err := io.ReadAll(f.lines); err != nil {
		t.Errorf("the stream did not end with the feed: %v", err)
	}
}

// A stream begins with all boots that are kept, as they are when changes begin to arrive: nothing falls between the
// list and the first change.
func TestStreamBeginsWithAllBoots(t *testing.T) {
	s, feed := newBootSite(t, nil)
	for n := range streamBoots + 1 {
		feed.Set(someBoot(n, nil))
	}
	f := follow(t, s)
	feed.Set(someBoot(streamBoots+1, nil))
	line := f.line()
	for !strings.HasPrefix(line, "event: ") {
		line = f.line()
	}
	if line != "event: boots" {
		t.Fatalf("the first event is %q", line)
	}
	var all []boot.Boot
	if err := json.Unmarshal([]byte(strings.TrimPrefix(f.line(), "data: ")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != streamBoots {
		t.Errorf("%d boots, want the newest %d", len(all), streamBoots)
	}
	if b := f.boot(); b.ID != someBoot(streamBoots+1, nil).ID {
		t.Errorf("the first change is %+v", b)
	}
}

// The status comes again without any change, so that a client can tell a silent daemon from a dead connection.
func TestStreamRepeatsStatus(t *testing.T) {
	feed := boot.NewFeed(1)
	t.Cleanup(feed.Close)
	api := NewBootsAPI(feed, newStage(fullStatus(time.Now())))
	api.beat = 20 * time.Millisecond
	s := newSite(t, func(c *Config) { c.Boots = api })
	f := follow(t, s)
	for range 3 {
		for f.line() != "event: status" {
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s, feed := newBootSite(t, func(a *BootsAPI) { a.most = 3 })
	var all []*follower
	for range 3 {
		all = append(all, follow(t, s))
	}
	if resp, _ := s.do("GET", EventsPath); resp.StatusCode != http.StatusServiceUnavailable ||
		resp.Header.Get("Retry-After") == "" {
		t.Errorf("a fourth one: status %d", resp.StatusCode)
	}
	feed.Set(someBoot(1, nil))
	for _, f := range all {
		f.boot()
	}
	// Who goes makes room, once the server has noticed.
	all[0].close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		req, _ := http.NewRequest("GET", s.url+EventsPath, nil)
		resp, err := (&http.Transport{}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no room after one has gone")
		}
	}
}

// A client that does not read costs no memory and delays nobody; the others hear all that is last of each boot.
func TestSlowReader(t *testing.T) {
	s, feed := newBootSite(t, nil)
	slow, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", EventsPath)
	f := follow(t, s)
	long := strings.Repeat("x", 2000)
	const n, rounds = 100, 200
	began := time.Now()
	for round := range rounds {
		for i := range n {
			feed.Set(someBoot(i, func(b *boot.Boot) {
				b.Note = long
				if round == rounds-1 {
					ended(boot.Booted)(b)
				}
			}))
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d changes took %v", n*rounds, took)
	}
	last := map[string]bool{}
	for len(last) < n {
		if b := f.boot(); b.Result == boot.Booted {
			last[b.ID] = true
		}
	}
}
