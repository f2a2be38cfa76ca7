package pihole

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// settings are those of a Pi-hole's that have to do with DHCP.
type settings struct {
	Misc struct {
		Lines    item[[]string] `json:"dnsmasq_lines"`
		EtcDir   item[bool]     `json:"etc_dnsmasq_d"`
		ReadOnly item[bool]     `json:"readOnly"`
	} `json:"misc"`
	DHCP struct {
		Active        item[bool]     `json:"active"`
		Start         item[string]   `json:"start"`
		End           item[string]   `json:"end"`
		Netmask       item[string]   `json:"netmask"`
		IgnoreUnknown item[bool]     `json:"ignoreUnknownClients"`
		Hosts         item[[]string] `json:"hosts"`
	} `json:"dhcp"`
	DNS struct {
		Interface item[string] `json:"interface"`
		Listening item[string] `json:"listeningMode"`
	} `json:"dns"`
}

// item is one setting, with or without what ?detailed=true tells of it.
type item[T any] struct {
	Value       T
	Environment bool // it comes from an environment variable, and cannot be changed
}

func (i *item[T]) UnmarshalJSON(b []byte) error {
	var d struct {
		Value T `json:"value"`
		Flags struct {
			Environment bool `json:"env_var"`
		} `json:"flags"`
	}
	if len(b) == 0 || b[0] != '{' {
		return json.Unmarshal(b, &i.Value)
	}
	err := json.Unmarshal(b, &d)
	i.Value, i.Environment = d.Value, d.Flags.Environment
	return err
}

func (h *session) settings(ctx context.Context) (settings, error) {
	var a struct {
		Config *settings `json:"config"`
	}
	if err := h.get(ctx, "/api/config", url.Values{"detailed": {"true"}}, &a); err != nil {
		return settings{}, err
	}
	if a.Config == nil {
		return settings{}, fmt.Errorf("%w: the configuration is missing in its answer", ErrAPI)
	}
	return *a.Config, nil
}

// Interface is a device of Pi-hole's machine.
type Interface struct {
	Name      string         `json:"name"`
	Addresses []netip.Prefix `json:"addresses"` // IPv4, each with the mask of its network
}

// address is one of a device, in the forms of several versions.
type address struct {
	Address string `json:"address"`
	Prefix  int    `json:"prefixlen"`
	Netmask string `json:"netmask"`
}

func (a address) prefix() (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(a.Address)
	if err != nil || !ip.Is4() {
		return netip.Prefix{}, false
	}
	bits := a.Prefix
	if mask, err := netip.ParseAddr(a.Netmask); err == nil && mask.Is4() {
		bits = 0
		for _, b := range mask.As4() {
			for ; b != 0; b <<= 1 {
				bits++
			}
		}
	}
	p := netip.PrefixFrom(ip, bits)
	return p, p.IsValid() && bits > 0
}

// Interfaces lists the devices of Pi-hole's machine that have an IPv4 address, but loopback.
func (s *Server) Interfaces(ctx context.Context) (list []Interface, err error) {
	err = s.with(ctx, func(h *session) error {
		list, err = h.interfaces(ctx)
		return err
	})
	return list, err
}

func (h *session) interfaces(ctx context.Context) ([]Interface, error) {
	var a struct {
		Interfaces []struct {
			Name      string    `json:"name"`
			Addresses []address `json:"addresses"`
			IPv4      []address `json:"ipv4"`
		} `json:"interfaces"`
	}
	if err := h.get(ctx, "/api/network/interfaces", nil, &a); err != nil {
		return nil, err
	}
	var list []Interface
	for _, i := range a.Interfaces {
		if i.Name == "lo" {
			continue
		}
		found := Interface{Name: i.Name}
		for _, addr := range slices.Concat(i.Addresses, i.IPv4) {
			if p, ok := addr.prefix(); ok && !slices.Contains(found.Addresses, p) {
				found.Addresses = append(found.Addresses, p)
			}
		}
		if len(found.Addresses) > 0 {
			list = append(list, found)
		}
	}
	return list, nil
}

// device is the configured one, and the names of the others.
func (h *session) device(ctx context.Context) (Interface, []string, error) {
	all, err := h.interfaces(ctx)
	if err != nil {
		return Interface{}, nil, err
	}
	var names, others []string
	var own Interface
	for _, i := range all {
		names = append(names, i.Name)
		if i.Name == h.cfg.Interface {
			own = i
		} else {
			others = append(others, i.Name)
		}
	}
	if own.Name == "" {
		return own, nil, fmt.Errorf("%w: %s (found %s)", ErrNoInterface, h.cfg.Interface, strings.Join(names, ", "))
	}
	return own, others, nil
}

// Found is the configured device.
func (s *Server) Found(ctx context.Context) (i Interface, err error) {
	err = s.with(ctx, func(h *session) error {
		i, _, err = h.device(ctx)
		return err
	})
	return i, err
}

// block is where pxeagent's lines for one device are among all: from and to, excluding. from is the end where there are
// none.
type block struct{ from, to int }

func (s *Server) begin() string { return "# pxeagent " + s.cfg.Interface + ": begin" }
func (s *Server) end() string   { return "# pxeagent " + s.cfg.Interface + ": end" }

// find finds the block. Where somebody removed a mark it is from the first to the last line that names our tags.
func (s *Server) find(lines []string) block {
	from, to := slices.Index(lines, s.begin()), slices.Index(lines, s.end())
	if from >= 0 && to > from {
		return block{from, to + 1}
	}
	from, to = -1, -1
	for i, l := range lines {
		if l == s.begin() || l == s.end() || strings.Contains(l, ":pxeagent-"+s.cfg.Interface+"-") {
			if from < 0 {
				from = i
			}
			to = i + 1
		}
	}
	if from < 0 {
		return block{len(lines), len(lines)}
	}
	return block{from, to}
}

// state is what the block of lines says.
func (s *Server) state(lines []string) (dhcp.State, string, error) {
	b := s.find(lines)
	if b.from == b.to {
		return dhcp.State{}, "", nil
	}
	own := lines[b.from:b.to]
	raw, err := encode(own)
	if err != nil {
		return dhcp.State{}, "", err
	}
	boot, mode, _ := dnsmasq.ParseText(s.cfg.Interface, []byte(strings.Join(own, "\n")+"\n"))
	edited := ""
	if want := s.lines(boot, mode, proxied(own)); boot == (dhcp.Boot{}) || !slices.Equal(want, own) {
		edited = "lines that pxeagent does not write"
	}
	return dhcp.State{Boot: boot, Raw: raw}, edited, nil
}

// proxied are the networks of the proxy ranges in lines.
func proxied(lines []string) []netip.Addr {
	var nets []netip.Addr
	for _, l := range lines {
		f := strings.Split(l, ",")
		if strings.HasPrefix(l, "dhcp-range=") && len(f) == 3 && f[2] == "proxy" {
			if a, err := netip.ParseAddr(f[1]); err == nil {
				nets = append(nets, a)
			}
		}
	}
	return nets
}

// lines are the block for b.
func (s *Server) lines(b dhcp.Boot, mode dnsmasq.Mode, nets []netip.Addr) []string {
	lines := []string{s.begin()}
	for l := range strings.Lines(string(dnsmasq.Text(s.cfg.Interface, b, mode, nets))) {
		if l = strings.TrimRight(l, "\n"); l != "" {
			lines = append(lines, l)
		}
	}
	return append(lines, s.end())
}

// encode is lines as a record; nil for none.
func encode(lines []string) ([]byte, error) {
	if lines == nil {
		return nil, nil
	}
	return json.Marshal(lines)
}

func decode(raw []byte) (lines []string, err error) {
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, fmt.Errorf("reading the recorded lines: %w", err)
	}
	return lines, nil
}
