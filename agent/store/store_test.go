package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pxeagent/agent/boot"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func config(t testing.TB, log *bytes.Buffer) Config {
	return Config{Keep: 100, Log: slog.New(slog.NewTextHandler(log, nil)), Failed: func() { t.Error("a write failed") }}
}

func boots(n int) []boot.Boot {
	var all []boot.Boot
	for i := range n {
		at := now.Add(time.Duration(i) * time.Minute)
		all = append(all, boot.Boot{
			ID: fmt.Sprintf("%010d", i), MAC: "52:54:00:12:34:56", Started: at, Updated: at, Ended: at, Result: boot.Booted,
			Stages: []boot.Span{
				{Stage: boot.StageKernel, Start: at, End: at, Bytes: 5},
			}, Files: []boot.Fetch{{Name: strings.Repeat("x", 3000), Took: time.Second}},
		})
	}
	return all
}

func open(t testing.TB, dir string, c Config) (*Store, []boot.Boot) {
	t.Helper()
	s, all, err := Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

func closed(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestKeptAcrossRestarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var log bytes.Buffer
	s, all := open(t, dir, config(t, &log))
	if len(all) != 0 {
		t.Fatalf("%d boots in a new file", len(all))
	}
	for _, b := range boots(3) {
		s.Put(b)
	}
	s.Flush(now)
	again := boots(3)[1]
	again.Note = "changed"
	s.Put(again)
	s.Put(boot.Boot{ID: boots(3)[2].ID, Into: "another"})
	closed(t, s)
	if info, err := os.Stat(filepath.Join(dir, FileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	s, all = open(t, dir, config(t, &log))
	defer closed(t, s)
	if len(all) != 2 || all[0].ID != boots(1)[0].ID || all[1].Note != "changed" || all[0].Files[0].Took != time.Second ||
		s.Stored() != 2 {
		t.Errorf("%d stored, %+v", s.Stored(), all)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	c := config(t, &log)
	c.Keep, c.MaxAge = 5, time.Hour
	s, _ := open(t, dir, c)
	for _, b := range boots(20) {
		s.Put(b)
	}
	s.Flush(now.Add(20 * time.Minute))
	if s.Stored() != 5 {
		t.Errorf("%d stored, want 5", s.Stored())
	}
	// The last three ended within the hour.
	s.Flush(now.Add(77 * time.Minute).Add(time.Hour))
	if s.Stored() != 0 {
		t.Errorf("%d stored after all are too old", s.Stored())
	}
	closed(t, s)
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, _ := open(t, dir, config(t, &log))
	if _, _, err := Open(dir, config(t, &log)); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
	s.Put(boots(1)[0])
	closed(t, s)
	s, all := open(t, dir, config(t, &log))
	defer closed(t, s)
	if len(all) != 1 {
		t.Errorf("%d boots", len(all))
	}
}

// What a later version keeps of a boot besides is still there after this one had the file.
func TestMoreThanIsKnown(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	s, _ := open(t, dir, config(t, &log))
	s.Put(boots(1)[0])
	s.Flush(now)
	err := s.db.Update(func(tx *bolt.Tx) error {
		all := tx.Bucket(bucket)
		id, v := all.Cursor().First()
		return all.Put(bytes.Clone(id), append(bytes.TrimSuffix(bytes.Clone(v), []byte("}")), `,"mood":"fine"}`...))
	})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, s)
	for range 2 {
		s, _ = open(t, dir, config(t, &log))
		closed(t, s)
	}
	db, err := bolt.Open(filepath.Join(dir, FileName), 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bolt.Tx) error {
		if _, v := tx.Bucket(bucket).Cursor().First(); !bytes.Contains(v, []byte(`"mood":"fine"`)) {
			t.Errorf("kept is %s", v)
		}
		return nil
	}); err != nil || log.Len() > 0 {
		t.Errorf("%v\n%s", err, &log)
	}
}

// Whatever became of the file, the agent starts, says so, and keeps boots.
func TestDamaged(t *testing.T) {
	whole := func(t *testing.T, dir string) []byte {
		var log bytes.Buffer
		s, _ := open(t, dir, config(t, &log))
		for _, b := range boots(60) {
			s.Put(b)
		}
		closed(t, s)
		data, err := os.ReadFile(filepath.Join(dir, FileName))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, damage := range map[string]func([]byte) []byte{
		"text":  func([]byte) []byte { return []byte("not a database\n") },
		"zeros": func(b []byte) []byte { return make([]byte, len(b)) },
		"another version's": func([]byte) []byte {
			path := filepath.Join(t.TempDir(), "later.db")
			db, err := bolt.Open(path, 0o600, nil)
			if err == nil {
				err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("boots of version 2")); return err })
			}
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		"cut":          func(b []byte) []byte { return b[:len(b)/2] },
		"cut to metas": func(b []byte) []byte { return b[:2*os.Getpagesize()] },
		"a hole":       func(b []byte) []byte { copy(b[2*os.Getpagesize():], make([]byte, len(b)/2)); return b },
		"noise": func(b []byte) []byte {
			for i := 2 * os.Getpagesize(); i < len(b); i += 7 {
				b[i] ^= 0xa5
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			data := damage(whole(t, dir))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, _ := open(t, dir, config(t, &log))
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), setAside) {
				t.Errorf("logged: %s", &log)
			}
			if aside, err := os.ReadFile(path + setAside); err != nil || !bytes.Equal(aside, data) {
				t.Errorf("the damaged file is not there as it was: %v", err)
			}
			last := boots(101)[100]
			s.Put(last)
			closed(t, s)
			s, all := open(t, dir, config(t, &log))
			defer closed(t, s)
			if len(all) == 0 || all[len(all)-1].ID != last.ID {
				t.Errorf("%d boots, without the last", len(all))
			}
		})
	}
}

// TestMain lets the test binary be the process that TestKilled kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_DIR"); dir != "" {
		s, _, err := Open(dir, Config{Keep: 1 << 20, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		all := boots(5000)
		for _, b := range all {
			s.Put(b)
			s.Flush(now)
			fmt.Println(b.ID)
		}
	}
	os.Exit(m.Run())
}

// A process that is killed in the middle of writing leaves every boot of which it had said that it is written.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TEST_DIR="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 11*(10+7*round))
		if _, err := io.ReadFull(out, buf); err != nil {
			t.Fatalf("%v: %s", err, buf)
		}
		cmd.Process.Kill()
		rest, _ := io.ReadAll(out)
		cmd.Wait()
		said := strings.Fields(string(buf) + string(rest))
		var log bytes.Buffer
		c := config(t, &log)
		c.Keep = 1 << 20
		s, all := open(t, dir, c)
		closed(t, s)
		have := map[string]bool{}
		for _, b := range all {
			have[b.ID] = true
		}
		for _, id := range said {
			if len(id) == 10 && !have[id] {
				t.Fatalf("boot %s was written and is lost", id)
			}
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", &log)
		}
	}
}

// While the disk does not take them boots wait, the failures are counted and one is logged.
func TestWriteFails(t *testing.T) {
	var log bytes.Buffer
	failed := 0
	c := config(t, &log)
	c.Failed = func() { failed++ }
	s, _ := open(t, t.TempDir(), c)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	for i, b := range boots(mostPending + 10) {
		s.Put(b)
		if i < 3 {
			s.Flush(now)
		}
	}
	s.Flush(now)
	if failed != 4 || strings.Count(log.String(), "\n") != 1 || len(s.pending) != mostPending ||
		len(s.order) != mostPending {
		t.Errorf("%d failed, %d wait, logged: %s", failed, len(s.pending), &log)
	}
}

func BenchmarkPut(b *testing.B) {
	var log bytes.Buffer
	s, _ := open(b, b.TempDir(), config(b, &log))
	defer s.db.Close()
	all := boots(1000)
	for i := range b.N {
		s.Put(all[i%1000])
	}
}
