package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/files"
	"pxeagent/deploy/lab"
)

// narrow connects with a receive buffer of so many bytes, and sends a request. What is not read is soon not
// acknowledged either.
func (s *site) narrow(buffer int, request string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(buffer); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestStalledClient(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	// sendfile, and what is in memory
	for _, path := range []string{"/big.iso", "/ipxe.efi", "/ipxe.efi\r\nRange: bytes=0-500000,1-500000"} {
		s := newSiteStalling(t, stall, nil)
		s.put("http/big.iso", make([]byte, 64<<20))
		path, header, _ := strings.Cut(path, "\r\n")
		if header != "" {
			header += "\r\n"
		}
		repeat := 1
		if path != "/big.iso" {
			repeat = 10 // which is more than the socket's buffers have room for
		}
		s.narrow(
			4<<10,
			strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\nUser-Agent: UefiHttpBoot/1.0\r\n"+header+"\r\n", repeat),
		)
		for { // nothing is read
			tr := s.next(t)
			if tr.Outcome == boot.OK {
				continue
			}
			if tr.Outcome != boot.TimedOut || !errors.Is(tr.Err, os.ErrDeadlineExceeded) || tr.Took < stall {
				t.Errorf("%s: observed %+v", path, tr)
			}
			break
		}
	}
}

// A client that takes a little each time is slower than any limit for a piece, and still gets it all, byte by byte: of
// a file that the kernel copies, and of what is in memory.
func TestSlowClientIsNotStalled(t *testing.T) {
	t.Parallel()
	const stall, size, piece = 1500 * time.Millisecond, 10 << 20, 512 << 10
	data := random(size)
	for name, open := range map[string]openFunc{"file": nil, "memory": inMemory(data)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSiteStalling(t, stall, func(c *Config) {
				if open != nil {
					c.Files = open
				}
			})
			s.put("http/big.iso", data)
			r := s.narrow(512<<10, "GET /big.iso HTTP/1.0\r\n\r\n")
			tick := time.NewTicker(stall / 5)
			defer tick.Stop()
			var got bytes.Buffer
			for {
				<-tick.C // the pace of a slow network
				_, err := io.CopyN(&got, r, piece)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("cut off at %d bytes: %v", got.Len(), err)
				}
			}
			if _, body, _ := bytes.Cut(got.Bytes(), []byte("\r\n\r\n")); !bytes.Equal(body, data) {
				t.Errorf("%d bytes came, not the %d that were served", len(body), size)
			}
			if tr := s.next(t); tr.Outcome != boot.OK || tr.Bytes != size || tr.Took < 2*stall {
				t.Errorf("observed %+v", tr)
			}
		})
	}
}

// The kernel says that it was asked to copy.
func TestSendfile(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		lab.Missing(t, "strace")
	}
	if dir := os.Getenv("PXEAGENT_TEST_SENDFILE"); dir != "" {
		s := newSite(t, nil)
		s.put("http/big.iso", make([]byte, 8<<20))
		if _, body := s.do("GET", "/big.iso"); len(body) != 8<<20 {
			t.Errorf("%d bytes came", len(body))
		}
		return
	}
	out := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, "-f", "-e", "trace=sendfile", "-o", out, os.Args[0], "-test.run=^TestSendfile$")
	cmd.Env = append(os.Environ(), "PXEAGENT_TEST_SENDFILE=1")
	if b, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(b), "ptrace") {
			lab.Missing(t, "the right to trace")
		}
		t.Fatalf("%v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, m := range regexp.MustCompile(`sendfile.*= (\d+)\n`).FindAllStringSubmatch(string(b), -1) {
		n := 0
		if _, err := fmt.Sscan(m[1], &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if want := 8<<20 - tail - 512; sum != want { // net/http reads the first 512 bytes itself
		t.Errorf("%d bytes were copied by the kernel, want %d:\n%s", sum, want, b)
	}
}

// inMemory has one file.
func inMemory(data []byte) openFunc {
	return func(*boot.Ask) (*files.File, error) {
		return &files.File{Size: int64(len(data)), Artifact: boot.Image, Content: bytes.NewReader(data)}, nil
	}
}
