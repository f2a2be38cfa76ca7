package dhcp

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"pxeagent/agent/firmware"
)

var (
	bootA = Boot{NextServer: netip.MustParseAddr("10.0.0.7"),
		NBP:    [firmware.NumArch]string{firmware.BIOS: "undionly.kpxe", firmware.ARM64: "snp-arm64.efi"},
		Script: "http://10.0.0.7/a?b=<c>&d"}
	stateA = State{Boot: bootA, Raw: []byte("dhcp-boot=tag:x,\"undionly.kpxe\"\n")}
	stateB = State{Boot: Boot{URL: [firmware.NumArch]string{firmware.EFI64: "http://10.0.0.8/ipxe.efi"}},
		Raw: []byte{0xff, 0, '\n'}}
	none  = State{}
	empty = State{Raw: []byte{}}
)

func TestJournalIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir, "dnsmasq-eth1")
	if err != nil {
		t.Fatal(err)
	}
	want := record{Server: "dnsmasq, interface eth1", First: &empty, Wrote: &stateA, Intent: &stateB,
		Wire: &wire{firmware.Clients(), []firmware.Offer{{Client: firmware.ClientIPXE, Server: bootA.NextServer,
			File: "x\"y", Via: "raw"}}},
		History: []Past{{Why: PastReverted, State: none}, {Why: PastChanged, State: stateB}}}
	if err := j.write(want); err != nil {
		t.Fatal(err)
	}
	want.Version = recordVersion
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(j.path)
	if err != nil || info.Mode().Perm() != 0o600 || j.path != filepath.Join(dir, "journal", "dnsmasq-eth1.json") {
		t.Errorf("%s: %v, %v", j.path, info.Mode(), err)
	}
	text, _ := os.ReadFile(j.path)
	for _, readable := range []string{`"bios": "undionly.kpxe"`, `"next_server": "10.0.0.7"`,
		"http://10.0.0.7/a?b=<c>&d", `"client": "ipxe"`} {
		if !strings.Contains(string(text), readable) {
			t.Errorf("the journal does not say %s:\n%s", readable, text)
		}
	}
	again, err := OpenJournal(dir, "dnsmasq-eth1")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !reflect.DeepEqual(again.rec, want) {
		t.Errorf("read again as\n%+v\nwant\n%+v", again.rec, want)
	}
	if first, ok := again.First(); !ok || first.Raw == nil || len(first.Raw) != 0 {
		t.Errorf("an empty record came back as %#v", first.Raw)
	}
	if entries, _ := os.ReadDir(filepath.Dir(j.path)); len(entries) != 2 {
		t.Errorf("besides the journal and its lock there are %v", entries)
	}
}

func TestJournalThatCannotBeUnderstoodIsLeftAlone(t *testing.T) {
	for _, text := range []string{
		"", "{", "null", "[]", "{}", `{"version":2}`, `{"version":1}{}`, `{"version":1,"surprise":1}`,
		`{"version":1,"wrote":{"boot":{}}}`,
		`{"version":1,"before":{"boot":{"nbp":{"vax":"x"}}}}`, `{"version":1,"before":{"boot":{"next_server":"fw.lan"}}}`,
		`{"version":1,"before":{"boot":{},"raw":"a","raw_base64":"YQ=="}}`,
		`{"version":1,"before":{"boot":{},"raw_base64":"!"}}`,
		`{"version":1,"before":{"boot":{}},"wire_before":{"clients":["toaster"]}}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "journal", "k.json")
		if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := OpenJournal(dir, "k")
		var bad *JournalError
		if !errors.As(err, &bad) || bad.Path != path || !strings.Contains(err.Error(), path) ||
			errors.Is(err, ErrLaterJournal) != (text == `{"version":2}`) {
			t.Errorf("journal %q: %v", text, err)
		}
		if kept, _ := os.ReadFile(path); string(kept) != text {
			t.Errorf("journal %q was overwritten by %q", text, kept)
		}
		// The lock is not held on.
		if _, err := OpenJournal(dir, "k"); !errors.As(err, &bad) {
			t.Errorf("journal %q the second time: %v", text, err)
		}
	}
}

// failingFile fails at one of its operations, as a full disk does.
type failingFile struct {
	file
	at string
}

func (f failingFile) Write(b []byte) (int, error) {
	if f.at == "write" {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, syscall.ENOSPC
	}
	return f.file.Write(b)
}

func (f failingFile) Sync() error {
	if f.at == "sync" {
		return syscall.ENOSPC
	}
	return f.file.Sync()
}

func (f failingFile) Close() error {
	if err := f.file.Close(); err != nil || f.at != "close" {
		return err
	}
	return syscall.ENOSPC
}

func TestJournalOnAFullDiskStaysAsItWas(t *testing.T) {
	for _, at := range []string{"create", "write", "sync", "close"} {
		j, err := OpenJournal(t.TempDir(), "k")
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if err := j.write(record{First: &stateA}); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(j.path)
		j.create = func(name string) (file, error) {
			if at == "create" {
				return nil, syscall.ENOSPC
			}
			f, err := createFile(name)
			return failingFile{f, at}, err
		}
		if err := j.write(record{First: &stateB}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), j.path) {
			t.Errorf("%s: %v", at, err)
		}
		if first, _ := j.First(); !first.Same(stateA) {
			t.Errorf("%s: remembered %q, which is not on disk", at, first.Raw)
		}
		after, _ := os.ReadFile(j.path)
		entries, _ := os.ReadDir(filepath.Dir(j.path))
		if !bytes.Equal(before, after) || len(entries) != 2 {
			t.Errorf("%s: the journal is %q, beside it %v", at, after, entries)
		}
	}
}

func TestOpenJournalErrors(t *testing.T) {
	if _, err := OpenJournal(t.TempDir(), ""); err == nil {
		t.Error("an empty key was taken")
	}
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(inTheWay, "k"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file where the folder should be: %v", err)
	}
}

func TestFileNamesDoNotCollide(t *testing.T) {
	long := strings.Repeat("/", 100)
	keys := []string{"dnsmasq-eth1", "a/b", "a%2Fb", "a%2fb", "a_b", "..", ".", ".a", "%2Ea", "../../etc/passwd", "é",
		"e", "E", "a b", "a\x00b", "a\nb",
		long, long + "/", long + "x", "%~", strings.Repeat("x", 200), strings.Repeat("x", 201)}
	seen := map[string]string{}
	for _, k := range keys {
		name := fileName(k)
		if other, taken := seen[name]; taken {
			t.Errorf("keys %q and %q are both %s", k, other, name)
		}
		seen[name] = k
		if len(name) > 240 || strings.ContainsAny(name, "/\x00\n") || strings.HasPrefix(name, ".") {
			t.Errorf("key %q is the file name %q", k, name)
		}
		if j, err := OpenJournal(t.TempDir(), k); err != nil {
			t.Errorf("key %q: %v", k, err)
		} else {
			j.Close()
		}
	}
	if fileName("dnsmasq-eth1") != "dnsmasq-eth1" {
		t.Error("an ordinary key is not readable")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	r := record{}
	for i := range 3 * maxHistory {
		s := State{Raw: fmt.Append(nil, i)}
		r, _ = r.begin("x", s, stateA, nil)
		r = r.reverted()
	}
	if len(r.History) != maxHistory || string(r.History[maxHistory-1].State.Raw) != fmt.Sprint(3*maxHistory-1) {
		t.Errorf("%d in history, the last %q", len(r.History), r.History[len(r.History)-1].State.Raw)
	}
}

func FuzzJournal(f *testing.F) {
	full, err := record{Version: recordVersion, Server: "s", First: &none, Wrote: &stateA, Intent: &stateB,
		Wire:    &wire{firmware.Clients(), nil},
		History: []Past{{Why: PastReverted, State: empty}}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"before":{"boot":{},"raw_base64":"/w=="}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		text, err := r.encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := parseRecord(text)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, text)
		}
		for _, pair := range [][2]*State{{r.First, again.First}, {r.Wrote, again.Wrote}, {r.Intent, again.Intent}} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil &&
				(!pair[0].Same(*pair[1]) || pair[0].Boot != pair[1].Boot) {
				t.Fatalf("%+v came back as %+v", pair[0], pair[1])
			}
		}
	})
}
