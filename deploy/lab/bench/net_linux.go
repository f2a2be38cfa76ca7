package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The cable: the servers' end has an address for each of them. Behind the clients' end is a network whose addresses are
// all this process's, so that each client can have one of its own.
const (
	clientEnd  = "10.98.255.254"
	clientsNet = "10.99.0.0/16"
	forgedNet  = "10.97.0.0/16" // nobody is there, and nobody says so
	serverDev  = "srv0"
	clientDev  = "cli0"
)

// serverAddr is the address of the server with that number.
func serverAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 98, 0, byte(n + 1)}) }

// clientAddr is the address of the client with that number.
func clientAddr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 99, byte(n / 250), byte(n%250 + 1)})
}

// serverNet is the network namespace of the servers: a thread that is in it, and does what it is given.
type serverNet struct{ do chan func() }

// newServerNet makes the namespace, and the cable to the one that this process is in.
func newServerNet(servers int) (*serverNet, error) {
	s := &serverNet{do: make(chan func())}
	entered := make(chan error)
	tid := 0
	go func() {
		runtime.LockOSThread() // for good: the thread never runs anything else, and processes that it starts live as long
		tid = unix.Gettid()
		entered <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range s.do {
			f()
		}
	}()
	if err := <-entered; err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	here := []string{
		"ip link set lo up",
		"ip link add " + clientDev + " type veth peer name " + serverDev + " netns " + strconv.Itoa(tid),
		"ip addr add " + clientEnd + "/16 dev " + clientDev,
		"ip link set " + clientDev + " up",
		"ip route add local " + clientsNet + " dev lo",
		"ip route add blackhole " + forgedNet,
	}
	there := []string{"ip link set lo up"}
	for n := range servers {
		there = append(there, "ip addr add "+serverAddr(n).String()+"/16 dev "+serverDev)
	}
	there = append(there, "ip link set "+serverDev+" up")
	for _, net := range []string{clientsNet, forgedNet} {
		there = append(there, "ip route add "+net+" via "+clientEnd)
	}
	if err := command(here...); err != nil {
		return nil, err
	}
	return s, s.command(there...)
}

// run calls f in the namespace.
func (s *serverNet) run(f func()) {
	done := make(chan struct{})
	s.do <- func() { f(); close(done) }
	<-done
}

func (s *serverNet) command(lines ...string) (err error) {
	s.run(func() { err = command(lines...) })
	return err
}

// command runs commands, none of which has blanks in its words.
func command(lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}

// path is what the cable does to packets.
type path struct {
	loss string // of 100 packets from the servers so many are lost; "": none
	rate string // at which the servers' end sends, as tc says it; "": as fast as it goes
	mute bool   // the clients' kernel does not say that a socket is gone, as that of a machine without power
}

// lay makes the cable so; the result makes it whole again.
func (s *serverNet) lay(p path) (whole func() error, err error) {
	var rules []string
	if p.loss != "" {
		rules = append(rules, "type filter hook input priority 0; iifname "+clientDev+
			" meta l4proto udp numgen random mod 100 < "+p.loss+" drop;")
	}
	if p.mute {
		rules = append(rules, "type filter hook output priority 0; tcp flags & rst == rst drop; "+
			"icmp type destination-unreachable drop;")
	}
	for _, rule := range rules {
		if out, err := exec.Command("nft", "table ip bench { chain c { "+rule+" }; }").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("nft %s: %w: %s", rule, err, out)
		}
	}
	if p.rate != "" {
		shape := "tc qdisc add dev " + serverDev + " root tbf rate " + p.rate + " burst 3200 limit 262144"
		if err := s.command(shape); err != nil {
			return nil, err
		}
	}
	return func() (err error) {
		if len(rules) > 0 {
			err = command("nft delete table ip bench")
		}
		if p.rate != "" && err == nil {
			err = s.command("tc qdisc del dev " + serverDev + " root")
		}
		return err
	}, nil
}
