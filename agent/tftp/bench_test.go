package tftp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"pxeagent/agent/boot"
)

// pull takes n blocks after a block, and acknowledges each window. It does not allocate.
func pull(tb testing.TB, conn *net.UDPConn, after, n, window int) {
	var b [2000]byte
	ack := []byte{0, opACK, 0, 0}
	unacked := 0
	for got := 0; got < n; {
		_, from, err := conn.ReadFromUDPAddrPort(b[:])
		if err != nil {
			tb.Fatal(err)
		}
		switch {
		case b[1] == opOACK:
		case b[1] != opDATA:
			tb.Fatalf("got %q", b[:100])
		case int(b[2])<<8+int(b[3]) == (after+got+1)&0xffff:
			got++
			if unacked++; unacked < window && got < n {
				continue
			}
		default:
			continue // once more
		}
		unacked = 0
		ack[2], ack[3] = byte((after+got)>>8), byte(after+got)
		if _, err := conn.WriteToUDPAddrPort(ack, from); err != nil {
			tb.Fatal(err)
		}
	}
}

func pulling(tb testing.TB, s *running, options string) *net.UDPConn {
	tb.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		tb.Fatal(err)
	}
	if _, err := conn.WriteToUDPAddrPort(rrq("f", "octet", options), s.addr); err != nil {
		tb.Fatal(err)
	}
	return conn
}

// endless is a file that costs nothing to read.
type endless struct{}

func (endless) ReadAt(b []byte, _ int64) (int, error) { return len(b), nil }

// Blocks are sent and acknowledged without allocating, whichever socket they go by, in windows or not.
func TestNoAllocationPerPacket(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	const blocks = 20_000
	for _, window := range []int{1, 16} {
		options := fmt.Sprintf("blksize=1024 windowsize=%d", window)
		bothWays(t, func(t *testing.T, cfg Config) {
			cfg.Opener = shelf{"f": &File{ReaderAt: endless{}, Size: 1 << 40, Artifact: boot.Other}}
			s := serving(t, cfg)
			conn := pulling(t, s, options)
			pull(t, conn, 0, 64, window) // settles pools
			after := 64
			allocs := testing.AllocsPerRun(1, func() { pull(t, conn, after, blocks, window); after += blocks })
			// A chunk, which is 16 blocks of a file that no other transfer reads, is read by a goroutine of its own.
			if per := allocs / blocks; per > 0.15 {
				t.Errorf("%s: %.3f allocations per block", options, per)
			}
		})
	}
}

func BenchmarkBlocks(b *testing.B) {
	for _, single := range []bool{false, true} {
		for _, window := range []int{1, 4, 16, 64} {
			b.Run(fmt.Sprintf("single=%v/window=%d", single, window), func(b *testing.B) {
				s := serving(b, Config{Opener: shelf{"f": &File{ReaderAt: endless{}, Size: 1 << 40}}, SinglePort: single})
				conn := pulling(b, s, fmt.Sprintf("blksize=1432 windowsize=%d", window))
				b.ReportAllocs()
				b.SetBytes(1432)
				b.ResetTimer()
				pull(b, conn, 0, b.N, window)
			})
		}
	}
}

func BenchmarkTransfers(b *testing.B) {
	nbp := pattern(93955)
	for _, single := range []bool{false, true} {
		b.Run(fmt.Sprintf("single=%v", single), func(b *testing.B) {
			s := serving(
				b,
				Config{Opener: shelf{"f": &File{ReaderAt: bytes.NewReader(nbp), Size: int64(len(nbp))}}, SinglePort: single},
			)
			b.ReportAllocs()
			b.SetBytes(int64(len(nbp)))
			for b.Loop() {
				conn := pulling(b, s, "blksize=1432 tsize=0")
				pull(b, conn, 0, 66, 1)
				conn.Close()
			}
		})
	}
}
