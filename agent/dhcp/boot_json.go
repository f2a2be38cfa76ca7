package dhcp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"unicode/utf8"

	"pxeagent/agent/firmware"
)

// bootJSON is Boot as people read it in the journal and in --json: architectures by name, unset fields left out.
type bootJSON struct {
	NextServer *netip.Addr       `json:"next_server,omitempty"`
	NBP        map[string]string `json:"nbp,omitempty"`
	URL        map[string]string `json:"url,omitempty"`
	Script     string            `json:"script,omitempty"`
}

// MarshalJSON writes b with its architectures by name: {"next_server":"10.0.0.7","nbp":{"bios":"undionly.kpxe"}}.
func (b Boot) MarshalJSON() ([]byte, error) {
	out := bootJSON{NBP: byName(b.NBP), URL: byName(b.URL), Script: b.Script}
	if b.NextServer.IsValid() {
		out.NextServer = &b.NextServer
	}
	return marshal(out)
}

// UnmarshalJSON is the opposite of MarshalJSON. An unknown field or architecture is an error.
func (b *Boot) UnmarshalJSON(data []byte) error {
	var in bootJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	*b = Boot{Script: in.Script}
	if in.NextServer != nil {
		b.NextServer = *in.NextServer
	}
	if err := byArch(&b.NBP, in.NBP); err != nil {
		return fmt.Errorf("nbp: %w", err)
	}
	if err := byArch(&b.URL, in.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	return nil
}

// stateJSON keeps a record that is text as text, so that a person can put it back by hand.
// Neither field means that there was no record.
type stateJSON struct {
	Boot   Boot    `json:"boot"`
	Raw    *string `json:"raw,omitempty"`
	Base64 *string `json:"raw_base64,omitempty"`
	// Journals from before it do not have it.
	Stopped bool `json:"stopped,omitempty"`
}

// MarshalJSON writes s.Raw as a string where it is UTF-8 and in base64 where it is not.
func (s State) MarshalJSON() ([]byte, error) {
	out := stateJSON{Boot: s.Boot, Stopped: s.Stopped}
	switch {
	case s.Raw == nil:
	case utf8.Valid(s.Raw):
		text := string(s.Raw)
		out.Raw = &text
	default:
		text := base64.StdEncoding.EncodeToString(s.Raw)
		out.Base64 = &text
	}
	return marshal(out)
}

// UnmarshalJSON is the opposite of MarshalJSON.
func (s *State) UnmarshalJSON(data []byte) error {
	var in stateJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	*s = State{Boot: in.Boot, Stopped: in.Stopped}
	switch {
	case in.Raw != nil && in.Base64 != nil:
		return fmt.Errorf("both raw and raw_base64 are set")
	case in.Raw != nil:
		s.Raw = []byte(*in.Raw)
	case in.Base64 != nil:
		raw, err := base64.StdEncoding.DecodeString(*in.Base64)
		if err != nil {
			return fmt.Errorf("raw_base64: %w", err)
		}
		s.Raw = append([]byte{}, raw...)
	}
	return nil
}

func byName(files [firmware.NumArch]string) map[string]string {
	named := map[string]string{}
	for _, a := range firmware.Arches() {
		if files[a] != "" {
			named[a.String()] = files[a]
		}
	}
	return named
}

func byArch(files *[firmware.NumArch]string, named map[string]string) error {
	found := 0
	for _, a := range firmware.Arches() {
		if name, ok := named[a.String()]; ok {
			files[a] = name
			found++
		}
	}
	if found == len(named) {
		return nil
	}
	for name := range named {
		known := false
		for _, a := range firmware.Arches() {
			known = known || a.String() == name
		}
		if !known {
			return fmt.Errorf("unknown architecture %q", name)
		}
	}
	return nil
}

// marshal is json.Marshal without HTML escapes, which make URLs unreadable.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// strict decodes one JSON value and takes no unknown fields.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}
