// Package neighbour tells the MAC of an address on this machine's own networks, from the kernel's neighbour table.
package neighbour

import (
	"log/slog"
	"net/netip"
	"time"
)

const (
	// neighbourAge is how long a MAC is taken to keep its address.
	neighbourAge = 10 * time.Second
	// neighbourPause is how often the table is read at most, whoever asks.
	neighbourPause = 250 * time.Millisecond
)

// Table remembers the kernel's table of neighbours. It is of one goroutine.
type Table struct {
	read  func() (map[netip.Addr]string, error)
	log   *slog.Logger
	at    time.Time
	table map[netip.Addr]string
}

// MAC is the Ethernet address that has an IP address, "" where that is not known: it is on another network, say.
func (n *Table) MAC(a netip.Addr) string {
	if a.IsLoopback() {
		return ""
	}
	age := time.Since(n.at)
	if mac, known := n.table[a]; known && age < neighbourAge || age < neighbourPause {
		return mac
	}
	table, err := n.read()
	if err != nil && n.at.IsZero() {
		n.log.Info("Machines that do not tell their MAC are known by their address", "err", err)
	}
	n.at, n.table = time.Now(), table
	return table[a]
}

// New is a table that has not been read yet. log may not be nil.
func New(log *slog.Logger) *Table { return &Table{read: readNeighbours, log: log} }
