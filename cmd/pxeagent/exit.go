package main

import (
	"fmt"
	"strings"
)

// exitCode is what pxeagent tells the shell. The numbers are a promise to scripts: one is never
// given another meaning.
type exitCode int

const (
	exitDone         exitCode = 0
	exitUnexpected   exitCode = 1
	exitDiffers      exitCode = 2
	exitUsage        exitCode = 3
	exitRefused      exitCode = 4
	exitNotServing   exitCode = 5
	exitChanged      exitCode = 6
	exitPutBack      exitCode = 7
	exitRevertFailed exitCode = 8
	exitNotProven    exitCode = 9
	exitForeign      exitCode = 10
	exitLocked       exitCode = 11
	exitPermission   exitCode = 12
	exitNoInterface  exitCode = 13
	exitPortTaken    exitCode = 14
	exitNoProgram    exitCode = 15
	exitNotWritable  exitCode = 16
	exitRestart      exitCode = 17
	exitNoOffer      exitCode = 18
	exitWrong        exitCode = 19
	exitRoot         exitCode = 20
	exitNoJournal    exitCode = 21
	exitLogin        exitCode = 22
	exitPrivilege    exitCode = 23
	exitNoPackage    exitCode = 24
	exitReadOnly     exitCode = 25
	exitUnavailable  exitCode = 26
	exitCertificate  exitCode = 27
	exitTimeout      exitCode = 28
	exitNotPfSense   exitCode = 29
	exitUnreachable  exitCode = 30
	exitUnapplied    exitCode = 31
	exitNoDHCP       exitCode = 32
	exitDHCPOff      exitCode = 33
	exitRelay        exitCode = 34
	exitSecondary    exitCode = 35
	exitFirewall     exitCode = 36
	exitDownload     exitCode = 37
	exitChecksum     exitCode = 38
	exitBadImage     exitCode = 39
	exitNoVersion    exitCode = 40
	exitNoImage      exitCode = 41
	exitDamaged      exitCode = 42
	exitNotRunning   exitCode = 43
	exitNoBoot       exitCode = 44
	exitRunning      exitCode = 45
	exitMenu         exitCode = 46
	exitInterrupted  exitCode = 130
)

// exitCodes is the table that people and programs are shown. Names are stable as well: they
// stand in --json.
var exitCodes = []struct {
	code exitCode
	name string
	text string
}{
	{exitDone, "done", "done, or nothing to do: all is as it was asked for"},
	{exitUnexpected, "unexpected", "an error that has no code of its own"},
	{exitDiffers, "differs", "--dry-run and status: what is differs from what was asked for; nothing was written"},
	{exitUsage, "usage", "the command line or the configuration is wrong"},
	{exitRefused, "refused", "the plan must not be carried out, and says why; nothing was written"},
	{exitNotServing, "not-serving", "nothing answers at next-server; nothing was written"},
	{exitChanged, "changed", "someone else changed the settings meanwhile; theirs were kept"},
	{exitPutBack, "put-back", "the offers on the wire stayed wrong; the settings from before are back"},
	{exitRevertFailed, "revert-failed", "the settings from before could not be put back; the manual steps were printed"},
	{exitNotProven, "not-proven", "the settings are written, but no offer on the wire could prove them"},
	{exitForeign, "foreign-server", "the settings are written and right, and another DHCP server offers something else"},
	{exitLocked, "locked", "another pxeagent works on the same interface"},
	{exitPermission, "permission", "a permission or capability is missing"},
	{exitNoInterface, "no-interface", "there is no such interface, or it has no fitting address"},
	{exitPortTaken, "port-taken", "another program listens on the port"},
	{exitNoProgram, "no-program", "a program that is needed is not installed"},
	{exitNotWritable, "not-writable", "the disk is full or cannot be written"},
	{exitRestart, "restart-failed", "the DHCP server did not restart; its settings are the ones from before"},
	{exitNoOffer, "no-offer", "probe: no DHCP server made an offer"},
	{exitWrong, "wrong", "probe and check: an offer, or a step on the way, is wrong"},
	{exitRoot, "no-root", "the folder to serve is missing or cannot be read"},
	{exitNoJournal, "no-journal", "the journal has nothing to revert"},
	{exitLogin, "login-refused", "the firewall refused the user or the API key, now or before; a refused one is not sent again"},
	{exitPrivilege, "no-privilege", "the firewall's user may not do this, or its access list does not admit this machine"},
	{exitNoPackage, "no-rest-package", "the REST package is not installed on the firewall"},
	{exitReadOnly, "read-only", "the firewall's REST package is in read-only mode"},
	{exitUnavailable, "unavailable", "the firewall's REST API is switched off, or its web server has nobody to answer"},
	{exitCertificate, "certificate", "the firewall's certificate is not trusted, or is not the pinned one; nothing was sent"},
	{exitTimeout, "timeout", "the firewall did not answer in time"},
	{exitNotPfSense, "not-pfsense", "what answers at the firewall's address is not a pfSense"},
	{exitUnreachable, "unreachable", "no connection to the firewall, or it was cut"},
	{exitUnapplied, "unapplied", "somebody saved DHCP settings on the firewall and did not apply them; nothing was written"},
	{exitNoDHCP, "no-dhcp", "the firewall has no DHCP settings for the interface; nothing was written"},
	{exitDHCPOff, "dhcp-off", "the firewall's DHCP server is off on the interface; nothing was written"},
	{exitRelay, "dhcp-relay", "the firewall relays DHCP to another server; nothing was written"},
	{exitSecondary, "ha-secondary", "the firewall is the secondary of a pair, and the primary overwrites its settings; nothing was written"},
	{exitFirewall, "firewall-error", "the firewall answered and did not do what it was asked"},
	{exitDownload, "download-failed", "image: no mirror gave the file; what had come is kept, and the next run goes on with it"},
	{exitChecksum, "wrong-checksum", "image: a file is not the one that its checksum is about; nothing was changed"},
	{exitBadImage, "bad-image", "image: an archive is hostile or damaged, or what is in it cannot be booted; nothing was changed"},
	{exitNoVersion, "no-version", "image: there is no such recipe, or its maker has no such version"},
	{exitNoImage, "no-image", "image: there is no such image on disk"},
	{exitDamaged, "damaged-image", "image verify: files are missing, or are not as they were added"},
	{exitNotRunning, "not-running", "the daemon does not run, or it uses another state_dir"},
	{exitNoBoot, "no-boot", "there is no such boot, or it is kept no longer"},
	{exitRunning, "already-running", "serve: another daemon uses the same state_dir"},
	{exitMenu, "menu", "menu show and menu lint: the menu is not the one that was asked for, or a script has faults"},
	{exitInterrupted, "interrupted", "stopped by ^C or SIGTERM before it was done"},
}

// String is the code's stable name.
func (c exitCode) String() string {
	for _, e := range exitCodes {
		if e.code == c {
			return e.name
		}
	}
	return fmt.Sprintf("exit %d", int(c))
}

// exitText is the table for a terminal.
func exitText() string {
	var b strings.Builder
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "%3d  %-15s  %s\n", e.code, e.name, e.text)
	}
	return b.String()
}

// exitMarkdown is the table for the documentation.
func exitMarkdown() string {
	var b strings.Builder
	b.WriteString("| code | name | meaning |\n|---:|---|---|\n")
	for _, e := range exitCodes {
		fmt.Fprintf(&b, "| %d | `%s` | %s |\n", e.code, e.name, e.text)
	}
	return b.String()
}
