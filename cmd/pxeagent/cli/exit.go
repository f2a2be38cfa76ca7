// Package cli is what commands say to a terminal and to scripts: exit codes, errors with hints, texts in tables.
package cli

import (
	"fmt"
	"strings"
)

// Exits are what pxeagent returns to the shell: what a script would do next. The numbers are a promise: one is
// never given another meaning. 15 is free.
const (
	exitDone         = 0
	exitUnexpected   = 1
	exitDiffers      = 2
	exitUsage        = 3
	exitRefused      = 4
	exitNotServing   = 5
	exitChanged      = 6
	exitPutBack      = 7
	exitRevertFailed = 8
	exitNotProven    = 9
	exitForeign      = 10
	exitLocked       = 11
	exitPermission   = 12
	exitNotFound     = 13
	exitUnavailable  = 14
	exitInterrupted  = 130
)

// exits say what each exit code means.
var exits = []struct {
	exit int
	text string
}{
	{exitDone, "done, or nothing to do"},
	{exitUnexpected, "an error that has no code of its own"},
	{exitDiffers, "what is there differs from what is desired; nothing was written"},
	{exitUsage, "the command line or the configuration is wrong: correct it"},
	{exitRefused, "it must not be done as things are, and the message says why; nothing was written"},
	{exitNotServing, "nothing answers at next-server; nothing was written"},
	{exitChanged, "someone else changed the settings meanwhile; theirs were kept: run it again"},
	{exitPutBack, "the offers on the wire stayed wrong; the settings from before are back"},
	{exitRevertFailed, "the settings from before could not be put back; the manual steps were printed"},
	{exitNotProven, "no offer on the wire could prove the settings"},
	{exitForeign, "the settings are written and right, and another DHCP server offers something else"},
	{exitLocked, "another pxeagent is at work there: wait, or stop it"},
	{exitPermission, "a permission, capability or login is missing"},
	{exitNotFound, "what was named does not exist: an interface, a folder, an image, a boot"},
	{exitUnavailable, "something that is needed is not available now: a port, a program, the disk, a server"},
	{exitInterrupted, "stopped by ^C or SIGTERM before it was done"},
}

// Code is why a command ended as it did, more finely than its exit code says it. Comparable.
type Code struct {
	Name string // stable: it stands in --json, and in brackets at the end of an error
	Exit int    // of the process
	Text string // what it means, for the reference; no full stop
}

// The codes of any DHCP server. Backends have their own besides.
var (
	Done         = Code{"done", exitDone, "done, or nothing to do: all is as it was asked for"}
	Unexpected   = Code{"unexpected", exitUnexpected, "an error that has no code of its own"}
	Differs      = Code{"differs", exitDiffers, "--dry-run and status: actual settings or offers differ from the desired ones"}
	Wrong        = Code{"wrong", exitDiffers, "probe and check: an offer, or a step of the boot path, is wrong"}
	Menu         = Code{"menu", exitDiffers, "menu show and menu lint: the menu differs from the configured one, or a script has faults"}
	Damaged      = Code{"damaged-image", exitDiffers, "image verify: files are missing, or are not as they were added"}
	Usage        = Code{"usage", exitUsage, "the command line or the configuration is wrong"}
	Refused      = Code{"refused", exitRefused, "the plan must not be carried out, and says why; nothing was written"}
	NoJournal    = Code{"no-journal", exitRefused, "the journal has nothing to revert"}
	Checksum     = Code{"wrong-checksum", exitRefused, "image: a file does not match its checksum; nothing was changed"}
	BadImage     = Code{"bad-image", exitRefused, "image: an archive is hostile or damaged, or what is in it cannot be booted; nothing was changed"}
	NotServing   = Code{"not-serving", exitNotServing, "nothing answers at next-server; nothing was written"}
	Changed      = Code{"changed", exitChanged, "someone else changed the settings meanwhile; theirs were kept"}
	PutBack      = Code{"put-back", exitPutBack, "the offers on the wire stayed wrong; the settings from before are back"}
	RevertFailed = Code{"revert-failed", exitRevertFailed, "the settings from before could not be put back; the manual steps were printed"}
	NotProven    = Code{"not-proven", exitNotProven, "the settings are written, but no offer on the wire could prove them"}
	NoOffer      = Code{"no-offer", exitNotProven, "probe: no DHCP server made an offer"}
	Foreign      = Code{"foreign-server", exitForeign, "the settings are written and right, and another DHCP server offers something else"}
	Locked       = Code{"locked", exitLocked, "another pxeagent works on the same interface or image"}
	Running      = Code{"already-running", exitLocked, "serve: another daemon uses the same state_dir"}
	Permission   = Code{"permission", exitPermission, "a permission or capability is missing"}
	NoInterface  = Code{"no-interface", exitNotFound, "there is no such interface, or it has no fitting address"}
	Root         = Code{"no-root", exitNotFound, "the folder to serve is missing or cannot be read"}
	NoVersion    = Code{"no-version", exitNotFound, "image: there is no such recipe, or its maker has no such version"}
	NoImage      = Code{"no-image", exitNotFound, "image: there is no such image on disk"}
	NoBoot       = Code{"no-boot", exitNotFound, "there is no such boot, or it is kept no longer"}
	PortTaken    = Code{"port-taken", exitUnavailable, "another program listens on the port"}
	NoProgram    = Code{"no-program", exitUnavailable, "a program that is needed is not installed"}
	NotWritable  = Code{"not-writable", exitUnavailable, "the disk is full or cannot be written"}
	Restart      = Code{"restart-failed", exitUnavailable, "the DHCP server did not restart; its settings are the ones from before"}
	Download     = Code{"download-failed", exitUnavailable, "image: no mirror gave the file; what had come is kept, and the next run goes on with it"}
	NotRunning   = Code{"not-running", exitUnavailable, "the daemon does not run, or it uses another state_dir"}
	Interrupted  = Code{"interrupted", exitInterrupted, "stopped by ^C or SIGTERM before it was done"}

	Login       = Code{"login-refused", exitPermission, "the firewall refused the user or the API key, now or before; a refused one is not sent again"}
	Privilege   = Code{"no-privilege", exitPermission, "the firewall's user may not do this, or its access list does not admit this machine"}
	ReadOnly    = Code{"read-only", exitPermission, "the firewall's REST package is in read-only mode"}
	Certificate = Code{"certificate", exitRefused, "the firewall's certificate is not trusted, or is not the pinned one; nothing was sent"}
	Unapplied   = Code{"unapplied", exitRefused, "somebody saved DHCP settings on the firewall and did not apply them; nothing was written"}
	NoDHCP      = Code{"no-dhcp", exitRefused, "the firewall has no DHCP settings for the interface; nothing was written"}
	DHCPOff     = Code{"dhcp-off", exitRefused, "the firewall's DHCP server is off on the interface; nothing was written"}
	Relay       = Code{"dhcp-relay", exitRefused, "the firewall relays DHCP to another server; nothing was written"}
	Secondary   = Code{"ha-secondary", exitRefused, "the firewall is the secondary of a pair, and the primary overwrites its settings; nothing was written"}
	NotPfSense  = Code{"not-pfsense", exitNotFound, "what answers at the firewall's address is not a pfSense"}
	NoPackage   = Code{"no-rest-package", exitUnavailable, "the REST package is not installed on the firewall"}
	Unavailable = Code{"unavailable", exitUnavailable, "the firewall's REST API is switched off, or its web server has nobody to answer"}
	Timeout     = Code{"timeout", exitUnavailable, "the firewall did not answer in time"}
	Unreachable = Code{"unreachable", exitUnavailable, "no connection to the firewall, or it was cut"}
	Firewall    = Code{"firewall-error", exitUnavailable, "the firewall answered and did not do what it was asked"}
)

// Codes are those of any DHCP server.
func Codes() []Code {
	return []Code{
		Done, Unexpected, Differs, Wrong, Menu, Damaged, Usage, Refused, NoJournal, Checksum, BadImage, NotServing, Changed,
		PutBack, RevertFailed, NotProven, NoOffer, Foreign, Locked, Running, Permission, NoInterface, Root, NoVersion,
		NoImage, NoBoot, PortTaken, NoProgram, NotWritable, Restart, Download, NotRunning, Interrupted,
		Login, Privilege, ReadOnly, Certificate, Unapplied, NoDHCP, DHCPOff, Relay, Secondary, NotPfSense, NoPackage,
		Unavailable, Timeout, Unreachable, Firewall,
	}
}

// String is the code's name.
func (c Code) String() string { return c.Name }

// MarshalText writes the name.
func (c Code) MarshalText() ([]byte, error) { return []byte(c.Name), nil }

// ExitText is the table of exit codes and the codes under each, for a terminal.
func ExitText(codes []Code) string {
	var b strings.Builder
	for _, e := range exits {
		fmt.Fprintf(&b, "%3d  %s\n", e.exit, e.text)
		for _, c := range codes {
			if c.Exit == e.exit {
				fmt.Fprintf(&b, "     %-15s  %s\n", c.Name, c.Text)
			}
		}
	}
	return b.String()
}

// ExitMarkdown is the same for the documentation.
func ExitMarkdown(codes []Code) string {
	var b strings.Builder
	b.WriteString("| exit | code | meaning |\n|---:|---|---|\n")
	for _, e := range exits {
		for _, c := range codes {
			if c.Exit == e.exit {
				fmt.Fprintf(&b, "| %d | `%s` | %s |\n", c.Exit, c.Name, c.Text)
			}
		}
	}
	return b.String()
}
