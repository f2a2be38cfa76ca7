package tftp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pin "github.com/pin/tftp/v3"

	"pxeagent/agent/boot"
	"pxeagent/deploy/lab"
)

// peer fetches a file with another's client.
type peer struct {
	tool  string // what must be in PATH, "" for a library
	name  string
	fetch func(t *testing.T, server netip.AddrPort, file string) ([]byte, error)
}

// byTool runs a client in a folder, where it puts the file.
func byTool(args ...string) func(*testing.T, netip.AddrPort, string) ([]byte, error) {
	return func(t *testing.T, server netip.AddrPort, file string) ([]byte, error) {
		to := filepath.Join(t.TempDir(), "got")
		fill := strings.NewReplacer("HOST", server.Addr().String(), "PORT", fmt.Sprint(server.Port()), "FILE", file, "TO", to)
		filled := make([]string, len(args))
		for i, a := range args {
			filled[i] = fill.Replace(a)
		}
		var out []byte
		var err error
		for range 5 {
			cmd := exec.CommandContext(t.Context(), filled[0], filled[1:]...)
			cmd.WaitDelay = time.Second
			if out, err = cmd.CombinedOutput(); !bytes.Contains(out, []byte("unexpected OACK")) {
				break // atftp ends at an OACK that is sent again, as it is where a busy machine answers late
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%v: %w: %s", filled, err, out)
		}
		got, err := os.ReadFile(to)
		if err != nil {
			return nil, fmt.Errorf("%v: %w: %s", filled, err, out)
		}
		return got, nil
	}
}

func byPin(blksize int) func(*testing.T, netip.AddrPort, string) ([]byte, error) {
	return func(t *testing.T, server netip.AddrPort, file string) ([]byte, error) {
		c, err := pin.NewClient(server.String())
		if err != nil {
			return nil, err
		}
		c.SetTimeout(250 * time.Millisecond) // for its own packets: it does not answer a block that comes twice
		c.SetRetries(20)
		c.RequestTSize(true)
		if blksize > 0 {
			c.SetBlockSize(blksize)
		}
		from, err := c.Receive(file, "octet")
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		n, err := from.WriteTo(&b)
		if err != nil {
			return nil, err
		}
		// On a bad network pin/tftp may not know the size, where the OACK came late.
		if size, ok := from.(pin.IncomingTransfer).Size(); ok && size != n {
			return nil, fmt.Errorf("tsize is %d, got %d", size, n)
		}
		return b.Bytes(), nil
	}
}

var peers = []peer{
	{"curl", "curl", byTool("curl", "-sS", "-o", "TO", "tftp://HOST:PORT/FILE")},
	{"curl", "curl, blksize 1432", byTool("curl", "-sS", "--tftp-blksize", "1432", "-o", "TO", "tftp://HOST:PORT/FILE")},
	{"curl", "curl, no options", byTool("curl", "-sS", "--tftp-no-options", "-o", "TO", "tftp://HOST:PORT/FILE")},
	{"tftp", "tftp-hpa", byTool("tftp", "-m", "octet", "HOST", "PORT", "-c", "get", "FILE", "TO")},
	{"atftp", "atftp", byTool("atftp", "-g", "-r", "FILE", "-l", "TO", "HOST", "PORT")},
	{
		"atftp",
		"atftp, blksize, tsize",
		byTool("atftp", "--option", "blksize 1432", "--option", "tsize 0", "-g", "-r", "FILE", "-l", "TO", "HOST", "PORT"),
	},
	{
		"atftp",
		"atftp, windowsize 8",
		byTool(
			"atftp",
			"--option",
			"blksize 1024",
			"--option",
			"windowsize 8",
			"-g",
			"-r",
			"FILE",
			"-l",
			"TO",
			"HOST",
			"PORT",
		),
	},
	{
		"atftp",
		"atftp, windowsize 64, timeout",
		byTool("atftp", "--option", "windowsize 64", "--option", "timeout 3", "-g", "-r", "FILE", "-l", "TO", "HOST", "PORT"),
	},
	{"busybox", "busybox", byTool("busybox", "tftp", "-g", "-r", "FILE", "-l", "TO", "HOST", "PORT")},
	{
		"busybox",
		"busybox, blksize 1432",
		byTool("busybox", "tftp", "-b", "1432", "-g", "-r", "FILE", "-l", "TO", "HOST", "PORT"),
	},
	{"", "pin/tftp", byPin(0)},
	{"", "pin/tftp, blksize 1468", byPin(1468)},
	{"", "pin/tftp, blksize 65464", byPin(65464)},
}

func TestPeersFetchEveryLength(t *testing.T) {
	lengths := []int{
		0,
		1,
		511,
		512,
		513,
		5 * 1024,
		1432,
		3 * 1432,
		3*1432 + 1,
		1468 * 2,
		8 * 1024,
		64 * 512,
		65464,
		93955,
		1 << 20,
	}
	files := make(shelf)
	for _, n := range lengths {
		files[fmt.Sprint(n)] = file(pattern(n))
	}
	for _, single := range []bool{false, true} {
		s := serving(t, Config{Opener: files, SinglePort: single})
		for _, p := range peers {
			t.Run(fmt.Sprintf("single port %v/%s", single, p.name), func(t *testing.T) {
				if _, err := exec.LookPath(p.tool); p.tool != "" && err != nil {
					lab.Missing(t, p.tool)
				}
				for _, n := range lengths {
					if n == 0 && p.tool == "curl" && !strings.Contains(p.name, "no options") {
						continue // curl takes an OACK with tsize 0, which is right for an empty file, for malformed
					}
					got, err := p.fetch(t, s.addr, fmt.Sprint(n))
					if err != nil {
						t.Errorf("%d bytes: %v", n, err)
						continue
					}
					if !bytes.Equal(got, pattern(n)) {
						t.Errorf("%d bytes: got %d", n, len(got))
					}
					if tr := s.record.finished(t, fmt.Sprint(n)); tr.Bytes != int64(n) {
						t.Errorf("%d bytes: %d acknowledged", n, tr.Bytes)
					}
				}
			})
		}
	}
}

func TestPeersFetchALargeFile(t *testing.T) {
	lab.NoShort(t)
	const size = 40<<20 + 1
	want := pattern(size)
	s := serving(t, Config{Opener: shelf{"f": file(want)}})
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			if _, err := exec.LookPath(p.tool); p.tool != "" && err != nil {
				lab.Missing(t, p.tool)
			}
			got, err := p.fetch(t, s.addr, "f")
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			s.record.wait(t, boot.OK)
		})
	}
}

func TestPeersHearOfErrors(t *testing.T) {
	s := serving(t, Config{Opener: shelf{}})
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			if _, err := exec.LookPath(p.tool); p.tool != "" && err != nil {
				lab.Missing(t, p.tool)
			}
			got, err := p.fetch(t, s.addr, "nothing")
			if err == nil && len(got) > 0 {
				t.Errorf("got %q", got)
			}
			s.record.wait(t, boot.NotFound)
		})
	}
}

// tftp-hpa asks for netascii by default, and converts back.
func TestTextByTFTPHPA(t *testing.T) {
	if _, err := exec.LookPath("tftp"); err != nil {
		lab.Missing(t, "tftp")
	}
	text := strings.Repeat("#!ipxe\necho a\rb\n", 300)
	s := serving(t, Config{Opener: shelf{"f": file([]byte(text))}})
	got, err := byTool("tftp", "-m", "netascii", "HOST", "PORT", "-c", "get", "FILE", "TO")(t, s.addr, "f")
	if err != nil || string(got) != text {
		t.Errorf("got %d bytes of %d, %v", len(got), len(text), err)
	}
	s.record.wait(t, boot.OK)
}

// A bad network loses, doubles and reorders packets, and every byte arrives all the same.
func TestBadNetwork(t *testing.T) {
	want := pattern(200_000)
	bad := lab.Spoil{Drop: 0.03, Duplicate: 0.05, Reorder: 0.05, Delay: time.Millisecond}
	// The others wait for long when a packet of their own is lost, so only the server's are.
	worse := lab.Spoil{Drop: 0.05, Duplicate: 0.05, Reorder: 0.05}
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.Opener = shelf{"f": file(want)}
		for _, p := range append(peers, peer{"", "by hand, windowsize 16", byHand(1024, 16)}) {
			t.Run(p.name, func(t *testing.T) {
				s := serving(t, cfg) // one that knows nothing of how bad the network is
				if _, err := exec.LookPath(p.tool); p.tool != "" && err != nil {
					lab.Missing(t, p.tool)
				}
				up := lab.Spoil{}
				if p.name == "by hand, windowsize 16" {
					up = bad
				}
				r := lab.NewRelay(t, s.addr, up, worse, 42)
				began := time.Now()
				got, err := p.fetch(t, r.Addr(), "f")
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %d bytes, %v", p.name, len(got), err)
				}
				t.Logf(
					"%v; passed %d, dropped %d, doubled %d",
					time.Since(began),
					r.Passed.Load(),
					r.Dropped.Load(),
					r.Doubled.Load(),
				)
			})
		}
	})
}
