package openwrt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
	"pxeagent/dnsmasq"
)

// section is one of /etc/config/dhcp. Its options are texts, or lists of texts.
type section struct {
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Options map[string]any `json:"options"`
	index   int
}

// text is an option that is a text; "" where it is none.
func (s section) text(name string) string {
	t, _ := s.Options[name].(string)
	return t
}

// list is an option as a list of one or more.
func (s section) list(name string) []string {
	switch v := s.Options[name].(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, e := range v {
			if t, ok := e.(string); ok {
				list = append(list, t)
			}
		}
		return list
	}
	return nil
}

// sections are all of them, in their order.
func (h *session) sections(ctx context.Context) ([]section, error) {
	var a struct {
		Values map[string]map[string]any `json:"values"`
	}
	if err := h.do(ctx, "uci", "get", map[string]any{"config": "dhcp"}, &a); err != nil {
		return nil, err
	}
	var all []section
	for name, options := range a.Values {
		s := section{Name: name, Options: map[string]any{}}
		s.Type, _ = options[".type"].(string)
		if n, ok := options[".index"].(float64); ok {
			s.index = int(n)
		}
		for key, v := range options {
			if !strings.HasPrefix(key, ".") {
				s.Options[key] = v
			}
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b section) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// kind is a kind of rule as it stands in names, where a dash is not allowed.
func kind(k string) string { return strings.ReplaceAll(k, "-", "_") }

// tag is what machines of a kind are tagged with.
func (s *Server) tag(k string) string { return "pxeagent_" + s.cfg.Interface + "_" + kind(k) }

// names are of the sections for a rule: its matches, and what is sent.
func (s *Server) bootName(k string) string { return "pxeagent_" + s.cfg.Interface + "_b_" + kind(k) }
func (s *Server) matchName(k string, n int) string {
	return fmt.Sprintf("pxeagent_%s_m_%s_%d", s.cfg.Interface, kind(k), n)
}

// owns reports whether a section is one that pxeagent writes for this network.
func (s *Server) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, "pxeagent_"+s.cfg.Interface+"_")
	if !ok {
		return false
	}
	for _, k := range dnsmasq.Kinds() {
		if rest == "b_"+kind(k) || rest == reloadName {
			return true
		}
		if n, ok := strings.CutPrefix(rest, "m_"+kind(k)+"_"); ok && len(n) > 0 && strings.Trim(n, "0123456789") == "" {
			return true
		}
	}
	return false
}

// own are the sections for b, in the order in which they are added.
func (s *Server) own(b dhcp.Boot) []section {
	var matches, boots []section
	for _, r := range dnsmasq.Rules(b) {
		if r.IPXE() {
			matches = append(matches, section{Name: s.matchName(r.Kind, 175), Type: "match",
				Options: map[string]any{"networkid": s.tag(r.Kind), "match": "175"}})
		}
		for _, n := range r.Arches {
			matches = append(matches, section{Name: s.matchName(r.Kind, int(n)), Type: "match",
				Options: map[string]any{"networkid": s.tag(r.Kind), "match": fmt.Sprintf("option:client-arch,%d", n)}})
		}
		who := s.tag(r.Kind) + ",tag:" + s.cfg.Interface
		if !r.IPXE() && b.Script != "" {
			who += ",tag:!" + s.tag("ipxe")
		}
		// Without a server name the router's script writes nothing at all.
		boot := section{Name: s.bootName(r.Kind), Type: "boot", Options: map[string]any{
			"networkid": who, "filename": r.File, "servername": r.Server.String(), "serveraddress": r.Server.String(),
		}}
		if r.Vendor != "" {
			boot.Options["force"], boot.Options["dhcp_option"] = "1", []any{"60," + r.Vendor}
		}
		boots = append(boots, boot)
	}
	return append(matches, boots...)
}

// state is what our sections among all say.
func (s *Server) state(all []section) (dhcp.State, string, error) {
	var own []section
	var st dhcp.State
	edited := ""
	for _, sec := range all {
		if !s.owns(sec.Name) || strings.HasSuffix(sec.Name, "_"+reloadName) {
			continue
		}
		own = append(own, sec)
		if sec.Type != "boot" {
			continue
		}
		for _, k := range dnsmasq.Kinds() {
			if sec.Name == s.bootName(k) {
				if err := dnsmasq.Add(&st.Boot, k, sec.text("filename"), sec.text("serveraddress")); err != nil {
					edited = err.Error()
				}
			}
		}
	}
	if own == nil {
		return st, "", nil
	}
	var err error
	if st.Raw, err = encode(own); err != nil {
		return st, "", err
	}
	want, err := encode(s.own(st.Boot))
	if err == nil && !bytes.Equal(want, st.Raw) && edited == "" {
		edited = "something that pxeagent does not write"
	}
	return st, edited, err
}

// encode is sections as a record: sorted by name, since the order of new ones is always the same.
func encode(sections []section) ([]byte, error) {
	if len(sections) == 0 {
		return nil, nil
	}
	sorted := slices.SortedFunc(slices.Values(sections), func(a, b section) int { return strings.Compare(a.Name, b.Name) })
	return json.Marshal(sorted)
}

// decode is a record's sections, those that send something last and iPXE's the very last.
func decode(raw []byte) (list []section, err error) {
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading the recorded sections: %w", err)
	}
	rank := func(s section) int {
		switch {
		case s.Type != "boot":
			return 0
		case strings.HasSuffix(s.Name, "_b_ipxe"):
			return 2
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b section) int { return rank(a) - rank(b) })
	return list, nil
}

// Network is one of the router's.
type Network struct {
	Name      string         `json:"name"`
	Device    string         `json:"device"`
	Addresses []netip.Prefix `json:"addresses"` // IPv4, each with the mask of its network
}

func (h *session) networks(ctx context.Context) ([]Network, error) {
	var a struct {
		Interface []struct {
			Interface string `json:"interface"`
			Device    string `json:"l3_device"`
			IPv4      []struct {
				Address string `json:"address"`
				Mask    int    `json:"mask"`
			} `json:"ipv4-address"`
		} `json:"interface"`
	}
	if err := h.do(ctx, "network.interface", "dump", nil, &a); err != nil {
		return nil, err
	}
	var list []Network
	for _, i := range a.Interface {
		n := Network{Name: i.Interface, Device: i.Device}
		for _, addr := range i.IPv4 {
			ip, err := netip.ParseAddr(addr.Address)
			if err != nil || !ip.Is4() || addr.Mask < 1 || addr.Mask > 32 {
				continue
			}
			n.Addresses = append(n.Addresses, netip.PrefixFrom(ip, addr.Mask))
		}
		if len(n.Addresses) > 0 && n.Name != "loopback" {
			list = append(list, n)
		}
	}
	return list, nil
}

// network is the configured one, and the tags of the others: their names and devices.
func (h *session) network(ctx context.Context) (Network, []string, error) {
	all, err := h.networks(ctx)
	if err != nil {
		return Network{}, nil, err
	}
	var own Network
	others := map[string]bool{}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
		if n.Name == h.cfg.Interface {
			own = n
			continue
		}
		others[n.Name], others[n.Device] = true, true
	}
	if own.Name == "" {
		return own, nil, fmt.Errorf("%w: %s (found %s)", ErrNoNetwork, h.cfg.Interface, strings.Join(names, ", "))
	}
	delete(others, own.Name)
	return own, slices.Sorted(maps.Keys(others)), nil
}

// Networks lists those of the router that have an IPv4 address, but loopback.
func (s *Server) Networks(ctx context.Context) (list []Network, err error) {
	err = s.with(ctx, func(h *session) error {
		list, err = h.networks(ctx)
		return err
	})
	return list, err
}

// Found is the configured network.
func (s *Server) Found(ctx context.Context) (n Network, err error) {
	err = s.with(ctx, func(h *session) error {
		n, _, err = h.network(ctx)
		return err
	})
	return n, err
}
