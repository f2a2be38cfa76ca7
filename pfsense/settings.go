package pfsense

import (
	"bytes"
	"encoding/json"
	"fmt"

	"pxeagent/agent/dhcp"
)

// settings are everything that pxeagent owns for one interface: its keys, and Kea's class for iPXE, which is stored
// apart from the interface's settings. Comparable with ==.
type settings struct {
	keys  keys
	class setting // JSON of the class
}

// classField is the class's key in a record. Older records, and those of an interface without a class, do not have it.
const classField = "kea_class"

// MarshalJSON writes the keys, then the class if there is one.
func (s settings) MarshalJSON() ([]byte, error) {
	raw, err := s.keys.MarshalJSON()
	if err != nil || !s.class.present {
		return raw, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s.class.text); err != nil {
		return nil, err
	}
	raw = append(bytes.TrimSuffix(raw, []byte("}")), fmt.Sprintf(",%q:", classField)...)
	return append(append(raw, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), '}'), nil
}

func (s *settings) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("network boot settings: %w", err)
	}
	*s = settings{}
	if raw, there := all[classField]; there {
		delete(all, classField)
		s.class.present = true
		if err := json.Unmarshal(raw, &s.class.text); err != nil {
			return fmt.Errorf("network boot settings: %s: %w", classField, err)
		}
	}
	rest, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return s.keys.UnmarshalJSON(rest)
}

// record is s for a dhcp.State: nil if no setting is present.
func (s settings) record() ([]byte, error) {
	if s == (settings{}) {
		return nil, nil
	}
	return s.MarshalJSON()
}

func parseRecord(raw []byte) (s settings, err error) {
	if raw != nil {
		err = json.Unmarshal(raw, &s)
	}
	return s, err
}

func (s settings) state(can abilities) (dhcp.State, error) {
	raw, err := s.record()
	if err != nil {
		return dhcp.State{}, fmt.Errorf("encoding the settings: %w", err)
	}
	return dhcp.State{Boot: s.boot(can), Raw: raw}, nil
}

// boot is what the firewall sends with s. The class works whether or not network boot is enabled.
func (s settings) boot(can abilities) dhcp.Boot {
	b := s.keys.boot(can)
	if can.script {
		b.Script = classScript(s.class)
	}
	return b
}

// settings are those of p.
func (f firewall) settings(p iface) settings {
	if p.DHCP == nil {
		return settings{}
	}
	return settings{keys: p.DHCP.Keys, class: f.class(p)}
}

// with is s changed so that p sends want. Without tell there is no class: DHCP does not tell iPXE apart then.
func (s settings) with(want dhcp.Boot, can abilities, p iface, tell bool) (settings, error) {
	s.keys, s.class = s.keys.with(want, can), setting{}
	if !tell || want.Script == "" {
		return s, nil
	}
	var err error
	s.class, err = ipxeClass(p, want.Script)
	return s, err
}
