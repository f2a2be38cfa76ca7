package opnsense

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pxeagent/agent/dhcp"
)

const (
	keaAPI     = "/api/kea/dhcpv4/"
	keaService = "/api/kea/service/"
)

// keaWay is the firewall's Kea, on one interface.
type keaWay struct {
	*session
	iface    Interface
	settings keaSettings
}

// newKea is Kea on an interface.
func newKea(h *session, o overview, i Interface) way {
	w := &keaWay{session: h, iface: i}
	if o.kea != nil {
		w.settings = *o.kea
	}
	return w
}

func (*keaWay) daemon() daemon { return daemon{Name: "Kea", Service: keaService, Load: "restart"} }

// between: one request takes Kea from one record to another. What was written before it says nothing, and is removed
// after it, or by the next write.
func (*keaWay) between(_, _, _ dhcp.State) bool { return false }

// keaReservation is an address that Kea keeps for one machine, which may have settings for network boot of its own.
type keaReservation struct {
	Subnet     string // uuid
	Address    string
	Machine    string
	TFTPServer string
	BootFile   string
	Options    []string // uuids
}

// UnmarshalJSON reads a row of a search.
func (r *keaReservation) UnmarshalJSON(b []byte) error {
	var m map[string]text
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*r = keaReservation{
		Subnet: string(m["subnet"]), Address: string(m["ip_address"]),
		Machine:    strings.TrimSpace(string(m["hostname"] + " " + m["hw_address"])),
		TFTPServer: string(m["option_data.tftp_server_name"]), BootFile: string(m["option_data.boot_file_name"]),
		Options: m["option"].list(),
	}
	return nil
}

// view reads what Kea is configured with.
func (w *keaWay) view(ctx context.Context) (keaView, error) {
	v := keaView{Interface: w.iface.Name, Manual: w.settings.Manual == "1"}
	if pair := w.settings.pair; pair != "" {
		peers, err := search[keaPeer](ctx, w.session, keaAPI+"searchPeer")
		if err != nil {
			return v, err
		}
		v.Pair = keaPair{pair, peers}
	}
	all, err := search[keaSubnet](ctx, w.session, keaAPI+"searchSubnet")
	if err != nil {
		return v, err
	}
	if v.Subnet, err = findKea(w.iface, w.settings, all); err != nil {
		return v, err
	}
	v.Others = slices.DeleteFunc(all, func(s keaSubnet) bool { return s.UUID == v.Subnet.UUID })
	if v.Subnet.Each {
		if v.Options, err = search[keaOption](ctx, w.session, keaAPI+"searchOption"); err != nil {
			return v, err
		}
	}
	v.Reservations, err = search[keaReservation](ctx, w.session, keaAPI+"searchReservation")
	if errors.Is(err, ErrNoAPI) { // they are only for what a person is told
		err = nil
	}
	return v, err
}

func (w *keaWay) plan(ctx context.Context, want dhcp.Boot) (dhcp.Plan, error) {
	v, err := w.view(ctx)
	if err != nil {
		return dhcp.Plan{}, err
	}
	p, err := v.plan(want)
	for _, a := range w.iface.Addresses {
		p.Own = append(p.Own, a.Addr())
	}
	p.Peers = v.Pair.others()
	return p, err
}

func (w *keaWay) state(ctx context.Context) (dhcp.State, error) {
	v, err := w.view(ctx)
	if err != nil {
		return dhcp.State{}, err
	}
	return v.record().state()
}

// write writes the options first, which say nothing until the subnet names them, then the subnet, and deletes those
// that it does not name any more. What is stored already is not written.
func (w *keaWay) write(ctx context.Context, to dhcp.State) error {
	r, err := decodeKea(to.Raw)
	if err != nil {
		return err
	}
	v, err := w.view(ctx)
	if err != nil {
		return err
	}
	wrote := false
	for _, o := range r.Options {
		if !v.Subnet.own(o.UUID) {
			return fmt.Errorf("the recorded options are not those of %s", v.Subnet.Subnet)
		}
		if there, ok := v.option(o.UUID); ok && there == o {
			continue
		}
		if err := w.post(ctx, keaAPI+"setOption/"+o.UUID, map[string]any{"option": o.fields()}, "saved"); err != nil {
			return fmt.Errorf("writing the option %q: %w", o.Description, err)
		}
		wrote = true
	}
	if wrote {
		// That took a while: what others named in the subnet meanwhile is kept.
		if v, err = w.view(ctx); err != nil {
			return err
		}
	}
	if s, changed := v.subnet(r); changed {
		w.cfg.Log.Info("subnet before the change", "server", w.cfg.URL.Host, "subnet", v.Subnet)
		if err := w.post(ctx, keaAPI+"setSubnet/"+v.Subnet.UUID, map[string]any{"subnet4": s}, "saved"); err != nil {
			return fmt.Errorf("writing the subnet %s: %w", v.Subnet.Subnet, err)
		}
	}
	old := v.unused(r)
	if len(old) == 0 {
		return nil
	}
	if err := w.post(ctx, keaAPI+"delOption/"+strings.Join(old, ","), struct{}{}, "deleted", "not found"); err != nil {
		return fmt.Errorf("deleting options that are not used any more: %w", err)
	}
	return nil
}

// fields are what is written of an option.
func (o keaOption) fields() map[string]string {
	return map[string]string{
		"code": o.Code, "encoding": o.Encoding, "data": o.Data, "force": o.Force, "match_code": o.MatchCode,
		"match_encoding": o.MatchEncoding, "match_data": o.MatchData, "description": o.Description,
	}
}

// subnet are the fields of the subnet with r in it, and whether they are others than now.
func (v keaView) subnet(r keaRecord) (fields map[string]any, changed bool) {
	fields = map[string]any{
		"next_server": r.NextServer,
		"option_data": map[string]string{"tftp_server_name": r.TFTPServer, "boot_file_name": r.BootFile},
	}
	changed = v.Subnet.keaFields != r.keaFields
	if v.Subnet.Each {
		list := v.place(r)
		fields["option"] = strings.Join(list, ",")
		changed = changed || !slices.Equal(list, v.Subnet.Options)
	}
	return fields, changed
}

// unused are pxeagent's options for this subnet that neither r nor anything else names.
func (v keaView) unused(r keaRecord) []string {
	var list []string
	for _, o := range v.Options {
		used := slices.ContainsFunc(r.Options, func(one keaOption) bool { return one.UUID == o.UUID }) ||
			slices.ContainsFunc(v.Others, func(s keaSubnet) bool { return slices.Contains(s.Options, o.UUID) }) ||
			slices.ContainsFunc(v.Reservations, func(one keaReservation) bool { return slices.Contains(one.Options, o.UUID) })
		if v.Subnet.own(o.UUID) && !used {
			list = append(list, o.UUID)
		}
	}
	return list
}
