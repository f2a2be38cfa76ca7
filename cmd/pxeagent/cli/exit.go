// Package cli is what commands say to a terminal and to scripts: exit codes, errors with hints, texts in tables.
package cli

import (
	"fmt"
	"strings"
)

// Exits are what pxeagent returns to the shell: what a script would do next. The numbers are a promise: one is
// never given another meaning. 15 is free.
const (
	ExitDone         = 0
	ExitUnexpected   = 1
	ExitDiffers      = 2
	ExitUsage        = 3
	ExitRefused      = 4
	ExitNotServing   = 5
	ExitChanged      = 6
	ExitPutBack      = 7
	ExitRevertFailed = 8
	ExitNotProven    = 9
	ExitForeign      = 10
	ExitLocked       = 11
	ExitPermission   = 12
	ExitNotFound     = 13
	ExitUnavailable  = 14
	ExitInterrupted  = 130
)

// exits say what each exit code means.
var exits = []struct {
	exit int
	text string
}{
	{ExitDone, "done, or nothing to do"},
	{ExitUnexpected, "an error that has no code of its own"},
	{ExitDiffers, "what is there differs from what is desired; nothing was written"},
	{ExitUsage, "the command line or the configuration is wrong: correct it"},
	{ExitRefused, "it must not be done as things are, and the message says why; nothing was written"},
	{ExitNotServing, "nothing answers at next-server; nothing was written"},
	{ExitChanged, "someone else changed the settings meanwhile; theirs were kept: run it again"},
	{ExitPutBack, "the offers on the wire stayed wrong; the settings from before are back"},
	{ExitRevertFailed, "the settings from before could not be put back; the manual steps were printed"},
	{ExitNotProven, "no offer on the wire could prove the settings"},
	{ExitForeign, "the settings are written and right, and another DHCP server offers something else"},
	{ExitLocked, "another pxeagent is at work there: wait, or stop it"},
	{ExitPermission, "a permission, capability or login is missing"},
	{ExitNotFound, "what was named does not exist: an interface, a folder, an image, a boot"},
	{ExitUnavailable, "something that is needed is not available now: a port, a program, the disk, a server"},
	{ExitInterrupted, "stopped by ^C or SIGTERM before it was done"},
}

// Code is why a command ended as it did, more finely than its exit code says it. Comparable.
type Code struct {
	Name string // stable: it stands in --json, and in brackets at the end of an error
	Exit int    // of the process
	Text string // what it means, for the reference; no full stop
}

// The codes of any DHCP server. Backends have their own besides.
var (
	Done       = Code{"done", ExitDone, "done, or nothing to do: all is as it was asked for"}
	Unexpected = Code{"unexpected", ExitUnexpected, "an error that has no code of its own"}
	Differs    = Code{"differs", ExitDiffers,
		"--dry-run and status: actual settings or offers differ from the desired ones"}
	Wrong = Code{"wrong", ExitDiffers, "probe and check: an offer, or a step of the boot path, is wrong"}
	Menu  = Code{"menu", ExitDiffers,
		"menu show and menu lint: the menu differs from the configured one, or a script has faults"}
	Damaged   = Code{"damaged-image", ExitDiffers, "image verify: files are missing, or are not as they were added"}
	Usage     = Code{"usage", ExitUsage, "the command line or the configuration is wrong"}
	Refused   = Code{"refused", ExitRefused, "the plan must not be carried out, and says why; nothing was written"}
	NoJournal = Code{"no-journal", ExitRefused, "the journal has nothing to revert"}
	Checksum  = Code{"wrong-checksum", ExitRefused, "image: a file does not match its checksum; nothing was changed"}
	BadImage  = Code{"bad-image", ExitRefused,
		"image: an archive is hostile or damaged, or what is in it cannot be booted; nothing was changed"}
	SecureBoot = Code{"secure-boot", ExitRefused,
		"a key, certificate or boot file cannot be used for Secure Boot; nothing was written"}
	NotServing   = Code{"not-serving", ExitNotServing, "nothing answers at next-server; nothing was written"}
	Changed      = Code{"changed", ExitChanged, "someone else changed the settings meanwhile; theirs were kept"}
	PutBack      = Code{"put-back", ExitPutBack, "the offers on the wire stayed wrong; the settings from before are back"}
	RevertFailed = Code{"revert-failed", ExitRevertFailed,
		"the settings from before could not be put back; the manual steps were printed"}
	NotProven = Code{"not-proven", ExitNotProven, "the settings are written, but no offer on the wire could prove them"}
	NotKept   = Code{"not-kept", ExitUnavailable,
		"the DHCP server was not told to keep the settings in time; it puts the ones from before back by itself"}
	NoOffer = Code{"no-offer", ExitNotProven, "probe: no DHCP server made an offer"}
	Foreign = Code{"foreign-server", ExitForeign,
		"the settings are written and right, and another DHCP server offers something else"}
	Locked      = Code{"locked", ExitLocked, "another pxeagent works on the same interface or image"}
	Running     = Code{"already-running", ExitLocked, "serve: another daemon uses the same state_dir"}
	Permission  = Code{"permission", ExitPermission, "a permission or capability is missing"}
	NoInterface = Code{"no-interface", ExitNotFound, "there is no such interface, or it has no fitting address"}
	Root        = Code{"no-root", ExitNotFound, "the folder to serve is missing or cannot be read"}
	NoVersion   = Code{"no-version", ExitNotFound, "image: unknown recipe, or its maker has no such version"}
	NoImage     = Code{"no-image", ExitNotFound, "image: image not found on disk"}
	NoBoot      = Code{"no-boot", ExitNotFound, "there is no such boot, or it is kept no longer"}
	PortTaken   = Code{"port-taken", ExitUnavailable, "another program listens on the port"}
	NoProgram   = Code{"no-program", ExitUnavailable, "a program that is needed is not installed"}
	NotWritable = Code{"not-writable", ExitUnavailable, "the disk is full or cannot be written"}
	Restart     = Code{"restart-failed", ExitUnavailable,
		"the DHCP server did not restart; its settings are the ones from before"}
	Download = Code{"download-failed", ExitUnavailable,
		"image: no mirror gave the file; what had come is kept, and the next run goes on with it"}
	NotRunning  = Code{"not-running", ExitUnavailable, "the daemon does not run, or it uses another state_dir"}
	Interrupted = Code{"interrupted", ExitInterrupted, "stopped by ^C or SIGTERM before it was done"}
)

// Codes are those of any DHCP server.
func Codes() []Code {
	return []Code{
		Done, Unexpected, Differs, Wrong, Menu, Damaged, Usage, Refused, NoJournal, Checksum, BadImage, SecureBoot,
		NotServing, Changed, PutBack, RevertFailed, NotKept, NotProven, NoOffer, Foreign, Locked, Running, Permission,
		NoInterface, Root, NoVersion, NoImage, NoBoot, PortTaken, NoProgram, NotWritable, Restart, Download, NotRunning, Interrupted,
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
