package tftp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// windowed asks for f in windows of 4 blocks of 8 bytes and acknowledges the OACK.
func windowed(t *testing.T, s *running) *client {
	t.Helper()
	c := dialing(t, s.addr)
	c.ask("f", "blksize=8 windowsize=4")
	c.oack("blksize=8 windowsize=4")
	c.ack(0)
	return c
}

func (c *client) run(from, to int) {
	c.t.Helper()
	for b := from; b <= to; b++ {
		c.data(b)
	}
}

func TestWindow(t *testing.T) {
	for name, f := range map[string]func(t *testing.T, s *running, c *client){
		"in order": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.ack(4)
			c.run(5, 8)
			c.ack(8)
			c.run(9, 10) // the last has 3 bytes
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Bytes != 75 || tr.Resent != 0 {
				t.Errorf("%+v", tr)
			}
		},
		"block lost in mid-window": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.ack(2) // 3 was lost
			c.run(3, 6)
			c.ack(6)
			c.run(7, 10)
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Bytes != 75 || tr.Resent != 2 {
				t.Errorf("%+v", tr)
			}
		},
		"an ACK for each block out of order brings one flight": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.ack(1)
			c.ack(1)
			c.ack(1)
			c.run(2, 5)
			c.ack(5)
			c.run(6, 9)
			c.ack(9)
			c.data(10)
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Resent != 3 {
				t.Errorf("%+v", tr)
			}
		},
		"first block of a window lost": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.ack(4)
			c.run(5, 8)
			c.ack(4)
			c.ack(4)
			c.run(5, 8)
			c.ack(8)
			c.run(9, 10)
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Resent != 4 {
				t.Errorf("%+v", tr)
			}
		},
		"whole window lost": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.data(4) // no more than the block that draws an ACK, whatever arrived
			c.ack(0)
			c.run(1, 4)
			c.ack(4)
			c.run(5, 8)
			c.ack(8)
			c.run(9, 10)
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Resent != 5 {
				t.Errorf("%+v", tr)
			}
		},
		"last ACK in mid-window": func(t *testing.T, s *running, c *client) {
			c.run(1, 4)
			c.ack(4)
			c.run(5, 8)
			c.ack(8)
			c.run(9, 10)
			c.ack(9)
			c.data(10)
			c.ack(10)
			if tr := s.record.wait(t, boot.OK); tr.Resent != 1 {
				t.Errorf("%+v", tr)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, cfg Config) {
				cfg.Opener = shelf{"f": file(pattern(75))}
				s := serving(t, cfg)
				f(t, s, windowed(t, s))
			})
		})
	}
}

func TestWindowsOfALargeFile(t *testing.T) {
	want := pattern(3<<20 + 77)
	bothWays(t, func(t *testing.T, cfg Config) {
		cfg.Opener = shelf{"f": file(want)}
		s := serving(t, cfg)
		got, err := byHand(65464, 4)(t, s.addr, "f")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(want), err)
		}
		s.record.wait(t, boot.OK)
	})
}

// byHand fetches in windows and tells at once of a block that is missing, as RFC 7440 has it.
func byHand(blksize, window int) func(*testing.T, netip.AddrPort, string) ([]byte, error) {
	return func(t *testing.T, server netip.AddrPort, name string) ([]byte, error) {
		c := dialing(t, server)
		var all []byte
		block, unacked := 0, 0
		options := fmt.Sprintf("blksize=%d windowsize=%d", blksize, window)
		for c.ask(name, options); ; {
			b := c.receive(time.Second)
			switch {
			case b == nil && block == 0:
				c.ask(name, options)
			case b == nil:
				c.ack(block)
			case b[1] == opOACK && block == 0:
				if !strings.Contains(string(b), fmt.Sprintf("\x00windowsize\x00%d\x00", window)) {
					return nil, fmt.Errorf("got %q", b)
				}
				c.ack(0)
			case b[1] == opERROR:
				return nil, fmt.Errorf("got %q", b)
			case b[1] == opDATA && int(b[2])<<8+int(b[3]) == block+1:
				all = append(all, b[4:]...)
				block++
				if unacked++; unacked == window || len(b) < 4+blksize {
					unacked = 0
					c.ack(block)
				}
				if len(b) < 4+blksize {
					return all, nil
				}
			case b[1] == opDATA:
				unacked = 0
				c.ack(block)
			}
		}
	}
}

// UEFI answers each block that it did not wait for with an ACK of the last one that it has. A flight that was sent
// twice, because the client was slow, must not have each one after it sent twice.
func TestOneSlowAnswerDoublesNoWindow(t *testing.T) {
	bothWays(t, func(t *testing.T, cfg Config) {
		const blocks = 400
		cfg.Opener = shelf{"f": file(pattern(8*blocks - 1))}
		s := serving(t, cfg)
		c := windowed(t, s)
		c.run(1, 4)
		c.data(4) // too slow
		c.ack(4)
		for range 4 {
			c.ack(4)
		}
		for have := 4; have < blocks; {
			b := c.receive(limit)
			if len(b) < 4 || b[1] != opDATA {
				t.Fatalf("%q after block %d", b, have)
			}
			if got := int(b[2])<<8 | int(b[3]); got != have+1 {
				c.ack(have)
			} else if have++; have%4 == 0 {
				c.ack(have)
			}
		}
		if tr := s.record.wait(t, boot.OK); tr.Resent > blocks/4 {
			t.Errorf("%d of %d packets sent again", tr.Resent, blocks)
		}
	})
}
