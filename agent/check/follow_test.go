package check

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
	"pxeagent/agent/script"
)

// site serves files by path; a program's content begins with MZ. The hosts that real scripts name are it.
func site(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, there := files[r.URL.Path]
		if !there {
			http.NotFound(w, r)
			return
		}
		for _, host := range []string{"http://10.78.0.7", "http://10.0.0.1"} {
			text = strings.ReplaceAll(text, host, server.URL)
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server
}

// Real scripts, of which each was once said to be wrong or not looked at.
func TestRealScripts(t *testing.T) {
	const program = "MZ\x00\x00 a program"
	for name, c := range map[string]struct {
		client firmware.Client
		files  map[string]string
		want   []string // stage, path and result of the steps after the offer, but for the script itself
	}{
		"chain-program.ipxe": {client: firmware.ClientIPXE,
			files: map[string]string{"/tools/shellx64.efi": program, "/tools/netboot.xyz.kpxe": program},
			want:  []string{"script /tools/shellx64.efi a program", "script /tools/netboot.xyz.kpxe a program"}},
		"cpuid.ipxe": {client: firmware.ClientIPXE,
			files: map[string]string{"/os/x86_64/vmlinuz": "k"}, want: []string{"kernel /os/x86_64/vmlinuz"}},
		"image-name.ipxe": {client: firmware.ClientIPXE, files: map[string]string{"/live/vmlinuz": "k"},
			want: []string{"image /live/vmlinuz"}},
		"optional-file.ipxe": {client: firmware.ClientIPXE,
			want: []string{"script /boot.cfg optional", "script /host/default.ipxe optional"}},
		"next-server-not-checked.ipxe": {client: firmware.ClientIPXE,
			want: []string{"kernel http://127.0.0.1/missing/vmlinuz FAIL", "image http://127.0.0.1/missing/initrd FAIL"}},
		"goto-else-chain.ipxe": {client: firmware.ClientIPXE,
			files: map[string]string{"/linux.ipxe": "#!ipxe\nkernel vmlinuz\nboot\n", "/vmlinuz": "k"},
			want:  []string{"kernel /vmlinuz", "script /linux.ipxe", "script /tools.ipxe FAIL"}},
		"value-not-label.ipxe": {client: firmware.ClientIPXE, files: map[string]string{"/os-13/vmlinuz": "k"},
			want: []string{"kernel /os-12/vmlinuz FAIL", "kernel /os-13/vmlinuz"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/scripts", name))
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"/" + name: string(text)}
			for path, content := range c.files {
				files[path] = content
			}
			server := site(t, files)
			steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{c.client},
				offerOf(c.client, server.URL+"/"+name))
			var got []string
			failed := false
			for _, s := range steps[2:] {
				line := s.Stage + " " + strings.TrimPrefix(s.What, server.URL)
				switch {
				case !s.OK:
					line, failed = line+" FAIL", true
				case s.Optional:
					line += " optional"
				case s.Text != "":
					line += " " + s.Text
				}
				got = append(got, line)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q\n%+v", got, c.want, steps)
			}
			if Complete(steps) == failed {
				t.Errorf("complete %v, failed %v", Complete(steps), failed)
			}
		})
	}
}

// A program may follow chain; the NBP itself may not.
func TestChainOfTheNBPIsALoop(t *testing.T) {
	server := site(t, map[string]string{
		"/ipxe.efi": program(efi.X64), "/other.efi": program(efi.X64),
		"/a.ipxe": "#!ipxe\nchain other.efi || goto again\nexit\n:again\nchain ipxe.efi\n",
	})
	offers := []firmware.Offer{
		{Client: firmware.ClientHTTP64, Server: home, File: server.URL + "/ipxe.efi"},
		{Client: firmware.ClientIPXE, Server: home, File: server.URL + "/a.ipxe"},
	}
	steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientHTTP64}, offers)
	last := steps[len(steps)-1]
	if len(steps) != 5 || !steps[3].OK || last.OK || last.What != server.URL+"/ipxe.efi" ||
		!strings.Contains(last.Text, "chainload loop") {
		t.Errorf("%+v", steps)
	}
}

// What depends on the machine is counted and said, and does not fail.
func TestWhatCannotBeKnownIsSaid(t *testing.T) {
	server := site(t, map[string]string{"/a.ipxe": "#!ipxe\nchain /hosts/${serial}.ipxe ||\nkernel /${asset}/vmlinuz " +
		"||\nchain /here?mac=${net0/mac} ||\nexit\n"})
	steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	last := steps[len(steps)-1]
	if !Complete(steps) || len(steps) != 3 || last.Text != "2 URLs depend on settings of the machine: asset, serial" {
		t.Errorf("%+v", steps)
	}
}

// Scripts within scripts are followed, each with what the machine is.
func TestScriptsAreFollowedForEachKindOfMachine(t *testing.T) {
	server := site(t, map[string]string{
		"/a.ipxe":             "#!ipxe\nchain sub/b.ipxe\n",
		"/sub/b.ipxe":         "#!ipxe\niseq ${platform} efi && chain efi.ipxe || chain bios.ipxe\n",
		"/sub/efi.ipxe":       "#!ipxe\nkernel vmlinuz-${buildarch}\nboot\n",
		"/sub/bios.ipxe":      "#!ipxe\nkernel vmlinuz-${buildarch}\nboot\n",
		"/sub/vmlinuz-x86_64": "k", "/sub/vmlinuz-i386": "k", "/ipxe.efi": program(efi.X64),
	})
	offers := append(offerOf(firmware.ClientHTTP64, server.URL+"/ipxe.efi"),
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe")...)
	all := []firmware.Client{firmware.ClientIPXE, firmware.ClientHTTP64}
	for _, clients := range [][]firmware.Client{all[:1], all[1:], all} {
		kernels := map[firmware.Client]string{}
		steps := Walk(t.Context(), Config{NextServer: home}, clients, offers)
		for _, s := range steps {
			if s.Stage == "kernel" && s.OK {
				kernels[s.Client] += strings.TrimPrefix(s.What, server.URL)
			}
		}
		want := map[firmware.Client]string{}
		for _, c := range clients {
			want[c] = map[firmware.Client]string{firmware.ClientIPXE: "/sub/vmlinuz-i386",
				firmware.ClientHTTP64: "/sub/vmlinuz-x86_64"}[c]
		}
		if !maps.Equal(kernels, want) {
			t.Errorf("%v: %q\n%+v", clients, kernels, steps)
		}
	}
}

// A host that does not answer is asked as many times as there are requests side by side, and not for every file.
func TestADeadHostIsAskedOnce(t *testing.T) {
	var asked atomic.Int32
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1); <-release })}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { close(release); server.Close(); <-done })
	alive := site(t, map[string]string{"/a": "a"})
	f := newFetcher(Config{NextServer: home})
	f.client.Timeout = 200 * time.Millisecond
	var wg sync.WaitGroup
	var later atomic.Int32
	for range 40 {
		wg.Go(func() {
			_, err := f.size(t.Context(), asIPXE, "http://"+listener.Addr().String()+"/x")
			if err == nil {
				t.Error("no error")
			} else if strings.Contains(err.Error(), "did not answer before") {
				later.Add(1)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n > perHost || later.Load() != 40-perHost {
		t.Errorf("asked %d times, %d were not asked", n, later.Load())
	}
	if size, err := f.size(t.Context(), asIPXE, alive.URL+"/a"); err != nil || size != 1 {
		t.Errorf("another host: %d, %v", size, err)
	}
}

// A script of 40 files on a host that does not answer: each is a step, and the host is asked as often as there are
// requests side by side.
func TestFilesOnADeadHost(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1); <-release }))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(release) })
	text := "#!ipxe\n"
	for i := range 40 {
		text += fmt.Sprintf("imgfetch %s/%d || goto next%d\n:next%d\n", dead.URL, i, i, i)
	}
	base, err := url.Parse(dead.URL + "/menu.ipxe")
	if err != nil {
		t.Fatal(err)
	}
	config := Config{NextServer: home}
	w := &walker{Config: config, ctx: t.Context(), http: newFetcher(config), seen: map[string]Step{},
		followed: map[string]bool{}, loaded: map[string]chained{}, found: map[script.Finding]bool{}}
	w.http.client.Timeout = 200 * time.Millisecond
	w.follow(firmware.ClientIPXE, machineOf(firmware.ClientIPXE, home), []byte(text), base, nbp{})
	if n := asked.Load(); n > perHost || len(w.steps) != 40 {
		t.Errorf("asked %d times for %d steps", n, len(w.steps))
	}
	for _, s := range w.steps {
		if !strings.Contains(s.Text, "did not answer before") && !strings.Contains(s.Text, "Timeout") {
			t.Errorf("%+v", s)
		}
	}
}
