package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// noTime is a handler that writes lines which can be compared.
func noTime(b *bytes.Buffer, level slog.Level) slog.Handler {
	return slog.NewTextHandler(
		b,
		&slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}},
	)
}

func TestBudgetByCause(t *testing.T) {
	var b bytes.Buffer
	h := New(noTime(&b, slog.LevelInfo), Config{By: []string{"proto", "outcome"}})
	log := slog.New(h)
	for i := range 1000 {
		log.Warn("served", "proto", "tftp", "client", i, "outcome", "refused")
		log.Info("served", "proto", "tftp", "client", i, "outcome", "ok")
		log.Debug("served", "proto", "tftp", "outcome", "ok")
	}
	log.Warn("served", "proto", "http", "outcome", "refused") // another cause
	log.Warn("loop")
	count := func(part string) int { return strings.Count(b.String(), part) }
	if n := count("proto=tftp client"); n != warnings+notes {
		t.Errorf("%d lines of two causes, want %d", n, warnings+notes)
	}
	if count("proto=http outcome=refused") != 1 || count("msg=loop") != 1 {
		t.Errorf("other causes lack their lines:\n%s", &b)
	}
	for i := range warnings { // those that are written are the first
		if !strings.Contains(b.String(), fmt.Sprintf("level=WARN msg=served proto=tftp client=%d outcome=refused\n", i)) {
			t.Errorf("line %d is missing", i)
		}
	}

	b.Reset()
	h.Flush()
	want := fmt.Sprintf("level=INFO msg=\"lines left out\" of=served proto=tftp outcome=ok count=%d\n", 1000-notes) +
		fmt.Sprintf("level=WARN msg=\"lines left out\" of=served proto=tftp outcome=refused count=%d\n", 1000-warnings)
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	h.Flush()
	if b.Len() > 0 {
		t.Errorf("logged twice:\n%s", &b)
	}
	log.Warn("served", "proto", "tftp", "outcome", "refused")
	if count("outcome=refused") != 1 {
		t.Error("the budget was not renewed")
	}
}

// A minute is a minute of the clock; the bubble's clock needs no waiting.
func TestRunRenewsEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		h := New(noTime(&b, slog.LevelInfo), Config{})
		log := slog.New(h)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { h.Run(ctx); close(ended) }()
		for range 3 {
			for range warnings + 5 {
				log.Warn("refused")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		cancel()
		<-ended
		text := b.String()
		if n := strings.Count(text, "msg=refused"); n != 3*warnings {
			t.Errorf("%d lines in three minutes, want %d", n, 3*warnings)
		}
		if n := strings.Count(text, "of=refused count=5\n"); n != 3 {
			t.Errorf("%d counts, want 3:\n%s", n, text)
		}
	})
}

// The lines that are written and those that are counted add up to all lines, with several writers at the same time.
func TestNoLineIsLost(t *testing.T) {
	var b bytes.Buffer
	h := New(noTime(&b, slog.LevelInfo), Config{By: []string{"outcome"}})
	const writers, each = 8, 5000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			log := slog.New(h).With("writer", w)
			for i := range each {
				log.Warn("served", "outcome", []string{"refused", "failed"}[i%2])
				if i%1000 == 0 {
					h.Flush()
				}
			}
		})
	}
	all.Wait()
	h.Flush()
	sum := strings.Count(b.String(), "msg=served")
	for _, m := range regexp.MustCompile(`of=served outcome=\w+ count=(\d+)\n`).FindAllStringSubmatch(b.String(), -1) {
		var n int
		if _, err := fmt.Sscan(m[1], &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != writers*each {
		t.Errorf("%d lines written or counted, want %d", sum, writers*each)
	}
}

// A client that can choose the message, or a value by which causes are distinguished, gets no more memory or lines.
func TestCausesAreBounded(t *testing.T) {
	var b bytes.Buffer
	h := New(noTime(&b, slog.LevelInfo), Config{By: []string{"outcome"}})
	log := slog.New(h)
	for i := range 20000 {
		log.Warn(fmt.Sprintf("message %d", i), "outcome", i)
	}
	log.Error("one more")
	if n := len(h.causes); n != maxCauses+2 {
		t.Errorf("%d causes are known, want %d", n, maxCauses+2)
	}
	if n := strings.Count(b.String(), "\n"); n != maxCauses+warnings+1 {
		t.Errorf("%d lines, want %d", n, maxCauses+warnings+1)
	}
	b.Reset()
	h.Flush()
	if want := fmt.Sprintf("level=WARN msg=\"lines left out\" of=\"other causes\" count=%d\n",
		20000-maxCauses-warnings); b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 5, ""},
		{"12345", 5, "12345"},
		{"123456", 5, "12345… (1 bytes more)"},
		{"1234é", 5, "1234… (2 bytes more)"}, // no half rune
		{"123é", 5, "123é"},
		{"a\x1b[2Jb\r\nc\u0085d", 40, "a\uFFFD[2Jb\uFFFD\uFFFDc\uFFFDd"},
		{"abc\u202Edef", 40, "abc\uFFFDdef"}, // turns the direction of writing
		{"a\xff\xfeb", 40, "a\uFFFD\uFFFDb"},
		{"\x00\x00\x00", 6, "\uFFFD\uFFFD… (1 bytes more)"}, // what is put in its place counts
	} {
		if got := Cut(tc.text, tc.limit); got != tc.want {
			t.Errorf("%q cut at %d: %q, want %q", tc.text, tc.limit, got, tc.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("a\x1b[2J\xffé", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		got := Cut(s, limit)
		if !utf8.ValidString(got) || len(got) > limit+len("… ( bytes more)")+20 ||
			strings.ContainsAny(got, "\x00\n\r\x1b\x7f") {
			t.Errorf("%q cut at %d: %q", s, limit, got)
		}
	})
}

// broken is an error that cannot be printed.
type broken struct{ text string }

func (b *broken) Error() string { return b.text }

// Whatever kind a value has, it is short.
func TestFieldsAreCut(t *testing.T) {
	long := strings.Repeat("x", 10000)
	const cutX = 10000 - maxField
	short := fmt.Sprintf("%q", strings.Repeat("x", maxField)+fmt.Sprintf("… (%d bytes more)", cutX))
	for name, tc := range map[string]struct {
		attr slog.Attr
		want string
	}{
		"text":   {slog.String("k", long), "k=" + short},
		"error":  {slog.Any("k", errors.New(long)), "k=" + short},
		"list":   {slog.Any("k", []string{"a\nb"}), "k=\"[a\uFFFDb]\""},
		"group":  {slog.Group("k", "in", long), "k.in=" + short},
		"nil":    {slog.Any("k", (*broken)(nil)), "k=<nil>"},
		"number": {slog.Int("k", 42), "k=42"},
		"took":   {slog.Duration("k", time.Second), "k=1s"},
		"addr":   {slog.Any("k", netip.MustParseAddrPort("10.0.0.1:69")), "k=10.0.0.1:69"},
		"stack": {slog.String("stack", "a\n\tb\x1b"+long), `stack="a\n\tb` + "\uFFFD" + strings.Repeat("x", 994) +
			`… (9006 bytes more)"`},
	} {
		var b bytes.Buffer
		slog.New(New(noTime(&b, slog.LevelInfo), Config{Long: map[string]int{"stack": 1001}})).
			LogAttrs(t.Context(), slog.LevelInfo, "m", tc.attr)
		if want := "level=INFO msg=m " + tc.want + "\n"; b.String() != want {
			t.Errorf("%s: %s, want %s", name, &b, want)
		}
		b.Reset()
		slog.New(New(noTime(&b, slog.LevelInfo), Config{Long: map[string]int{"stack": 1001}})).
			With(tc.attr).
			WithGroup("g").
			Info("m", "a", 1)
		if want := "level=INFO msg=m " + tc.want + " g.a=1\n"; b.String() != want {
			t.Errorf("%s by With: %s, want %s", name, &b, want)
		}
	}
	var b bytes.Buffer
	slog.New(New(noTime(&b, slog.LevelInfo), Config{})).Info(long)
	if want := "level=INFO msg=" + short + "\n"; b.String() != want {
		t.Errorf("message: %s, want %s", &b, want)
	}
}

// What a flood pays for a line that is left out.
func BenchmarkLeftOut(b *testing.B) {
	log := slog.New(New(slog.NewTextHandler(&bytes.Buffer{}, nil), Config{By: []string{"proto", "outcome"}}))
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(
			context.Background(),
			slog.LevelWarn,
			"served",
			slog.String("proto", "tftp"),
			slog.String("client", "10.0.0.1:2070"),
			slog.String("outcome", "refused"),
		)
	}
}

// A line that is known beforehand to be left out is counted like one that was made.
func TestSpentCountsWhatIsLeftOut(t *testing.T) {
	var b bytes.Buffer
	h := New(noTime(&b, slog.LevelInfo), Config{By: []string{"proto", "outcome"}})
	log := slog.New(h)
	spent := func(outcome string) bool { return h.Spent(h.Cause(slog.LevelWarn, "served", "tftp", outcome)) }
	for i := range warnings {
		if spent("refused") {
			t.Fatalf("the budget is spent before line %d", i)
		}
		log.Warn("served", "proto", "tftp", "client", i, "outcome", "refused")
	}
	for range 2 {
		if !spent("refused") {
			t.Error("a cause that had its lines has budget left")
		}
	}
	if spent("timeout") {
		t.Error("a cause that had no line has no budget left")
	}
	b.Reset()
	h.Flush()
	want := "level=WARN msg=\"lines left out\" of=served proto=tftp outcome=refused count=2\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if spent("refused") {
		t.Error("the budget was not renewed")
	}
}
