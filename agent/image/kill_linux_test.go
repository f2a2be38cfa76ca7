package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pxeagent/agent/image/imagetest"
	"pxeagent/deploy/lab"

	"github.com/dustin/go-humanize"
)

// TestMain lets the test binary add an image, so that it can be killed while it does.
func TestMain(m *testing.M) {
	if root := os.Getenv("IMAGE_TEST_ADD"); root != "" {
		s, err := NewStore(
			Config{Dir: filepath.Join(root, "http"), Mirrors: map[string][]string{"smartos": {os.Getenv("IMAGE_TEST_MIRROR")}}},
		)
		if err == nil {
			_, err = s.Add(context.Background(), Order{Recipe: "smartos", Version: stamp, Replace: true})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Killed wherever it is in an update, the old image or the new one is served, whole, and the next run needs no help.
func TestKilledInTheMiddle(t *testing.T) {
	lab.NoShort(t)
	b := newBench(t)
	b.mirror.PublishOldSmartOS(t, stamp)
	b.add(Order{Recipe: "smartos", Version: stamp})
	old := b.served()
	large := imagetest.TGZ(
		t,
		imagetest.Entry{
			Name: "platform-x/i86pc/kernel/amd64/unix",
			Body: "new",
		},
		imagetest.Entry{Name: "platform-x/i86pc/amd64/boot_archive", Body: string(noise(3 << 20))},
	)
	path := stamp + "/platform-" + stamp + ".tgz"
	b.mirror.Put(stamp+"/md5sums.txt", []byte(imagetest.SumLine("md5", "platform-"+stamp+".tgz", large)))
	start := func() *exec.Cmd {
		t.Helper()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "IMAGE_TEST_ADD="+b.root, "IMAGE_TEST_MIRROR="+b.mirror.URL)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	kill := func(cmd *exec.Cmd) {
		cmd.Process.Kill()
		cmd.Wait()
	}
	// In the download, which the next one goes on with.
	halfway, wait := make(chan bool, 1), make(chan bool)
	b.mirror.PutFile(path, &imagetest.File{Body: large, Sent: func(n int) {
		if n >= 1<<20 {
			select {
			case halfway <- true:
			default:
			}
			<-wait
		}
	}})
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	cmd := start()
	<-halfway
	for b.partialSize() < 1<<20 { // sent is not yet written
		<-look.C
	}
	kill(cmd)
	close(wait)
	if got := b.served(); got != old {
		t.Fatalf("after a kill in the download:\n%s", got)
	}
	// At every moment after it: the folders that a run works in come and go, and a kill is sent at each change.
	b.mirror.Put(path, large)
	seen := map[string]bool{}
	for n := range 20 {
		cmd := start()
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true
			case <-look.C:
				if state := b.workState(); !seen[state] {
					seen[state] = true
					cmd.Process.Kill()
					<-done
					ended = true
				}
			}
		}
		if found := find(t, NewFinder(b.Dir)); len(found.Images) != 1 || len(found.Faults) > 0 {
			t.Fatalf("kill %d: %d images, %v", n, len(found.Images), found.Faults)
		}
		if _, err := b.Verify(t.Context(), "smartos-"+stamp); err != nil {
			t.Fatalf("kill %d: %v", n, err)
		}
	}
	if asked := b.mirror.Asked(path); len(asked) < 2 || !strings.HasPrefix(asked[2].Range, "bytes=") {
		t.Errorf("the run after the kill did not go on: %+v", asked[:min(len(asked), 3)])
	}
	cmd = start()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.read("http/smartos/" + stamp + "/platform/i86pc/kernel/amd64/unix"); got != "new" {
		t.Errorf("in the end the kernel is %q", got)
	}
	for _, d := range []string{newDir, oldDir, partialDir} {
		if left, _ := os.ReadDir(b.own(d)); len(left) > 0 {
			t.Errorf("%s holds %d", d, len(left))
		}
	}
	t.Logf("killed in %d states", len(seen))
}

// partialSize is how much has come of what is being fetched.
func (b *bench) partialSize() (n int64) {
	all, _ := filepath.Glob(b.own(partialDir) + "/*.part")
	for _, p := range all {
		if info, err := os.Stat(p); err == nil {
			n += info.Size()
		}
	}
	return n
}

// workState is what lies in the folders that a run works in.
func (b *bench) workState() string {
	var out strings.Builder
	for _, d := range []string{newDir, oldDir, partialDir} {
		filepath.WalkDir(b.own(d), func(p string, e os.DirEntry, err error) error {
			if err == nil {
				rel, _ := filepath.Rel(b.Dir, p)
				fmt.Fprintln(&out, rel)
			}
			return nil
		})
	}
	return out.String()
}

// On a disk that fills up, what was there stays, and the error says that the disk is full.
func TestDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		lab.Missing(t, "root (to mount a small tmpfs)")
	}
	b := newBench(t)
	b.root = t.TempDir()
	if err := unix.Mount("tmpfs", b.root, "tmpfs", 0, "size=24m"); err != nil {
		lab.Missing(t, "a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(b.root, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b.open()
	b.mirror.PublishOldSmartOS(t, stamp)
	b.add(Order{Recipe: "smartos", Version: stamp})
	path := stamp + "/platform-" + stamp + ".tgz"
	again := Order{Recipe: "smartos", Version: stamp, Replace: true}
	publish := func(f imagetest.File, archive []byte) {
		b.mirror.Put(stamp+"/md5sums.txt", []byte(imagetest.SumLine("md5", "platform-"+stamp+".tgz", archive)))
		f.Body = archive
		b.mirror.PutFile(path, &f)
	}
	big := imagetest.TGZ(
		t,
		imagetest.Entry{Name: "p/i86pc/kernel/amd64/unix"},
		imagetest.Entry{Name: "p/i86pc/amd64/boot_archive", Body: string(noise(10 << 20))},
	)
	publish(imagetest.File{}, big)
	b.fails(again, ErrNoSpace, "platform-"+stamp+".tgz needs 56 MiB") // before it is fetched
	if n := b.mirror.Asked(path); n[len(n)-1].Bytes > 5<<20 {
		t.Errorf("%d bytes were sent of what has no room", n[len(n)-1].Bytes)
	}
	// It unpacks to far more than it looks.
	bomb := imagetest.TGZ(
		t,
		imagetest.Entry{Name: "p/i86pc/kernel/amd64/unix"},
		imagetest.Entry{Name: "p/i86pc/amd64/boot_archive", Body: strings.Repeat("\x00", 30<<20)},
	)
	publish(imagetest.File{}, bomb)
	b.fails(again, ErrNoSpace, "unpacked needs")
	// And says that it does not.
	liar := bytes.Clone(bomb)
	copy(liar[len(liar)-4:], []byte{0, 0, 1, 0})
	publish(imagetest.File{}, liar)
	b.fails(again, ErrNoSpace, "boot_archive")
	if left := b.partialNames(); len(left) > 0 {
		t.Errorf("%q are left of archives that have no room", left)
	}
	// Nobody says how much comes: what must stay free stays free at every moment, and what had come is removed.
	var mu sync.Mutex // the mirror looks while it sends, and may send for a while after the client has gone
	least, over := int64(1<<62), false
	look := func(int) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		free, err := freeSpace(b.Dir)
		if err != nil {
			t.Error(err)
		}
		least = min(least, free)
	}
	publish(imagetest.File{Unsized: true, Sent: look}, noise(30<<20))
	b.fails(again, ErrNoSpace, "16 MiB stay free")
	look(0)
	mu.Lock()
	over = true
	mu.Unlock()
	if least < spare {
		t.Errorf("%s were free at one time", humanize.IBytes(uint64(least)))
	}
	if left := b.partialNames(); len(left) > 0 {
		t.Errorf("%q are left of a download that has no room", left)
	}
	if _, err := b.Verify(t.Context(), "smartos-"+stamp); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}
