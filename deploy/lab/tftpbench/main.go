// Command tftpbench does the same work with several TFTP servers, one after another, and prints what it cost.
//
// It needs root on Linux: everything runs in a network namespace of its own, over loopback, so that each server has
// port 69 and packets can be dropped by nftables. Servers that are not installed are left out.
//
//	go run ./deploy/lab/tftpbench
//	go run ./deploy/lab/tftpbench -loss 2 -servers pxeagent,dnsmasq
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
)

// inside marks the process that runs in the namespace.
const inside = "TFTPBENCH_INSIDE"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tftpbench:", err)
		os.Exit(1)
	}
}

func run() error {
	serve := flag.String("serve", "", "be the pxeagent server for this folder (used by tftpbench itself)")
	single := flag.Bool("single", false, "with -serve: single port")
	names := flag.String("servers", "pxeagent,pxeagent-single,dnsmasq,atftpd,tftpd-hpa", "which, in this order")
	loss := flag.Int("loss", 0, "lose this many of 100 packets from the server, and measure that alone")
	rounds := flag.Int("rounds", 3, "how often all of it is done, by turns; the best of each counts")
	flag.Parse()
	if *serve != "" {
		return serveFolder(*serve, *single)
	}
	if os.Getenv(inside) == "" {
		return enter()
	}
	for _, c := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "addr", "add", client.String() + "/32", "dev", "lo"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	dir, err := files()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tests := everyday
	if *loss > 0 {
		drop := fmt.Sprintf("ip daddr %v meta l4proto udp numgen random mod 100 < %d drop", client, *loss)
		rule := "table ip t { chain c { type filter hook input priority 0; " + drop + "; }; }"
		if out, err := exec.Command("nft", rule).CombinedOutput(); err != nil {
			return fmt.Errorf("nft: %w: %s", err, out)
		}
		tests = lossy
	}
	servers := strings.Split(*names, ",")
	best := make([][]result, len(servers))
	for range *rounds {
		for i, name := range servers {
			for k, t := range tests {
				if len(best[i]) == k {
					best[i] = append(best[i], result{})
				}
				best[i][k] = best[i][k].better(measure(name, dir, t))
			}
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "server")
	for _, t := range tests {
		fmt.Fprint(w, "\t", t.title)
	}
	for i, name := range servers {
		fmt.Fprint(w, "\n", name)
		for k, t := range tests {
			fmt.Fprint(w, "\t", best[i][k].cell(t))
		}
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// enter runs this program again in a new network namespace.
func enter() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command("unshare", append([]string{"-n", "--", self}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdout, os.Stderr, append(os.Environ(), inside+"=1")
	return cmd.Run()
}

// files makes the folder to be served.
func files() (string, error) {
	dir, err := os.MkdirTemp("", "tftpbench")
	if err != nil {
		return "", err
	}
	noise := rand.NewChaCha8([32]byte{1})
	for name, size := range map[string]int{"nbp": 93955, "1m": 1 << 20} {
		b := make([]byte, size)
		_, _ = noise.Read(b)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	return dir, os.Chmod(dir, 0o755)
}

// test is one column of the table.
type test struct {
	title       string
	file        string
	size        int64
	window      int
	at          int // transfers at once
	count       int
	perThousand bool // server CPU for 1,000 is shown
	latency     bool // p50 and p99 are shown
	volume      bool // MB/s are shown, not transfers a second
}

var everyday = []test{
	{title: "1 at a time /s", file: "nbp", size: 93955, at: 1, count: 1000},
	{
		title:       "40 at once /s, server CPU for 1,000",
		file:        "nbp",
		size:        93955,
		at:          40,
		count:       2000,
		latency:     true,
		perThousand: true,
	},
	{title: "1 MB, 20 at once MB/s", file: "1m", size: 1 << 20, at: 20, count: 300, volume: true},
	{title: "windowsize 16, MB/s", file: "1m", size: 1 << 20, window: 16, at: 20, count: 300, volume: true},
}

var lossy = []test{{title: "40 at once, p50, p99", file: "nbp", size: 93955, at: 40, count: 400, latency: true}}

// measure does one test with a server that is started for it.
func measure(name, dir string, t test) result {
	srv, err := start(name, dir)
	if err != nil {
		return result{err: err}
	}
	r := t.run()
	r.cpu = srv.stop()
	return r
}
