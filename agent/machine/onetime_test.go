package machine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pxeagent/agent/catalog"
)

// envChild makes the test binary a process that uses a folder of orders.
const envChild = "PXEAGENT_TEST_ONCE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChild); dir != "" {
		os.Exit(child(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// child claims what it reads on standard input, line by line, and says whether it won. With "churn" it sets and claims
// for ever, saying so before and after.
func child(dir string, args []string) int {
	o := OpenOneTimeBoots(dir, nil)
	if len(args) > 0 && args[0] == "churn" {
		for i := 0; ; i++ {
			item := fmt.Sprintf("%s-%d", args[1], i)
			if err := o.Set(mac1, item); err != nil {
				fmt.Println(err)
				return 1
			}
			fmt.Println("set", item)
			if order, ok := o.Claim(item, mac1); ok {
				fmt.Println("won", order.Item)
			}
		}
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		_, ok := o.Claim(in.Text(), mac1)
		fmt.Println(ok)
	}
	return 0
}

func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe, args...)
	c.Env = append(os.Environ(), envChild+"="+dir)
	c.Stderr = os.Stderr
	return c
}

// Of many processes that claim an order at once, one wins.
func TestOneOfManyProcessesClaims(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "once")
	o := OpenOneTimeBoots(dir, nil)
	type peer struct {
		in  io.WriteCloser
		out *bufio.Scanner
	}
	var peers []peer
	for range 8 {
		c := command(t, dir)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		p := peer{in, bufio.NewScanner(out)}
		t.Cleanup(func() {
			in.Close()
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
		if !p.out.Scan() || p.out.Text() != "ready" {
			t.Fatalf("a process said %q", p.out.Text())
		}
		peers = append(peers, p)
	}
	for round := range 40 {
		item := fmt.Sprint("item-", round)
		if err := o.Set(mac1, item); err != nil {
			t.Fatal(err)
		}
		for _, p := range peers {
			if _, err := fmt.Fprintln(p.in, item); err != nil {
				t.Fatal(err)
			}
		}
		won := 0
		for _, p := range peers {
			if !p.out.Scan() {
				t.Fatal("a process ended")
			}
			if p.out.Text() == "true" {
				won++
			}
		}
		if won != 1 {
			t.Fatalf("%d processes won %s", won, item)
		}
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestOneOfManyGoroutinesClaims(t *testing.T) {
	o := OpenOneTimeBoots(filepath.Join(t.TempDir(), "once"), nil)
	for range 15 {
		if err := o.Set(mac1, "x"); err != nil {
			t.Fatal(err)
		}
		var won atomic.Int32
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				if _, ok := o.Claim("x", mac1); ok {
					won.Add(1)
				}
			})
		}
		if wait.Wait(); won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
	}
}

// A process that is killed anywhere leaves an order that was set, or none; the folder can be used on, and nothing stays
// that was not an order.
func TestKilledAnywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "once")
	for round := range 12 {
		c := command(t, dir, "churn", fmt.Sprint("round", round))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		set, won := "", ""
		for n := 0; lines.Scan(); n++ {
			verb, item, _ := strings.Cut(lines.Text(), " ")
			switch verb {
			case "set":
				set = item
			case "won":
				won = item
			default:
				t.Fatal(lines.Text())
			}
			if n == round { // somewhere else each time
				if err := c.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.Wait() // killed
		o := OpenOneTimeBoots(dir, nil)
		order, ok := o.Peek(mac1)
		if ok && order.Item == won && set == won {
			t.Fatalf("%s is there after it was claimed", order.Item)
		}
		if ok && !strings.HasPrefix(order.Item, fmt.Sprint("round", round)) {
			t.Fatalf("%s is there, which was replaced", order.Item)
		}
		if all, err := o.List(); err != nil || len(all) > 1 || ok != (len(all) == 1) {
			t.Fatalf("%v, %v, and Peek says %v", all, err, ok)
		}
		if _, _, err := o.Cancel(mac1); err != nil {
			t.Fatal(err)
		}
	}
}

// What killed processes have left is put right once nobody can be at work on it.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	o := OpenOneTimeBoots(dir, nil)
	name := ID(mac1).file()
	order := func(item string) string { return `{"item":"` + item + `"}` }
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := strings.Repeat("0", uniqueLength)
	put(tempPrefix+u, "half")
	put(claimed+"a-b-"+u+"-"+name, order("a-b"))                  // claimed, and not yet removed
	put(claimed+"a-b-"+u+"-"+ID(mac2).file(), order("newer"))     // to be given back
	put(claimed+"x-"+u+"-"+ID(uuid1).file(), order("even-newer")) // the same, and there is a newer one still
	put(ID(uuid1).file(), order("newest"))
	put(claimed+"nonsense", "")
	o.recover()
	if got := names(t, dir); len(got) != 6 {
		t.Errorf("what is new was touched: %q", got)
	}
	o.recoverOlder(0)
	if got, want := names(t, dir), []string{ID(mac2).file(), ID(uuid1).file()}; !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if order, _ := o.Peek(mac2); order.Item != "newer" {
		t.Errorf("%+v was given back", order)
	}
	if order, _ := o.Peek(uuid1); order.Item != "newest" {
		t.Errorf("%+v is there", order)
	}
}

// An order that is replaced between the look and the claim is not used up by the claim of what it replaced.
func TestReplacedWhileClaimed(t *testing.T) {
	dir := t.TempDir()
	o := OpenOneTimeBoots(dir, nil)
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; !stop.Load(); i++ {
			if err := o.Set(mac1, []string{"old", "new"}[i%2]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 60 {
		if order, ok := o.Claim("old", mac1); ok && order.Item != "old" {
			t.Fatalf("old was claimed, and it was %s", order.Item)
		}
	}
	stop.Store(true)
	wait.Wait()
	if err := o.Set(mac1, "new"); err != nil {
		t.Fatal(err)
	}
	if _, ok := o.Claim("old", mac1); ok {
		t.Error("old was claimed, and new is there")
	}
	if order, ok := o.Peek(mac1); !ok || order.Item != "new" {
		t.Errorf("%+v, %v is there", order, ok)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	o := OpenOneTimeBoots(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err := o.Set(mac2, "good"); err != nil {
		t.Fatal(err)
	}
	good := ID(mac2).file()
	if err := os.WriteFile(filepath.Join(t.TempDir(), "outside"), []byte(`{"item":"x"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"README":                "hello",
		"52:54:00:12:34:09":     `{"item":"x"}`, // the name that it would have elsewhere
		"52-54-00-12-34-0A":     `{"item":"x"}`, // in capitals
		"52-54-00-12-34-10":     "",
		"52-54-00-12-34-11":     `{"item":"../../etc/passwd"}`,
		"52-54-00-12-34-12":     `{"item":"a\nkernel evil"}`,
		"52-54-00-12-34-13":     `{"item":`,
		"52-54-00-12-34-14":     strings.Repeat(" ", maxSmall) + `{"item":"x"}`,
		"52-54-00-12-34-15":     "\x00\xff",
		"01-00-5e-00-00-01":     `{"item":"x"}`, // a group's
		".hidden":               `{"item":"x"}`,
		"52-54-00-12-34-16.bak": `{"item":"x"}`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, good), filepath.Join(dir, "52-54-00-12-34-17")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "52-54-00-12-34-18"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "52-54-00-12-34-19"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		all, err := o.List()
		if err != nil || len(all) != 1 || all[0].ID != mac2 || all[0].Item != "good" {
			t.Fatalf("%v, %v", all, err)
		}
	}
	if n, want := strings.Count(log.String(), "invalid one-time boot ignored"), len(files)-1+3; n != want {
		t.Errorf("%d lines for %d files:\n%s", n, want, log.String())
	}
	for i := 0x10; i < 0x20; i++ {
		id := ID(fmt.Sprintf("52:54:00:12:34:%02x", i))
		if order, ok := o.Peek(id); ok {
			t.Errorf("%s has %+v", id, order)
		}
		if order, ok := o.Claim("x", id); ok {
			t.Errorf("%s has %+v", id, order)
		}
	}
	if _, was, err := o.Cancel("52:54:00:12:34:13"); !was || err != nil {
		t.Errorf("half a file is not to be got rid of: %v, %v", was, err)
	}
}

func TestOnceOutlivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "once")
	if err := OpenOneTimeBoots(dir, nil).Set(mac1, "memtest"); err != nil {
		t.Fatal(err)
	}
	o := OpenOneTimeBoots(dir, nil)
	order, ok := o.Peek("52:54:00:00:00:01", mac1)
	if !ok || order.Item != "memtest" || order.ID != mac1 || time.Since(order.Set) > time.Minute {
		t.Fatalf("%+v, %v", order, ok)
	}
	for range 3 {
		if again, ok := o.Peek(mac1); !ok || again != order {
			t.Fatalf("a second look finds %+v, %v", again, ok)
		}
	}
	if _, ok := o.Claim("memtester", mac1); ok {
		t.Fatal("another item used it up")
	}
	if _, ok := o.Claim("memtest", "52:54:00:00:00:01"); ok {
		t.Fatal("another machine used it up")
	}
	if got, ok := o.Claim("memtest", "52:54:00:00:00:01", mac1); !ok || got != order {
		t.Fatalf("%+v, %v", got, ok)
	}
	if _, ok := OpenOneTimeBoots(dir, nil).Peek(mac1); ok {
		t.Fatal("it is still there")
	}
	if err := o.Set(mac1, "../x"); err == nil {
		t.Error("../x was taken for an item")
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// FuzzOrder: whatever a file holds, an order that is read from it is an item that can stand in a script.
func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"machine":"52:54:00:12:34:01","item":"memtest","set":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"item":"a b"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ID(mac1).file()), text, 0o644); err != nil {
			t.Fatal(err)
		}
		o := &OneTimeBoots{folder: folder(dir), log: slog.New(slog.DiscardHandler)}
		order, ok := o.Peek(mac1)
		if ok && (!catalog.IsKey(order.Item) || order.ID != mac1) {
			t.Fatalf("%+v", order)
		}
		if !ok {
			return
		}
		if got, ok := o.Claim(order.Item, mac1); !ok || got.Item != order.Item {
			t.Fatalf("%+v is not to be claimed", order)
		}
	})
}
