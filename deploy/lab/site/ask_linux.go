package site

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Get fetches a page of the agent, from the box.
func (s *Site) Get(path string) string {
	s.T.Helper()
	var conn net.Conn
	var err error
	s.Box.Do(func() { conn, err = net.Dial("tcp4", s.Addr+":80") })
	if err != nil {
		s.T.Fatalf("asking the agent: %v", err)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	resp, err := client.Get("http://" + s.Addr + path)
	if err != nil {
		s.T.Fatalf("asking the agent for %s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.T.Fatalf("reading %s: %v", path, err)
	}
	return string(b)
}

// Metric adds up the samples of a metric whose labels contain all of those given (`artifact="nbp"`).
func (s *Site) Metric(name string, labels ...string) float64 {
	s.T.Helper()
	sum := 0.0
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(\{.*\})? (\S+)$`).FindAllStringSubmatch(s.Get("/metrics"), -1) {
		fits := true
		for _, l := range labels {
			fits = fits && strings.Contains(m[1], l)
		}
		if v, err := strconv.ParseFloat(m[2], 64); fits && err == nil {
			sum += v
		}
	}
	return sum
}
