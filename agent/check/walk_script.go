package check

import (
	"net/netip"
	"net/url"

	"pxeagent/agent/boot"
	"pxeagent/agent/firmware"
	"pxeagent/agent/menu"
	"pxeagent/agent/script"
)

// script fetches the first script and follows it.
func (w *walker) script(client firmware.Client, m script.Machine, u string, loaded nbp) {
	u = telling(client, u)
	ok := w.once(client, "script", u, "", func() (size int64, note string, err error) {
		if w.AnyNBP {
			c := w.http.chained(w.ctx, u)
			if w.texts[u] = c.text; c.err == nil && c.text == nil {
				return c.size, someProgram, nil
			}
			return c.size, "", c.err
		}
		text, err := w.http.get(w.ctx, u)
		if err == nil {
			err = notNBP(text)
		}
		w.texts[u] = text
		return int64(len(text)), "", err
	})
	if base, err := url.Parse(u); ok && err == nil && w.texts[u] != nil {
		w.follow(client, m, w.texts[u], base, loaded)
	}
}

// telling is the URL by which iPXE on such a machine asks for its menu, in the second of two steps: the first only asks
// it to tell its facts.
func telling(client firmware.Client, u string) string {
	script, err := url.Parse(u)
	if err != nil || script.Path != menu.BootstrapPath || script.RawQuery != "" {
		return u
	}
	return menu.Telling(script, factsOf(client)).String()
}

// factsOf is what iPXE on such a machine tells of itself.
func factsOf(client firmware.Client) boot.Facts {
	switch client.Arch() {
	case firmware.BIOS:
		return boot.Facts{Platform: "pcbios", Arch: "i386"}
	case firmware.EFI32:
		return boot.Facts{Platform: "efi", Arch: "i386"}
	case firmware.ARM32:
		return boot.Facts{Platform: "efi", Arch: "arm32"}
	case firmware.ARM64:
		return boot.Facts{Platform: "efi", Arch: "arm64"}
	}
	return boot.Facts{Platform: "efi", Arch: "x86_64"}
}

// machineOf is what iPXE knows of such a machine.
func machineOf(client firmware.Client, next netip.Addr) script.Machine {
	facts := factsOf(client)
	m := script.Machine{
		Settings: map[string]string{"platform": facts.Platform, "buildarch": facts.Arch},
		LongMode: client != firmware.ClientEFI32, // as all that are in use
	}
	if next.IsValid() && !next.IsUnspecified() {
		m.Settings["next-server"] = next.String()
	}
	return m
}
