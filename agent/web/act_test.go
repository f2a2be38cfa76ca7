package web

import (
	"net"
	"sync"
)

const theToken = "a-token-for-tests-0123456789"

// deeds keeps what was done.
type deeds struct {
	mu     sync.Mutex
	checks int
	once   []string
}

func (d *deeds) Check() { d.mu.Lock(); d.checks++; d.mu.Unlock() }

func (d *deeds) Once(mac net.HardwareAddr, item string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if item == "nothing" {
		return ErrUnknownItem
	}
	d.once = append(d.once, mac.String()+" "+item)
	return nil
}
