package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/dhcp"
	"pxeagent/agent/efi"
	"pxeagent/agent/firmware"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/tftp"
)

// program is an EFI program for a machine, of which the headers are all that there is.
func program(machine efi.Machine) string { return portable(machine, 10) }

// portable is a PE file.
func portable(machine efi.Machine, subsystem uint16) string {
	b := make([]byte, 2*efi.HeadLength)
	copy(b, "MZ")
	b[60] = 128
	copy(b[128:], "PE\x00\x00")
	binary.LittleEndian.PutUint16(b[132:], uint16(machine))
	binary.LittleEndian.PutUint16(b[128+24:], 0x20b)
	binary.LittleEndian.PutUint16(b[128+24+68:], subsystem)
	return string(b)
}

// realNBP is a built-in NBP.
func realNBP(t *testing.T, name string) string {
	t.Helper()
	all, err := ipxe.Binaries(ipxe.ChainOff, ipxe.Destination{})
	if err != nil {
		t.Fatal(err)
	}
	return string(all[name])
}

// shelf serves files by TFTP, and notes which kind of client each request comes from.
type shelf struct {
	files map[string]string

	mu    sync.Mutex
	asked map[string]boot.Class
}

func (s *shelf) Open(a boot.Ask) (*tftp.File, error) {
	s.mu.Lock()
	if s.asked[a.Name] == "" {
		s.asked[a.Name] = a.Class
	}
	s.mu.Unlock()
	text, there := s.files[a.Name]
	if !there {
		return nil, fs.ErrNotExist
	}
	return &tftp.File{ReaderAt: strings.NewReader(text), Size: int64(len(text)), Artifact: boot.NBP}, nil
}

// class is which kind of client asked for a file first; "": none.
func (s *shelf) class(name string) boot.Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// serveTFTP serves files by TFTP on loopback.
func serveTFTP(t *testing.T, files map[string]string) (*shelf, Config) {
	t.Helper()
	at, err := tftp.Listen(netip.AddrPortFrom(home, 0))
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{files: files, asked: map[string]boot.Class{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tftp.New(tftp.Config{Opener: s}).Serve(ctx, at) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, Config{TFTPPort: at.Addrs()[0].Port(), NextServer: home}
}

// What firmware is sent must be a program that it can run: this is read from the file, whatever its name.
func TestFilesOfTheWrongKind(t *testing.T) {
	undionly, x64, arm64 := realNBP(t, ipxe.Undionly), realNBP(t, ipxe.EFI64), realNBP(t, ipxe.EFIARM64)
	for name, c := range map[string]struct {
		client firmware.Client
		file   string
		want   string // in the step's text; "": the firmware can run it
	}{
		"BIOS, its own":           {firmware.ClientBIOS, undionly, ""},
		"BIOS, what nobody knows": {firmware.ClientBIOS, "\xfa\xfc an NBP", ""},
		"BIOS, an EFI program":    {firmware.ClientBIOS, x64, "an EFI program (x64), which BIOS firmware cannot run"},
		"BIOS, a script": {firmware.ClientBIOS, "#!ipxe\nshell\n",
			"a script, where firmware needs a program"},
		"UEFI x64, its own":          {firmware.ClientEFI64, x64, ""},
		"UEFI x64 by another number": {firmware.ClientEFIBC, x64, ""},
		"UEFI x64, BIOS's": {firmware.ClientEFI64, undionly,
			"not an EFI program (a PE file), and UEFI runs no other"},
		"UEFI x64, that for ARM64": {firmware.ClientEFI64, arm64, "an EFI program for ARM64, and the firmware is x64"},
		"UEFI IA32, that for x64":  {firmware.ClientEFI32, x64, "an EFI program for x64, and the firmware is IA32"},
		"UEFI IA32, its own":       {firmware.ClientEFI32, program(efi.IA32), ""},
		"UEFI ARM64, its own":      {firmware.ClientARM64, arm64, ""},
		"UEFI ARM64, that for x64": {firmware.ClientARM64, x64, "an EFI program for x64, and the firmware is ARM64"},
		"UEFI x64, byte code":      {firmware.ClientEFI64, program(efi.EBC), ""},
		"UEFI x64, a program of Windows": {firmware.ClientEFI64, portable(efi.X64, 3),
			"for another system than EFI (subsystem 3)"},
		"UEFI x64, an error page": {firmware.ClientEFI64, "<html>not found</html>", "not an EFI program"},
		"UEFI x64, two bytes":     {firmware.ClientEFI64, "MZ", "not an EFI program"},
	} {
		t.Run(name, func(t *testing.T) {
			_, config := serveTFTP(t, map[string]string{"boot": c.file})
			steps := Walk(t.Context(), config, []firmware.Client{c.client}, offerOf(c.client, "boot"))
			step := steps[1]
			if step.Stage != "nbp" || step.OK != (c.want == "") || !strings.Contains(step.Text, c.want) {
				t.Errorf("%+v, want %q", step, c.want)
			}
			if step.OK && step.Bytes != int64(len(c.file)) || !step.OK && len(steps) > 2 {
				t.Errorf("%d bytes, %d steps", step.Bytes, len(steps))
			}
			want := dhcp.Boot{NextServer: home}
			want.NBP[c.client.Arch()] = "boot"
			err := Serving(t.Context(), config, want, nil)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("before it is written: %v, want %q", err, c.want)
			}
		})
	}
}

// Both architectures may be sent one name, and only one can run what is behind it.
func TestOneNameForAll(t *testing.T) {
	_, config := serveTFTP(t, map[string]string{"boot": realNBP(t, ipxe.EFI64)})
	clients := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientEFIBC}
	var offers []firmware.Offer
	for _, c := range clients {
		offers = append(offers, offerOf(c, "boot")...)
	}
	got := map[firmware.Client]bool{}
	for _, s := range Walk(t.Context(), config, clients, offers) {
		if s.Stage == "nbp" {
			got[s.Client] = s.OK
		}
	}
	want := map[firmware.Client]bool{firmware.ClientBIOS: false, firmware.ClientEFI64: true, firmware.ClientEFIBC: true}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// UEFI HTTP boot goes by the type or the name's end, and follows no redirect.
func TestNBPByHTTP(t *testing.T) {
	x64 := realNBP(t, ipxe.EFI64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ipxe.efi", "/IPXE.EFI":
			_, _ = w.Write([]byte(x64))
		case "/typed":
			w.Header().Set("Content-Type", "application/efi")
			_, _ = w.Write([]byte(x64))
		case "/other.efi":
			_, _ = w.Write([]byte(realNBP(t, ipxe.EFIARM64)))
		case "/disk.iso", "/untyped":
			_, _ = w.Write([]byte("a disk"))
		case "/moved.efi":
			http.Redirect(w, r, "/ipxe.efi", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	for path, want := range map[string]string{
		"/ipxe.efi": "", "/ipxe.efi?a=b": "", "/IPXE.EFI": "", "/typed": "", "/disk.iso": "",
		"/other.efi": "an EFI program for ARM64, and the firmware is x64",
		"/untyped":   "names that end in .efi, .iso or .img",
		"/moved.efi": "redirect",
		"/gone.efi":  "404",
	} {
		steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientHTTP64},
			offerOf(firmware.ClientHTTP64, server.URL+path))
		if step := steps[1]; step.Stage != "nbp" || step.OK != (want == "") || !strings.Contains(step.Text, want) {
			t.Errorf("%s: %+v, want %q", path, step, want)
		}
	}
}

// A server that gives each firmware what it can run goes by how it is asked.
func TestNBPIsAskedForAsByTheFirmware(t *testing.T) {
	shelf, config := serveTFTP(t, map[string]string{
		"bios": realNBP(t, ipxe.Undionly), "efi64": realNBP(t, ipxe.EFI64), "arm64": realNBP(t, ipxe.EFIARM64),
	})
	for _, c := range []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientARM64} {
		steps := Walk(t.Context(), config, []firmware.Client{c}, offerOf(c, c.String()))
		want := boot.UEFI
		if c == firmware.ClientBIOS {
			want = boot.BIOSROM
		}
		if got := shelf.class(c.String()); !steps[1].OK || got != want {
			t.Errorf("%s: asked as %q, want %q: %+v", c, got, want, steps)
		}
	}
}

// iPXE asks DHCP again, as what it runs on: where the server tells platforms apart, each goes its own way.
func TestIPXEAsksAgainOnItsPlatform(t *testing.T) {
	server := site(t, map[string]string{
		"/ipxe.efi":  program(efi.X64),
		"/bios.ipxe": "#!ipxe\nkernel bios\nboot\n", "/efi.ipxe": "#!ipxe\nkernel ${next-server}/efi\nboot\n",
		"/bios": "k", "/127.0.0.1/efi": "k",
	})
	offers := offerOf(firmware.ClientHTTP64, server.URL+"/ipxe.efi")
	offers = append(offers, offerOf(firmware.ClientIPXE, server.URL+"/bios.ipxe")...)
	kernels := func(offers []firmware.Offer) (got []string) {
		steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientHTTP64}, offers)
		for _, s := range steps {
			if s.Stage == "kernel" {
				got = append(got, strings.TrimPrefix(s.What, server.URL))
			}
		}
		return got
	}
	if got := kernels(offers); !slices.Equal(got, []string{"/bios"}) {
		t.Errorf("where nobody asked as iPXE on UEFI: %q", got)
	}
	offers = append(offers, offerOf(firmware.ClientIPXE64, server.URL+"/efi.ipxe")...)
	if got := kernels(offers); !slices.Equal(got, []string{"/127.0.0.1/efi"}) {
		t.Errorf("as iPXE on UEFI: %q", got)
	}
	asking := Asking([]firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientHTTP64,
		firmware.ClientARM64, firmware.ClientIPXE})
	if want := []firmware.Client{firmware.ClientBIOS, firmware.ClientEFI64, firmware.ClientHTTP64, firmware.ClientARM64,
		firmware.ClientIPXE, firmware.ClientIPXE64, firmware.ClientIPXEARM64}; !slices.Equal(asking, want) {
		t.Errorf("asking as %v, want %v", asking, want)
	}
}

// Files that a script names by tftp:// are asked for by TFTP, as iPXE asks, and scripts among them are followed.
func TestScriptsNameFilesByTFTP(t *testing.T) {
	shelf, config := serveTFTP(t, map[string]string{
		"sub/more.ipxe": "#!ipxe\nkernel vmlinuz\ninitrd gone\nboot\n", "sub/vmlinuz": "kernel", "/abs": "i",
		"tool.0": "\xfa a program",
	})
	server := site(t, map[string]string{"/a.ipxe": "#!ipxe\nchain tftp://${next-server}/tool.0 ||\n" +
		"imgfetch tftp://127.0.0.1//abs || goto e\nchain tftp://127.0.0.1/sub/more.ipxe\n:e\n"})
	steps := Walk(t.Context(), config, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	got := map[string]string{}
	for _, s := range steps[2:] {
		got[strings.TrimPrefix(s.What, "tftp://127.0.0.1")] = fmt.Sprintf("%s %v %d", s.Stage, s.OK, s.Bytes)
	}
	want := map[string]string{
		"/tool.0": "script true 11", "//abs": "image true 1", "/sub/more.ipxe": "script true 39",
		"/sub/vmlinuz": "kernel true 6", "/sub/gone": "image false -1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v\n%+v", got, want, steps)
	}
	for _, name := range []string{"tool.0", "/abs", "sub/more.ipxe", "sub/vmlinuz", "sub/gone"} {
		if class := shelf.class(name); class != boot.IPXE {
			t.Errorf("%s was asked for as %q", name, class)
		}
	}
}

// Who does not answer by TFTP is asked for one file, and the rest are not waited for.
func TestASilentTFTPServerIsAskedOnce(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := "#!ipxe\n"
	for i := range 12 {
		text += fmt.Sprintf("imgfetch tftp://%s/%d ||\n", conn.LocalAddr(), i)
	}
	server := site(t, map[string]string{"/a.ipxe": text})
	steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	later := 0
	for _, s := range steps[2:] {
		if strings.Contains(s.Text, "did not answer before") {
			later++
		} else if !strings.Contains(s.Text, "no answer in") {
			t.Errorf("%+v", s)
		}
	}
	if len(steps) != 14 || later != 12-perHost {
		t.Errorf("%d steps, %d were not asked for", len(steps), later)
	}
}

// An address that means something else on each machine is not asked by TFTP either.
func TestScriptsDoNotLeadToLocalAddressesByTFTP(t *testing.T) {
	server := site(t, map[string]string{"/a.ipxe": "#!ipxe\nimgfetch tftp://127.0.0.2/x\nimgfetch tftp://169.254.1.1/x " +
		"||\n"})
	steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientIPXE},
		offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
	for _, s := range steps[2:] {
		if !strings.Contains(s.Text, errLocal.Error()) {
			t.Errorf("%+v", s)
		}
	}
	if len(steps) != 4 {
		t.Errorf("%+v", steps)
	}
}

// What the interpreter finds wrong in a script is a step that fails; what is only doubtful is said.
func TestWhatIsWrongInAScriptIsAStep(t *testing.T) {
	for text, want := range map[string]string{
		"#!ipxe\nchian /x.ipxe\n":                         `FAIL line 2: unknown command "chian", did you mean chain?`,
		"#!ipxe\ngoto nowhere\n":                          "FAIL line 2: ",
		"#!ipxe\nchian /x.ipxe ||\n":                      `ok line 2: unknown command "chian", did you mean chain?`,
		"#!ipxe\nkernel --nmae x /k || goto e\n:e\n":      "FAIL line 2: ",
		"#!ipxe\nchain /sub.ipxe\n":                       "FAIL line 3: ",
		"#!ipxe\nexit\necho never\n":                      "",
		"#!ipxe\nshell\n":                                 "",
		"#!ipxe\niseq ${platform} efi && chian x ||\n":    "",
		"#!ipxe\niseq ${platform} pcbios && chian x ||\n": `ok line 2: unknown command "chian", did you mean chain?`,
	} {
		server := site(t, map[string]string{"/a.ipxe": text, "/sub.ipxe": "#!ipxe\n\ngoto gone\n"})
		steps := Walk(t.Context(), Config{NextServer: home}, []firmware.Client{firmware.ClientIPXE},
			offerOf(firmware.ClientIPXE, server.URL+"/a.ipxe"))
		got := ""
		for _, s := range steps[2:] {
			if strings.HasPrefix(s.Text, "line ") {
				got += map[bool]string{true: "ok ", false: "FAIL "}[s.OK] + s.Text
			}
		}
		if want == "" && got != "" || !strings.HasPrefix(got, want) || Complete(steps) == strings.HasPrefix(want, "FAIL") {
			t.Errorf("%q: got %q, want %q\n%+v", text, got, want, steps)
		}
	}
}

// The reason and what is doubtful are told of right answers as well.
func TestOffersHaveTheirReason(t *testing.T) {
	_, config := serveTFTP(t, map[string]string{"boot": realNBP(t, ipxe.Undionly)})
	offers := offerOf(firmware.ClientBIOS, "boot")
	offers = append(offers, firmware.Offer{Client: firmware.ClientBIOS, Server: netip.MustParseAddr("10.0.0.9")})
	step := Walk(t.Context(), config, []firmware.Client{firmware.ClientBIOS}, offers)[0]
	const reason = `127.0.0.1 names "boot" at 127.0.0.1`
	const doubt = "10.0.0.9 also leases addresses and names no boot file: some ROMs take the first offer"
	if !step.OK || step.Reason != reason || step.Doubt != doubt || step.Text != reason+"; "+doubt {
		t.Errorf("%+v", step)
	}
	step = Walk(t.Context(), config, []firmware.Client{firmware.ClientBIOS}, offers[1:])[0]
	if step.OK || step.Reason != "10.0.0.9 names no boot file" || step.Text != step.Reason+" (PXE-E53)" {
		t.Errorf("%+v", step)
	}
}
