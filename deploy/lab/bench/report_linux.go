package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// report is what a run found out.
type report struct {
	Machine host              `json:"machine"`
	Rounds  int               `json:"rounds"`
	Scale   float64           `json:"scale"`
	Servers map[string]string `json:"servers"`            // with what they say of their version
	LeftOut []string          `json:"left_out,omitempty"` // servers, with why
	Results []result          `json:"results"`
}

// host is where it ran.
type host struct {
	Time   time.Time `json:"time"`
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Kernel string    `json:"kernel"`
	Load   string    `json:"load"` // the load average at the end
}

// result are the medians of a test with one server.
type result struct {
	Test     string  `json:"test"`
	Server   string  `json:"server"`
	Volume   bool    `json:"-"`
	Rate     float64 `json:"per_second"`
	MBs      float64 `json:"mb_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Slowest  float64 `json:"slowest_of_median"` // the slowest transfer as a multiple of the median
	CPU      float64 `json:"cpu_ms"`            // of the server, for one transfer
	Ratio    float64 `json:"cpu_ratio"`         // to that of Of in the same round; 0: there is none
	Of       string  `json:"of,omitempty"`
	MB       float64 `json:"resident_mb"`   // most that the server had resident
	Lost     int     `json:"lost"`          // transfers that did not come whole, in all rounds
	Why      string  `json:"why,omitempty"` // of the first of these
	Extra    float64 `json:"extra_blocks"`  // of TFTP, that came in vain, for one transfer
	NoWindow bool    `json:"no_window,omitempty"`
	Flood    float64 `json:"forged_per_second,omitempty"` // requests that came meanwhile
	// After is what the server had resident after each quarter of the last round, in MB.
	After []float64 `json:"resident_after_mb,omitempty"`
}

// result makes one of the samples of a server and of those of the one it is compared with.
func (t test) result(name string, all, others []sample) result {
	r := result{Test: t.name, Server: name, Volume: t.volume}
	of := func(f func(sample) float64) float64 {
		var values []float64
		for _, s := range all {
			if len(s.each) > 0 {
				values = append(values, f(s))
			}
		}
		return median(values)
	}
	r.Rate = of(func(s sample) float64 { return float64(len(s.each)) / s.took.Seconds() })
	r.MBs = of(func(s sample) float64 { return float64(s.bytes) / 1e6 / s.took.Seconds() })
	r.P50 = of(func(s sample) float64 { return s.at(50) })
	r.P99 = of(func(s sample) float64 { return s.at(99) })
	r.Slowest = of(func(s sample) float64 { return s.at(100) / s.at(50) })
	r.CPU = of(func(s sample) float64 { return s.cost() })
	r.MB = of(func(s sample) float64 { return float64(s.peak) / 1e6 })
	r.Extra = of(func(s sample) float64 { return float64(s.extra) / float64(len(s.each)) })
	r.Flood = of(func(s sample) float64 { return s.flood })
	for _, s := range all {
		r.Lost += s.lost
		r.NoWindow = r.NoWindow || s.none
		if s.why != nil && r.Why == "" {
			r.Why = s.why.Error()
		}
	}
	for _, bytes := range all[len(all)-1].after {
		r.After = append(r.After, float64(bytes)/1e6)
	}
	if len(others) == len(all) && name != t.of {
		var ratios []float64
		for n := range all {
			if all[n].cost() > 0 && others[n].cost() > 0 {
				ratios = append(ratios, all[n].cost()/others[n].cost())
			}
		}
		r.Ratio, r.Of = median(ratios), t.of
	}
	return r
}

// at is the time in ms in which so many of 100 transfers were done.
func (s sample) at(percent int) float64 {
	slices.Sort(s.each)
	return float64(s.each[(len(s.each)-1)*percent/100]) / float64(time.Millisecond)
}

// cost is the server's processor time for one transfer, in ms.
func (s sample) cost() float64 {
	if len(s.each) == 0 {
		return 0
	}
	return float64(s.cpu) / float64(time.Millisecond) / float64(len(s.each))
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	m := len(values) / 2
	if len(values)%2 == 0 {
		return (values[m-1] + values[m]) / 2
	}
	return values[m]
}

func (r report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// table prints Markdown.
func (r report) table(w io.Writer) error {
	rows := [][]string{
		{"test", "server", "per s", "MB/s", "p50 ms", "p99 ms", "slowest", "CPU ms each", "CPU ratio", "MB", ""},
		{"---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "---"},
	}
	last := ""
	for _, x := range r.Results {
		name := x.Test
		if name == last {
			name = ""
		}
		last = x.Test
		rows = append(rows, []string{
			name, x.Server, short(x.Rate), short(x.MBs), short(x.P50), short(x.P99), fmt.Sprintf("%.1f", x.Slowest),
			x.cost(), x.ratio(), short(x.MB), x.notes(),
		})
	}
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores, Linux %s, %s, %d rounds at scale %v, load %s\n\n", m.CPU, m.Cores, m.Kernel,
		m.Time.Format("2006-01-02 15:04 MST"), r.Rounds, r.Scale, m.Load)
	for _, name := range slices.Sorted(maps.Keys(r.Servers)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Servers[name])
	}
	for _, s := range r.LeftOut {
		fmt.Fprintf(&b, "- left out: %s\n", s)
	}
	b.WriteString("\n")
	align(&b, rows)
	_, err := io.WriteString(w, b.String())
	return err
}

func (x result) cost() string {
	if x.CPU == 0 {
		return "not seen"
	}
	return fmt.Sprintf("%.3f", x.CPU)
}

func (x result) ratio() string {
	if x.Ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f of %s", x.Ratio, x.Of)
}

func (x result) notes() string {
	var notes []string
	if x.NoWindow {
		notes = append(notes, "grants no window")
	}
	if x.Extra >= 0.1 {
		notes = append(notes, fmt.Sprintf("%.1f blocks twice", x.Extra))
	}
	if x.Flood > 0 {
		notes = append(notes, fmt.Sprintf("%.0f forged/s", x.Flood))
	}
	for n, mb := range x.After {
		notes = append(notes, fmt.Sprintf("%d/%d: %.0f MB", n+1, len(x.After), mb))
	}
	if x.Lost > 0 {
		notes = append(notes, fmt.Sprintf("%d lost: %s", x.Lost, x.Why))
	}
	return strings.Join(notes, "; ")
}

// short is a number with three digits that matter.
func short(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 10:
		return fmt.Sprintf("%.2f", f)
	case f < 100:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// align writes rows in columns of the same width.
func align(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for n, cell := range row {
			width[n] = max(width[n], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for n, cell := range row {
			fmt.Fprintf(b, "| %s%s ", cell, strings.Repeat(" ", width[n]-utf8.RuneCountInString(cell)))
		}
		b.WriteString("|\n")
	}
}

// machine is this one.
func machine() host {
	h := host{Time: time.Now().UTC(), Cores: runtime.NumCPU(), CPU: runtime.GOARCH}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		h.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	if _, after, ok := strings.Cut(string(text), "model name"); ok {
		line, _, _ := strings.Cut(after, "\n")
		h.CPU = cmp.Or(strings.Trim(line, " \t:"), h.CPU)
	}
	text, _ = os.ReadFile("/proc/loadavg")
	h.Load, _, _ = strings.Cut(string(text), " ")
	return h
}

// versions are what the servers say of themselves.
func (b *bench) versions() map[string]string {
	out := map[string]string{}
	for _, s := range b.servers {
		out[s.name] = s.printVersion()
	}
	return out
}
