package opnsensetest

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// Elsewhere is a configuration of Dnsmasq without the lines about files that only a firewall has, so that a Dnsmasq
// elsewhere starts with it.
func Elsewhere(conf string) string {
	var out strings.Builder
	for line := range strings.Lines(conf) {
		if !strings.HasPrefix(line, "conf-dir=") && !strings.HasPrefix(line, "addn-hosts=") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// OldKea is a configuration of Kea 3 as Kea 2.2 takes it: two keys have their older names, no name is empty, and of the
// hooks only flex_option is kept, which is looked for in the folder hooks.
func OldKea(conf []byte, hooks string) ([]byte, error) {
	var file struct{ Dhcp4 map[string]any }
	if err := json.Unmarshal(conf, &file); err != nil {
		return nil, fmt.Errorf("reading the configuration of Kea: %w", err)
	}
	rename := func(list any, old, older string) {
		objects, _ := list.([]any)
		for _, o := range objects {
			object, _ := o.(map[string]any)
			if value, there := object[old]; there {
				object[older] = value
				delete(object, old)
			}
			if object["next-server"] == "" {
				delete(object, "next-server")
			}
		}
	}
	rename(file.Dhcp4["subnet4"], "evaluate-additional-classes", "require-client-classes")
	rename(file.Dhcp4["client-classes"], "only-in-additional-list", "only-if-required")
	kept := []any{}
	list, _ := file.Dhcp4["hooks-libraries"].([]any)
	for _, h := range list {
		hook, _ := h.(map[string]any)
		library, _ := hook["library"].(string)
		if name := path.Base(library); name == "libdhcp_flex_option.so" {
			hook["library"] = path.Join(hooks, name)
			kept = append(kept, hook)
		}
	}
	file.Dhcp4["hooks-libraries"] = kept
	return json.MarshalIndent(file, "", " ")
}
