package main

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pxeagent/deploy/lab"
	"pxeagent/deploy/lab/site"
)

func TestMain(m *testing.M) { os.Exit(site.Main(m, 4)) }

const (
	kernel  = "/debian-installer/amd64/linux"
	initrd  = "/debian-installer/amd64/initrd.gz"
	diskMiB = 64 // of the served tree
)

// The real thing: pxeagent serves a network whose DHCP is Dnsmasq's, machines boot and fail to, Debian's Prometheus
// scrapes, and then everything goes wrong that an alert is about. Every query of the dashboard and the rules must have
// had data.
func TestEveryQueryHasDataInARealPrometheus(t *testing.T) {
	lab.NoShort(t)
	lab.Need(t, "dnsmasq", "prometheus", "promtool")
	l := newLive(t)
	l.boots()
	l.check(view{})
	l.check(
		view{chosen: map[string][]string{"job": {"pxeagent"}, "instance": {l.agent}, "arch": {"x86_64"}, "profile": {"lab"}}},
	)
	l.exemplarsLeadToBoots()
	l.metricsAreWellNamed()
	l.goesWrong()
	l.rules()
}

// panicked is the alert that cannot be brought about: nobody knows how to make the daemon panic. rules_test.yaml has
// its cases.
const panicked = "PxeagentPanicked"

// live is a site with an agent, machines and a Prometheus.
type live struct {
	*site.Site
	prom  *server
	agent string // its label instance
	// bios and efi boot; lost does all that goes wrong; round and round2 load iPXE for ever.
	bios, efi, lost, round, round2 *machine
}

func newLive(t *testing.T) *live {
	l := &live{Site: site.New(t, site.Leasing, "")}
	l.agent = l.Addr + ":80"
	tmpfs(t, l.Path("root"))
	for _, d := range []string{"root/tftp", "root/http"} {
		if err := os.MkdirAll(l.Path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.Write("root/http"+kernel, strings.Repeat("k", 100_000))
	l.Write("root/http"+initrd, strings.Repeat("i", 400_000))
	l.Write("root/http/memtest/memtest64.efi", strings.Repeat("m", 50_000))
	l.Write("rescue/vmlinuz", "a kernel")
	l.Write("rescue/initrd.img", "a disk")
	l.bios = newMachine(t, l.Site, "bios", "10.77.0.101", "i386", "pcbios")
	l.efi = newMachine(t, l.Site, "efi", "10.77.0.102", "x86_64", "efi")
	l.lost = newMachine(t, l.Site, "lost", "10.77.0.103", "x86_64", "efi")
	l.round = newMachine(t, l.Site, "round", "10.77.0.104", "x86_64", "efi")
	l.round2 = newMachine(t, l.Site, "again", "10.77.0.105", "x86_64", "efi")
	l.Write("pxeagent.yaml", l.Read("pxeagent.yaml")+fmt.Sprintf(`
menu:
  timeout: 1s
probe:
  interval: 10s
boots:
  stall: 10s
hosts:
  - mac: "%s"
    profile: lab
profiles:
  lab:
    image: local
`, l.efi.mac))
	l.Must(
		0,
		"image",
		"add",
		"generic",
		"rescue",
		"--from",
		l.Path("rescue/vmlinuz"),
		"--from",
		l.Path("rescue/initrd.img"),
	)
	l.Serve()
	l.prom = startPrometheus(t, l.Site, l.Addr+":81")
	l.prom.until("the agent is scraped, and DHCP sends machines elsewhere",
		`pxeagent_dhcp_in_sync{instance="`+l.agent+`"} == bool 0`,
		30*time.Second)
	l.Must(0, "configure")
	l.prom.until("DHCP sends machines here", `pxeagent_dhcp_in_sync{instance="`+l.agent+`"} == 1`, 30*time.Second)
	return l
}

// tmpfs is a disk of its own for the served tree, so that it can be filled.
func tmpfs(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", diskMiB)); err != nil {
		t.Fatalf("mounting a tmpfs on %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
}

// boots makes every kind of boot twice: a series that begins with its first boot shows an increase only with the
// second.
func (l *live) boots() {
	for i, round := range []*machine{l.round, l.round2} {
		l.bios.load(`boot\undionly.kpxe`, biosOptions...)
		if _, err := l.bios.tftp("undionly.kpxe", true, ipxeOptions...); err != nil { // is answered with the script
			l.T.Fatal(err)
		}
		l.bios.menu()
		l.bios.fetch(kernel, initrd)

		l.efi.http("HEAD", "/ipxe.efi", uefiAgent)
		l.efi.http("GET", "/ipxe.efi", uefiAgent)
		l.efi.http("GET", "/ipxe.efi", ipxeAgent)
		l.efi.menu()
		l.efi.fetch(kernel, initrd)

		for range 3 {
			round.load("//ipxe.efi", uefiOptions...)
		}

		l.lost.load("ipxe.efi", uefiOptions...)
		l.lost.menu()
		l.ended("stalled", i+1)
		l.lost.load("ipxe.efi", uefiOptions...)
		l.lost.menu()
		for range 3 {
			l.lost.http("GET", "/debian-installer/amd64/gone", ipxeAgent)
		}
		l.ended("failed", i+1)
		l.lost.load("ipxe.efi", uefiOptions...)
		l.lost.menu()
		l.lost.fetch("/ipxe/local")
		for _, result := range []string{"booted", "looped", "local_disk"} {
			l.ended(result, i+1)
		}
	}
	// What is configured changes, and is taken up without a restart.
	l.Write("pxeagent.yaml", strings.Replace(l.Read("pxeagent.yaml"), "timeout: 1s", "timeout: 2s", 1))
	l.prom.until("the change of the configuration is seen", `changes(pxeagent_config_changes_total[2m])`, time.Minute)
	l.Agent.Stop()
	l.Serve()
}

// ended waits until Prometheus has seen so many boots with such an end.
func (l *live) ended(result string, n int) {
	l.T.Helper()
	l.prom.until(
		"boots that ended "+result,
		fmt.Sprintf(`sum(pxeagent_boots_total{result="%s",arch!="unknown"}) >= bool %d`, result, n),
		time.Minute,
	)
}

// check waits until every query of the dashboard, as Grafana would ask it with such a choice, has data.
func (l *live) check(v view) {
	l.T.Helper()
	v.scrape, v.all = scrape, map[string]string{}
	d := committed(l.T)
	for _, variable := range objects(l.T, "templating", within(l.T, "the dashboard", d, "templating")["list"]) {
		name := fmt.Sprint(variable["name"])
		v.all[name], _ = variable["allValue"].(string)
		if m := labelValuesRE.FindStringSubmatch(fmt.Sprint(variable["definition"])); m != nil {
			if values := l.variable(name, m[1], m[2], v); v.all[name] == "" {
				v.all[name] = anyOf(values)
			}
		}
	}
	var missing []string
	for _, q := range l.queries(d) {
		if why := l.hasData(q, v, time.Now().Add(15*time.Second)); why != "" {
			missing = append(missing, q.where+": "+why)
		}
	}
	if len(missing) > 0 {
		l.T.Errorf("with the choice %v no data came for:\n%s", v.chosen, strings.Join(missing, "\n"))
	}
}

// now sets the end of the time range.
func (v view) now() view { v.to = time.Now(); v.from = v.to.Add(-15 * time.Minute); return v }

// variable waits until a variable has values, and those that are chosen among them.
func (l *live) variable(name, match, label string, v view) (values []string) {
	l.T.Helper()
	waitFor(l.T, "values of the variable "+name, 20*time.Second, func() bool {
		v := v.now()
		err := l.prom.api("label/"+label+"/values", url.Values{
			"match[]": {v.expand(match, time.Second)}, "start": {stamp(v.from)}, "end": {stamp(v.to)},
		}, &values)
		if err != nil {
			l.T.Fatalf("variable %s: %v", name, err)
		}
		for _, c := range v.chosen[name] {
			if !slices.Contains(values, c) {
				return false
			}
		}
		return len(values) > 0
	})
	return values
}

// question is a query of a panel or an annotation.
type question struct {
	where, expr, interval string
	instant               bool
	labels                []string // shown of each series
}

func (l *live) queries(d object) []question {
	var all []question
	for _, p := range objects(l.T, "panels", d["panels"]) {
		if p["type"] == "row" {
			continue
		}
		for _, q := range objects(l.T, "targets", p["targets"]) {
			one := question{
				where:   fmt.Sprintf("%v %v", p["title"], q["refId"]),
				expr:    fmt.Sprint(q["expr"]),
				instant: q["instant"] == true,
			}
			one.interval, _ = p["interval"].(string)
			for _, m := range legendRE.FindAllStringSubmatch(fmt.Sprint(q["legendFormat"]), -1) {
				one.labels = append(one.labels, m[1])
			}
			all = append(all, one)
		}
	}
	for _, a := range objects(l.T, "annotations", within(l.T, "the dashboard", d, "annotations")["list"]) {
		if a["expr"] != nil {
			all = append(
				all,
				question{where: fmt.Sprintf("annotation %v", a["name"]), expr: fmt.Sprint(a["expr"]), interval: "60s"},
			)
		}
	}
	return all
}

// hasData is "" when a question had an answer before the deadline, else says what was wrong with the last one.
func (l *live) hasData(q question, v view, deadline time.Time) string {
	for {
		v := v.now()
		step := v.step(q.interval)
		asked := step
		if q.instant {
			asked = 0
		}
		expr := v.expand(q.expr, step)
		result, err := l.prom.ask(expr, v.from, v.to, asked)
		why := ""
		switch {
		case err != nil:
			return err.Error()
		case len(result) == 0:
			why = "nothing for " + expr
		}
		for _, s := range result {
			for _, label := range q.labels {
				if s.labels[label] == "" && label != "le" {
					why = fmt.Sprintf("no label %s on %v", label, s.labels)
				}
			}
		}
		if why == "" || time.Now().After(deadline) {
			return why
		}
		time.Sleep(scrape / 2)
	}
}

// metricsAreWellNamed puts a scrape before promtool.
func (l *live) metricsAreWellNamed() {
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(l.Get("/metrics"))
	if out, err := cmd.CombinedOutput(); err != nil {
		l.T.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// goesWrong brings about all that the alerts are about.
func (l *live) goesWrong() {
	// Another DHCP server appears, which sends machines to itself.
	rogue := l.Seg.Host("rogue", "eth1", "10.77.0.9/24")
	rogue.Dnsmasq(
		"--interface=eth1",
		"--bind-interfaces",
		"--no-ping",
		"--dhcp-range=10.77.0.200,10.77.0.210",
		"--dhcp-boot=evil.0,rogue,10.77.0.9",
	)
	// The disk fills.
	for i := range 6 {
		l.Write(fmt.Sprintf("root/http/filling/%d", i), strings.Repeat("x", 10<<20))
		free := fmt.Sprintf(`pxeagent_disk_free_bytes{folder="root"} < bool %d`, (diskMiB-10*(i+1))<<20)
		l.prom.until("the disk fills", free, 30*time.Second)
	}
	l.Write("root/http/filling/rest", strings.Repeat("x", 3<<19))
	// Somebody changes an image.
	changed := 0
	err := filepath.WalkDir(l.Path("root/http"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, "rescue") || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		changed++
		return os.WriteFile(path, []byte("changed"), 0o644)
	})
	if err != nil || changed == 0 {
		l.T.Fatalf("changing the image: %d files, %v", changed, err)
	}
	if code, out := l.Run("image", "verify", "generic-rescue"); code == 0 {
		l.T.Errorf("a changed image was verified:\n%s", out)
	}
	// The menu and the configuration get mistakes.
	l.Write("root/http/ipxe/bootstrap.ipxe.tmpl", "#!ipxe\n{{ nonsense")
	l.Write("pxeagent.yaml", l.Read("pxeagent.yaml")+"\nmenu: [what\n")
}

// rules waits until each rule of Prometheus' had a result.
func (l *live) rules() {
	t := l.T
	var missing []string
	for _, r := range rules(t) {
		when := time.Duration(0)
		switch r.Alert {
		case panicked:
			continue
		case "PxeagentProbeStale":
			when = 31 * time.Minute // had nothing been heard for so long
		case "PxeagentMissing":
			when = -time.Hour // before there was an agent
		}
		deadline := time.Now().Add(40 * time.Second)
		for {
			result, err := l.prom.ask(r.Expr, time.Time{}, time.Now().Add(when), 0)
			if err != nil {
				t.Fatalf("%s%s: %v", r.Alert, r.Record, err)
			}
			if len(result) > 0 {
				break
			}
			if time.Now().After(deadline) {
				missing = append(missing, r.Alert+r.Record+": "+r.Expr)
				break
			}
			time.Sleep(scrape / 2)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no data came for the rules:\n%s", strings.Join(missing, "\n"))
	}
	l.evaluated()
}

// evaluated looks at what Prometheus itself makes of the rules, which it does a moment after the data is there.
func (l *live) evaluated() {
	t := l.T
	var wrong []string
	defer func() {
		if t.Failed() {
			t.Logf("rules:\n%s", strings.Join(wrong, "\n"))
		}
	}()
	waitFor(t, "Prometheus finds nothing wrong with its rules and has every alert", 20*time.Second, func() bool {
		wrong = l.judge()
		return len(wrong) == 0
	})
}

// judge says what is wrong with the rules in Prometheus.
func (l *live) judge() (wrong []string) {
	var loaded struct {
		Groups []struct {
			Rules []struct {
				Name, Type, Health, LastError string
				Alerts                        []struct{ Annotations map[string]string }
			}
		}
	}
	if err := l.prom.api("rules", nil, &loaded); err != nil {
		l.T.Fatal(err)
	}
	n := 0
	for _, g := range loaded.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" || r.LastError != "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s %s", r.Name, r.Health, r.LastError))
			}
			switch v, err := l.prom.ask(r.Name, time.Time{}, time.Now(), 0); {
			case r.Name == "PxeagentProbeStale", r.Name == "PxeagentMissing", r.Name == panicked:
			case r.Type == "alerting" && len(r.Alerts) == 0:
				wrong = append(wrong, r.Name+" is neither pending nor firing")
			case r.Type == "recording" && (err != nil || len(v) == 0):
				wrong = append(wrong, fmt.Sprintf("nothing was recorded as %s: %v", r.Name, err))
			}
			for _, a := range r.Alerts {
				for key, text := range a.Annotations {
					if strings.Contains(text, "no value") || strings.Contains(text, "error") || strings.Contains(text, "{{") {
						wrong = append(wrong, fmt.Sprintf("%s: %s is %q", r.Name, key, text))
					}
				}
			}
		}
	}
	if n != len(rules(l.T)) {
		wrong = append(wrong, fmt.Sprintf("only %d rules were loaded", n))
	}
	return wrong
}

// exemplarsLeadToBoots: what a point of the time to boot was made of can be looked at.
func (l *live) exemplarsLeadToBoots() {
	l.T.Helper()
	waitFor(l.T, "an exemplar of the time to boot", 20*time.Second, func() bool {
		v := view{}.now()
		var all []struct {
			Exemplars []struct{ Labels map[string]string }
		}
		q := url.Values{"query": {"pxeagent_boot_duration_seconds_bucket"}, "start": {stamp(v.from)}, "end": {stamp(v.to)}}
		if err := l.prom.api("query_exemplars", q, &all); err != nil {
			l.T.Fatal(err)
		}
		seen := 0
		for _, s := range all {
			for _, e := range s.Exemplars {
				seen++
				if id := e.Labels["boot_id"]; !strings.Contains(l.Get("/api/v1/boots/"+id), `"booted"`) {
					l.T.Fatalf("the exemplar %q is not a boot that finished", id)
				}
			}
		}
		return seen > 0
	})
}
