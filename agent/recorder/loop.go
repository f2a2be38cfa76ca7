package recorder

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"pxeagent/agent/boot"
)

// loopAlarm names machines that load iPXE again and again, and says what would help. It is of one goroutine.
type loopAlarm struct {
	broken bool           // see Config.LoopsBroken
	except []netip.Prefix // see Config.Except

	loops boot.Loops
}

// see reports a loop when it is seen first.
func (a *loopAlarm) see(t *boot.Transfer, now time.Time) (boot.Loop, bool) {
	return a.loops.See(t, now)
}

// remedy is what a person can do about a loop.
func (a *loopAlarm) remedy(l boot.Loop) string {
	asks := func(c boot.Class) bool { return slices.Contains(l.Classes, c) }
	switch {
	case asks(boot.IPXE) && slices.ContainsFunc(a.except, func(n netip.Prefix) bool { return n.Contains(l.Client) }):
		return "the machine is in serve.chain_except, so its iPXE is given itself again: take its network out"
	case asks(boot.IPXE) && !a.broken:
		return "DHCP makes its iPXE load itself again: set chain: auto, which answers it with the script"
	case asks(boot.IPXE):
		return "its iPXE asks for an NBP by a name that is not known as iPXE's own: name the file undionly.kpxe or ipxe.efi"
	case asks(boot.Unknown):
		return "its iPXE is not known by its request: serve one with the script in it (pxeagent ipxe build)"
	}
	if !slices.ContainsFunc(l.Classes, func(c boot.Class) bool { return c != boot.UEFI }) {
		return "its firmware starts over, and what it loads asks for nothing: likely Secure Boot, which refuses what is " +
			"not " +
			"signed; else look at its screen for a card that iPXE has no driver for, or for DHCP without an answer"
	}
	return "its firmware starts over, and iPXE asks for nothing: " +
		"look at its screen for a card that iPXE has no driver for, or for DHCP without an answer"
}

// report writes the line.
func (a *loopAlarm) report(log *slog.Logger, l boot.Loop) {
	log.LogAttrs(
		context.Background(),
		slog.LevelWarn,
		"loop: a machine fetches its NBP again and again, and no script between",
		slog.String("client", l.Client.String()),
		slog.String("file", l.File),
		slog.String("proto", string(l.Proto)),
		slog.Any("asked_by", l.Classes),
		slog.Time("since", l.Since),
		slog.String("remedy", a.remedy(l)),
	)
}
