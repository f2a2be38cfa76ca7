package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// view is what a person looks at: a time range, and what is chosen at the top of the dashboard.
type view struct {
	from, to time.Time
	scrape   time.Duration       // the data source's timeInterval
	chosen   map[string][]string // by variable; nothing: All
	all      map[string]string   // what All is, by variable: its allValue, or any of its values
}

// pixels is how wide a panel is: Grafana asks for no more points than it can draw.
const pixels = 1000

// step is the $__interval of a panel with a least interval of its own, or "".
func (v view) step(least string) time.Duration {
	d := max(v.to.Sub(v.from)/pixels, v.scrape, time.Second)
	if l, err := time.ParseDuration(least); err == nil {
		d = max(d, l)
	}
	return d.Truncate(time.Second)
}

// expand puts values in place of variables, as Grafana's Prometheus data source does.
func (v view) expand(expr string, step time.Duration) string {
	// Documented: $__rate_interval is $__interval and a scrape, and never less than four scrapes.
	rate := max(step+v.scrape, 4*v.scrape)
	values := map[string]string{
		"__interval": seconds(step), "__rate_interval": seconds(rate), "__range": seconds(v.to.Sub(v.from)),
		"__from": strconv.FormatInt(v.from.UnixMilli(), 10),
	}
	for name, all := range v.all {
		values[name] = all
		if chosen := v.chosen[name]; len(chosen) > 0 {
			values[name] = anyOf(chosen)
		}
	}
	return variableUseRE.ReplaceAllStringFunc(expr, func(use string) string {
		name := strings.Trim(use, "${}")
		if value, ok := values[name]; ok {
			return value
		}
		return use // Prometheus will not understand it, and say so
	})
}

var (
	variableUseRE = regexp.MustCompile(`\$\{\w+\}|\$\w+`)
	specialRE     = regexp.MustCompile(`[$^*{}\[\]'+?.()|]`)
)

// anyOf is the regular expression for what is chosen of a variable of which many can be. It stands within a PromQL
// string, where a backslash is two.
func anyOf(chosen []string) string {
	var out []string
	for _, c := range chosen {
		out = append(out, specialRE.ReplaceAllString(strings.ReplaceAll(c, `\`, `\\\\`), `\\$0`))
	}
	if len(out) == 1 {
		return out[0]
	}
	return "(" + strings.Join(out, "|") + ")"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d.Seconds())) }
