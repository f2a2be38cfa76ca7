package boot

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// teller tells a Tracker stories, a request in each word: "0:10 a uefi nbp ipxe.efi", the time of its end, who, what
// asks, for what kind of file and which. "nbp/timeout" is another outcome than ok. "~12" after it is how long it took,
// in seconds; else a second. "+m" at the end: it told the MAC of machine m; "^" is the script in place of the NBP;
// "=local" is the default of the menu that it was given, "=local!" one that is booted without a menu. "x" alone for the
// machine is a tick at that time.
type teller struct {
	t *testing.T
	*Tracker
	boots map[string]Boot
	ended []Boot
	gone  []string
}

func tell(t *testing.T, c TrackerConfig, story string) *teller {
	t.Helper()
	s := &teller{t: t, Tracker: NewTracker(c), boots: map[string]Boot{}}
	s.more(story)
	return s
}

func addrOf(name string) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, name[0]}) }

func macOf(name string) string { return fmt.Sprintf("52:54:00:00:00:%02x", name[0]) }

func (s *teller) more(story string) {
	s.t.Helper()
	for word := range strings.SplitSeq(story, ",") {
		f := strings.Fields(word)
		var min, sec int
		if _, err := fmt.Sscanf(f[0], "%d:%d", &min, &sec); err != nil {
			s.t.Fatalf("%q: %v", word, err)
		}
		now := loopStart.Add(time.Duration(min)*time.Minute + time.Duration(sec)*time.Second)
		if f[1] == "x" {
			s.Tick(now)
			s.take()
			continue
		}
		s.transfer(now, f[1:])
		s.take()
	}
}

func (s *teller) transfer(end time.Time, f []string) {
	tr := Transfer{Artifact: Artifact(f[2]), Outcome: OK, Took: time.Second, Bytes: 1000}
	tr.Client, tr.Class, tr.Proto = netip.AddrPortFrom(addrOf(f[0]), uint16(end.Unix())), Class(f[1]), HTTP
	if artifact, outcome, ok := strings.Cut(f[2], "/"); ok {
		tr.Artifact, tr.Outcome, tr.Bytes = Artifact(artifact), Outcome(outcome), 0
	}
	tr.Name = f[3]
	if !strings.HasPrefix(tr.Name, "/") {
		tr.Proto = TFTP
	}
	for _, o := range f[4:] {
		switch o[0] {
		case '~':
			fmt.Sscanf(o, "~%d", &tr.Took)
			tr.Took *= time.Second
		case '+':
			tr.Facts, tr.Told = Facts{MAC: macOf(o[1:]), Platform: "efi", Arch: "x86_64"}, true
		case '=':
			tr.Given.Default, tr.Given.SkipMenu = strings.CutSuffix(o[1:], "!")
		case '^':
			tr.LoopBroken = true
		}
	}
	tr.Start = end.Add(-tr.Took)
	s.Begin(&tr.Ask, tr.Start)
	s.End(&tr)
}

func (s *teller) take() {
	changed, ended := s.Take()
	for _, b := range changed {
		if b.Into != "" {
			s.gone = append(s.gone, b.ID)
			delete(s.boots, b.ID)
			continue
		}
		s.boots[b.ID] = b
	}
	s.ended = append(s.ended, ended...)
}

// told is each boot in a line: "booted image a", where at is the stage and a the machine, by address or MAC; a file
// that failed comes last.
func (s *teller) told() []string {
	var ids, lines []string
	for id := range s.boots {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		b := s.boots[id]
		who := string(b.Addr.AsSlice()[3])
		if b.MAC != "" {
			var n int
			fmt.Sscanf(b.MAC[15:], "%x", &n)
			who = "mac-" + string(rune(n))
		}
		line := fmt.Sprintf("%s %s %s", b.Result, b.At, who)
		if b.File != "" {
			line += " " + b.File
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

const (
	uefiToMenu = "0:00 a uefi nbp/size_probe ipxe.efi, 0:03 a uefi nbp ipxe.efi, " +
		"0:10 a ipxe script ipxe.efi ^, 0:11 a ipxe script /ipxe/bootstrap.ipxe"
	toKernel = uefiToMenu + ", 0:20 a ipxe kernel /os/vmlinuz"
)

func wantsInitrd(kernel string) []string {
	if kernel == "/os/vmlinuz" {
		return []string{kernel, "/os/initrd", "/os/modules.img"}
	}
	return nil
}

func TestTracker(t *testing.T) {
	neighbours := func(pairs ...string) func(netip.Addr) string {
		return func(a netip.Addr) string {
			for _, p := range pairs {
				if addrOf(p) == a {
					return macOf(p[2:])
				}
			}
			return ""
		}
	}
	for _, tc := range []struct {
		name, story string
		config      TrackerConfig
		want        []string
	}{
		{"a boot whose item is known",
			toKernel + ", 0:22 a ipxe image /os/initrd, 0:30 a ipxe image /os/modules.img",
			TrackerConfig{Wants: wantsInitrd}, []string{"booted image a"}},
		{"under way until all is there",
			toKernel + ", 0:22 a ipxe image /os/initrd, 3:00 x",
			TrackerConfig{Wants: wantsInitrd}, []string{"image a"}},
		{"a file of its item is never asked for",
			toKernel + ", 0:22 a ipxe image /os/initrd, 5:23 x",
			TrackerConfig{Wants: wantsInitrd}, []string{"stalled image a"}},
		{"a file of its item is not there",
			toKernel + ", 0:22 a ipxe none/not_found /os/initrd, 5:23 x",
			TrackerConfig{Wants: wantsInitrd}, []string{"failed kernel a /os/initrd"}},
		{"a boot whose item is not known",
			toKernel + ", 0:22 a ipxe image /os/initrd, 0:30 x, 0:38 x", TrackerConfig{}, []string{"booted image a"}},
		{"quiet is not long enough",
			toKernel + ", 0:22 a ipxe image /os/initrd, 0:36 x", TrackerConfig{}, []string{"image a"}},
		{"stalled at its boot program",
			"0:03 a uefi nbp ipxe.efi, 5:02 x, 5:03 x", TrackerConfig{}, []string{"stalled nbp a"}},
		{"stalled at the menu", uefiToMenu + ", 5:11 x", TrackerConfig{}, []string{"stalled script a"}},
		{"the menu waits longer",
			uefiToMenu + ", 5:11 x, 6:10 x",
			TrackerConfig{MenuWait: func() time.Duration { return time.Minute }}, []string{"script a"}},
		{"a shorter limit",
			uefiToMenu + ", 0:41 x", TrackerConfig{Stall: 30 * time.Second}, []string{"stalled script a"}},
		{"a person picks an item after the end",
			uefiToMenu + ", 5:11 x, 9:00 a ipxe kernel /os/vmlinuz, 9:30 x",
			TrackerConfig{}, []string{"stalled script a", "booted kernel a"}},
		{"a kernel that goes silent",
			uefiToMenu + ", 0:40 a ipxe kernel/timeout /os/vmlinuz, 5:40 x",
			TrackerConfig{}, []string{"failed script a /os/vmlinuz"}},
		{"a kernel that comes at the second try",
			uefiToMenu + ", 0:40 a ipxe kernel/timeout /os/vmlinuz, 0:50 a ipxe kernel /os/vmlinuz, 1:06 x",
			TrackerConfig{}, []string{"booted kernel a"}},
		{"a boot program that is not there",
			"0:00 a bios-rom none/not_found pxelinux.0, 0:20 a bios-rom none/not_found pxelinux.0, 0:40 a bios-rom " +
				"none/not_found pxelinux.0, 1:00 a bios-rom none/not_found pxelinux.0",
			TrackerConfig{}, []string{"failed  a pxelinux.0"}},
		{"the local disk",
			uefiToMenu + ", 0:40 a ipxe script /ipxe/local", TrackerConfig{}, []string{"local_disk script a"}},
		{"the local disk, and on again",
			uefiToMenu + ", 0:40 a ipxe script /ipxe/local, 1:00 a uefi nbp ipxe.efi",
			TrackerConfig{}, []string{"local_disk script a", "nbp a"}},
		{"switched off and on in the middle",
			toKernel + ", 0:22 a ipxe image/aborted /os/initrd, 0:40 a uefi nbp ipxe.efi",
			TrackerConfig{Wants: wantsInitrd}, []string{"stalled kernel a", "nbp a"}},
		{"switched off and on at the menu",
			uefiToMenu + ", 0:40 a uefi nbp ipxe.efi, 0:50 a ipxe script ipxe.efi ^",
			TrackerConfig{}, []string{"stalled script a", "script a"}},
		{"a ROM that is iPXE, at the menu",
			"0:01 a ipxe script undionly.kpxe ^, 0:02 a ipxe script /ipxe/bootstrap.ipxe, 0:30 a ipxe script undionly.kpxe ^",
			TrackerConfig{}, []string{"stalled script a", "script a"}},
		{"the same boot again",
			toKernel + ", 0:36 x, 2:00 a uefi nbp ipxe.efi", TrackerConfig{}, []string{"booted kernel a", "nbp a"}},
		{"an installer fetches for an hour",
			toKernel + ", 0:36 x, " + hourOf("a unknown other /debian/x.deb") +
				", 60:00 a unknown image /debian/y.img, 61:00 x", TrackerConfig{}, []string{"booted kernel a"}},
		{"what the system asks for and does not get",
			toKernel + ", 0:24 a unknown none/not_found /preseed.cfg, 0:40 x",
			TrackerConfig{}, []string{"booted kernel a"}},
		{"pxelinux looks for its menu",
			"0:01 a bios-rom nbp pxelinux.0, 0:02 a pxelinux none/optional pxelinux.cfg/01-52, 0:03 a pxelinux script " +
				"pxelinux.cfg/default, 0:04 a pxelinux kernel vmlinuz, 0:05 a pxelinux image initrd.gz, 0:21 x",
			TrackerConfig{}, []string{"booted image a"}},
		{"GRUB by way of the menu",
			uefiToMenu + ", 0:20 a ipxe nbp /grubx64.efi, 0:36 x", TrackerConfig{}, []string{"booted kernel a"}},
		{"a disk image",
			uefiToMenu + ", 0:20 a ipxe image /debian.iso, 6:00 x", TrackerConfig{}, []string{"booted image a"}},
		{"people and programs that watch",
			"0:01 a tool nbp ipxe.efi, 0:02 a tool kernel /os/vmlinuz +m, 0:03 a ipxe internal /metrics, 0:04 a ipxe " +
				"kernel/refused /x, 0:05 a uefi nbp/size_probe ipxe.efi, 9:00 x", TrackerConfig{}, nil},
		{"whoever asks for anything",
			"0:01 a unknown none/not_found /wp-login.php, 0:02 a unknown other /notes.txt, 9:00 x",
			TrackerConfig{}, nil},
		{"a forged request", "0:01 a uefi nbp/timeout ipxe.efi", TrackerConfig{}, nil},
		{"two machines",
			"0:01 a uefi nbp ipxe.efi, 0:02 b uefi nbp ipxe.efi, 0:10 b ipxe script ipxe.efi ^, 0:11 a ipxe script ipxe.efi ^",
			TrackerConfig{}, []string{"script a", "script b"}},
		{"two addresses, known to the neighbour table",
			"0:01 a uefi nbp ipxe.efi, 0:02 c uefi nbp ipxe.efi, 0:10 b ipxe script /ipxe/bootstrap.ipxe",
			TrackerConfig{Neighbour: neighbours("a=m", "b=m", "c=n")}, []string{"script mac-m", "nbp mac-n"}},
		{"two addresses, and nobody else",
			"0:01 a uefi nbp ipxe.efi, 0:10 b ipxe script /ipxe/bootstrap.ipxe +m",
			TrackerConfig{}, []string{"script mac-m"}},
		{"two addresses, told by the second script",
			"0:01 a uefi nbp ipxe.efi, 0:02 c uefi nbp ipxe.efi, 0:10 b ipxe script ipxe.efi ^, 0:12 b ipxe script /menu.ipxe " +
				"+m", TrackerConfig{Neighbour: neighbours("a=m", "c=n")}, []string{"script mac-m", "nbp mac-n"}},
		{"an address that goes to another machine",
			"0:01 a uefi nbp ipxe.efi, 0:02 a ipxe script /menu.ipxe +m, 0:03 a ipxe script /menu.ipxe +n",
			TrackerConfig{}, []string{"script mac-m", "script mac-n"}},
		{"the neighbour table is wrong",
			"0:01 a uefi nbp ipxe.efi, 0:02 a ipxe script /menu.ipxe +m, 0:03 a ipxe kernel /os/vmlinuz",
			TrackerConfig{Neighbour: neighbours("a=n")}, []string{"kernel mac-m"}},
		{"the same machine, without a neighbour table",
			uefiToMenu + " +m, 0:12 a ipxe script /ipxe/local, 3:00 a uefi nbp ipxe.efi",
			TrackerConfig{}, []string{"local_disk script mac-m", "nbp mac-m"}},
	} {
		s := tell(t, tc.config, tc.story)
		if got := s.told(); !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
		ended := 0
		for _, b := range s.boots {
			if b.Result != UnderWay {
				ended++
			}
			if b.Ended.IsZero() != (b.Result == UnderWay) || b.Updated.Before(b.Started) {
				t.Errorf("%s: %+v", tc.name, b)
			}
		}
		if len(s.ended) != ended {
			t.Errorf("%s: %d ends were told of %d", tc.name, len(s.ended), ended)
		}
		if n := len(s.boots) - ended; s.UnderWay() != n {
			t.Errorf("%s: %d are under way, want %d", tc.name, s.UnderWay(), n)
		}
	}
}

func hourOf(word string) string {
	var words []string
	for m := 1; m < 60; m++ {
		words = append(words, fmt.Sprintf("%d:00 %s", m, word))
	}
	return strings.Join(words, ", ")
}

func TestTimesAndBytes(t *testing.T) {
	s := tell(t, TrackerConfig{Wants: wantsInitrd, Name: func(f Facts, _ netip.Addr, kernel string) Named {
		return Named{Host: "rack-1", Profile: "lab", Item: strings.TrimSuffix(kernel, "/vmlinuz")}
	}}, uefiToMenu+" +m, 0:30 a ipxe kernel /os/vmlinuz ~9, 0:40 a ipxe image /os/initrd ~9, 0:50 a ipxe image "+
		"/os/modules.img ~9")
	if len(s.ended) != 1 {
		t.Fatalf("%+v", s.boots)
	}
	b := s.ended[0]
	at := func(sec int) time.Time { return loopStart.Add(time.Duration(sec) * time.Second) }
	if !b.Started.Equal(at(2)) || !b.Ended.Equal(at(50)) || b.Arch != "x86_64" || b.Firmware != FirmwareUEFI ||
		b.Host != "rack-1" ||
		b.Profile != "lab" ||
		b.Item != "/os" ||
		b.MAC != macOf("m") {
		t.Errorf("%+v", b)
	}
	want := []Span{
		{
			StageNBP,
			at(2),
			at(3),
			1000,
			1,
			0,
		}, {StageScript, at(9), at(11), 2000, 2, 0}, {StageKernel, at(21), at(30), 1000, 1, 0},
		{StageImage, at(31), at(50), 2000, 2, 0},
	}
	if !slices.Equal(b.Stages, want) {
		t.Errorf("stages %+v", b.Stages)
	}
	if len(b.Files) != 6 || b.Files[0].Name != "ipxe.efi" || b.Files[5].Took != 9*time.Second {
		t.Errorf("files %+v", b.Files)
	}
}

// What a machine is being sent is seen while that goes on, and it is not taken for silent.
func TestFetching(t *testing.T) {
	s := tell(t, TrackerConfig{}, toKernel)
	ask := Ask{Proto: HTTP, Class: IPXE, Client: netip.AddrPortFrom(addrOf("a"), 77), Name: "/os/initrd"}
	s.Begin(&ask, loopStart.Add(21*time.Second))
	s.more("0:50 x, 20:00 x")
	if got := s.told(); !slices.Equal(got, []string{"kernel a"}) {
		t.Fatalf("%q", got)
	}
	for _, b := range s.boots {
		if b.Fetching != "/os/initrd" {
			t.Errorf("it fetches %q", b.Fetching)
		}
	}
	s.End(
		&Transfer{
			Ask:      ask,
			Artifact: Image,
			Outcome:  OK,
			Bytes:    9,
			Start:    loopStart.Add(21 * time.Second),
			Took:     20 * time.Minute,
		},
	)
	s.more("20:37 x")
	if got := s.told(); !slices.Equal(got, []string{"booted image a"}) {
		t.Fatalf("%q", got)
	}
	if s.ended[0].Fetching != "" {
		t.Errorf("it still fetches %q", s.ended[0].Fetching)
	}
}

// What a machine was sent when it was switched off is named as it was asked for, whatever it asks for when it is on
// again.
func TestSwitchedOffInTheMiddle(t *testing.T) {
	s := tell(t, TrackerConfig{Wants: func(kernel string) []string { return []string{kernel, "/os/Archive"} }},
		toKernel)
	start := loopStart.Add(25 * time.Second)
	s.Begin(&Ask{Proto: HTTP, Class: IPXE, Client: netip.AddrPortFrom(addrOf("a"), 77), Name: "/os/Archive"}, start)
	s.more("0:50 a uefi nbp ipxe.efi")
	if len(s.ended) != 1 || !strings.Contains(s.ended[0].Note, "in the middle of /os/Archive") {
		t.Errorf("%+v", s.ended)
	}
	s = tell(t, TrackerConfig{Wants: func(kernel string) []string { return []string{kernel, "/os/Archive"} }},
		toKernel+", 0:50 a uefi nbp ipxe.efi")
	if len(s.ended) != 1 || !strings.Contains(s.ended[0].Note, "did not ask for /os/Archive") {
		t.Errorf("%+v", s.ended)
	}
}

// A transfer that was cut by a power cycle ends long after the next boot began, and is the first one's.
func TestLateEnd(t *testing.T) {
	s := tell(t, TrackerConfig{}, uefiToMenu)
	ask := Ask{Proto: TFTP, Class: IPXE, Client: netip.AddrPortFrom(addrOf("a"), 77), Name: "os/vmlinuz"}
	start := loopStart.Add(15 * time.Second)
	s.Begin(&ask, start)
	s.more("0:20 a uefi nbp ipxe.efi")
	s.End(&Transfer{Ask: ask, Artifact: Kernel, Outcome: TimedOut, Bytes: 9, Start: start, Took: 30 * time.Second})
	s.take()
	if got := s.told(); !slices.Equal(got, []string{"stalled script a", "nbp a"}) {
		t.Errorf("%q", got)
	}
}

// The ends of quick requests may be told in another order than they began in.
func TestEndsOutOfOrder(t *testing.T) {
	s := tell(
		t,
		TrackerConfig{},
		"0:03 a uefi nbp ipxe.efi, 0:12 a ipxe script /ipxe/bootstrap.ipxe, 0:12 a ipxe script ipxe.efi ^ ~3, 0:20 a ipxe "+
			"none/not_found /missing, 0:20 a ipxe script /menu.ipxe ~4, 6:00 x",
	)
	if got := s.told(); !slices.Equal(got, []string{"failed script a /missing"}) {
		t.Errorf("%q", got)
	}
	s = tell(t, TrackerConfig{}, "0:12 a ipxe script /ipxe/local, 0:12 a ipxe script /ipxe/bootstrap.ipxe ~3")
	if got := s.told(); !slices.Equal(got, []string{"local_disk script a"}) {
		t.Errorf("%q", got)
	}
}

func TestLoopedBoot(t *testing.T) {
	s := tell(t, TrackerConfig{}, "0:01 a uefi nbp ipxe.efi, 0:11 a unknown nbp ipxe.efi, 0:21 a unknown nbp ipxe.efi")
	s.Looped(Loop{Client: addrOf("a"), File: "ipxe.efi"}, "do this")
	s.more("0:31 a unknown nbp ipxe.efi, 0:41 a unknown nbp ipxe.efi")
	if got := s.told(); !slices.Equal(got, []string{"looped nbp a ipxe.efi"}) || s.ended[0].Note != "do this" {
		t.Errorf("%q %+v", got, s.ended)
	}
	s.more("0:51 a ipxe script ipxe.efi ^, 0:52 a ipxe script /ipxe/local")
	if got := s.told(); !slices.Equal(got, []string{"looped nbp a ipxe.efi", "local_disk script a"}) {
		t.Errorf("%q", got)
	}
}

// Boots go on where they were when the agent was stopped.
func TestResume(t *testing.T) {
	before := tell(t, TrackerConfig{Wants: wantsInitrd}, toKernel+" +m, 0:22 a ipxe image /os/initrd")
	var kept []Boot
	for _, b := range before.boots {
		kept = append(kept, b)
	}
	s := tell(t, TrackerConfig{Wants: wantsInitrd}, "0:01 b uefi nbp ipxe.efi, 9:00 x")
	s.Resume(kept)
	if s.UnderWay() != 1 {
		t.Errorf("%d under way", s.UnderWay())
	}
	s.boots, s.ended = map[string]Boot{}, nil
	s.more("1:00 a ipxe image /os/modules.img")
	if got := s.told(); !slices.Equal(got, []string{"booted image mac-m"}) || s.ended[0].ID != kept[0].ID ||
		len(s.ended[0].Files) != 6 {
		t.Errorf("%q %+v", got, s.ended)
	}
	s = tell(t, TrackerConfig{}, "0:00 x")
	s.Resume(kept)
	s.more("60:00 x")
	if len(s.ended) != 1 {
		t.Errorf("%d of 1 ended", len(s.ended))
	}
}

func TestIDsAreInOrder(t *testing.T) {
	s := tell(t, TrackerConfig{}, "0:00 x")
	last := ""
	for i := range 3000 {
		tr := Transfer{Ask: Ask{Class: UEFI, Name: "ipxe.efi"}, Artifact: NBP, Outcome: OK, Start: loopStart}
		tr.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1)
		s.End(&tr)
		changed, _ := s.Take()
		if len(changed) != 1 || changed[0].ID <= last || len(changed[0].ID) != 10 {
			t.Fatalf("%+v after %q", changed, last)
		}
		last = changed[0].ID
	}
}

func clientOf(name string, port uint16) netip.AddrPort { return netip.AddrPortFrom(addrOf(name), port) }
