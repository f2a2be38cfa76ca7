package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// hall is a server with few connections.
type hall struct {
	t       *testing.T
	addr    string
	refused chan struct{}
	enter   chan struct{} // an element for each request to /wait that has come
	leave   chan struct{} // lets one of them be answered
	opened  chan netip.Addr
}

func newHall(t *testing.T, total, perAddress int) *hall {
	t.Helper()
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{
		t, tcp.Addr().String(), make(chan struct{}, 100), make(chan struct{}, 100), make(chan struct{}),
		make(chan netip.Addr, 100),
	}
	ln := Limit(tcp, Limits{
		Total: total, PerAddress: perAddress, Opened: func(a netip.Addr) { h.opened <- a },
		Refused: func() { h.refused <- struct{}{} },
	})
	srv := Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			h.enter <- struct{}{}
			<-h.leave
		}
		fmt.Fprint(w, "ok")
	}))
	srv.ConnState = ln.State
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("serving: %v", err)
		}
		// Connections end in goroutines of their own.
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			ln.mu.Lock()
			addresses, open := len(ln.from), len(ln.conns)
			ln.mu.Unlock()
			if addresses+len(ln.room)+open == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("left behind: %d addresses, %d connections, %d counted", addresses, open, len(ln.room))
				break
			}
		}
	})
	return h
}

// from connects from an address of loopback and sends a request.
func (h *hall) from(address, path string) net.Conn {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp4", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func answer(c net.Conn) (int, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestConnectionsOfOneAddress(t *testing.T) {
	h := newHall(t, 10, 2)
	waiting := []net.Conn{h.from("127.0.0.2", "/wait"), h.from("127.0.0.2", "/wait")}
	<-h.enter
	<-h.enter
	third := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	if c, err := third.Dial("tcp4", h.addr); err == nil { // it may be over before Dial knows that it began
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a third connection was not closed: %d, %v", n, err)
		}
		c.Close()
	}
	<-h.refused
	if status, err := answer(h.from("127.0.0.3", "/")); status != 200 {
		t.Errorf("another address: %d, %v", status, err)
	}
	for _, want := range []byte{2, 2, 3} {
		if got := <-h.opened; got != netip.AddrFrom4([4]byte{127, 0, 0, want}) {
			t.Errorf("a connection of %v was opened, want 127.0.0.%d", got, want)
		}
	}
	for range waiting {
		h.leave <- struct{}{}
	}
	for _, c := range waiting {
		if status, err := answer(c); status != 200 {
			t.Errorf("one of two: %d, %v", status, err)
		}
		c.Close()
	}
	if len(h.refused) != 0 {
		t.Error("others were refused as well")
	}
}

// Beyond the total limit nobody is refused: a new client is answered when another has gone.
func TestConnectionsInAllWait(t *testing.T) {
	h := newHall(t, 3, 3)
	for i := range 3 {
		h.from(fmt.Sprintf("127.0.0.%d", i+2), "/wait")
		<-h.enter
	}
	var all sync.WaitGroup
	for i := range 5 {
		c := h.from(fmt.Sprintf("127.0.1.%d", i+2), "/")
		all.Go(func() {
			if status, err := answer(c); status != 200 {
				t.Errorf("who waited: %d, %v", status, err)
			}
		})
	}
	for range 3 {
		h.leave <- struct{}{}
	}
	all.Wait()
	if len(h.refused) != 0 {
		t.Error("some were refused")
	}
}

// A connection without a request under way does not keep others out.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	h := newHall(t, 3, 3)
	for i := range 20 {
		if status, err := answer(h.from(fmt.Sprintf("127.0.0.%d", i+2), "/")); status != 200 {
			t.Fatalf("client %d: %d, %v", i, status, err)
		}
	}
}
